"""A product of matrices with bias, activation and residual, in plain PyTorch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def matmul(
    a: Float[Tensor, "m k"],
    b: Float[Tensor, "k n"],
    bias: Float[Tensor, " n"] | None = None,
    residual: Float[Tensor, "m n"] | None = None,
    activation: str | None = None,
) -> tuple[Float[Tensor, "m n"], Float[Tensor, "m n"]]:
    """`activation(a b + bias) + residual`, and `a b + bias`.

    Args:
        a: left matrix.
        b: right matrix.
        bias: added to every row.
        residual: added last.
        activation: `None`, `"gelu"` or `"gelu_tanh"`.
    """
    return finish(a @ b if bias is None else torch.addmm(bias, a, b), residual, activation)


def finish(
    z: Float[Tensor, "m n"], residual: Float[Tensor, "m n"] | None, activation: str | None
) -> tuple[Float[Tensor, "m n"], Float[Tensor, "m n"]]:
    """What follows a product: `activation(z) + residual`, and `z`.

    Args:
        z: the product, with its bias.
        residual: added last.
        activation: `None`, `"gelu"` or `"gelu_tanh"`.
    """
    y = z if activation is None else F.gelu(z, approximate=approximation(activation))
    return (y if residual is None else y + residual), z


def approximation(activation: str) -> str:
    """The name that PyTorch has for a kind of GELU."""
    return "tanh" if activation == "gelu_tanh" else "none"
