"""Softmax in plain PyTorch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels.reference import widened


def softmax(x: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows n"]:
    """`exp(x_i - max(x)) / sum_j exp(x_j - max(x))` in each row; zeros where all of a row is minus infinity.

    Args:
        x: scores, in any floating-point type; calculated in float32 at least.
    """
    if not x.numel():
        return torch.empty_like(x)
    wide = widened(x)
    largest = wide.detach().amax(-1, keepdim=True)
    powers = (wide - largest.masked_fill(largest == -torch.inf, 0)).exp()
    total = powers.sum(-1, keepdim=True)
    return (powers / total.masked_fill(total == 0, 1)).to(x.dtype)


def softmax_backward(grad: Float[Tensor, "*rows n"], y: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows n"]:
    """The gradient of the scores, `y (g - sum_j g_j y_j)`.

    Args:
        grad: gradient of the result.
        y: the result.
    """
    wide = widened(y)
    grad = grad.to(wide.dtype)
    return (wide * (grad - (grad * wide).sum(-1, keepdim=True))).to(y.dtype)
