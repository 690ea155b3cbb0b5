"""GELU and SwiGLU in plain PyTorch, with their gradients."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels.reference import widened

Approximation = Literal["none", "tanh"]

LINEAR, CUBIC = math.sqrt(2 / math.pi), 0.044715
"""Of the approximation by tanh: its argument is `LINEAR (x + CUBIC x^3)`."""


def gelu(x: Float[Tensor, "*shape"], approximate: Approximation = "none") -> Float[Tensor, "*shape"]:
    """`x P(X <= x)` for a standard normal `X` (Hendrycks and Gimpel, 2016, section 2), exactly or by tanh."""
    wide = widened(x)
    if approximate == "tanh":
        return (0.5 * wide * (1 + (LINEAR * (wide + CUBIC * wide**3)).tanh())).to(x.dtype)
    return (0.5 * wide * (1 + (wide * math.sqrt(0.5)).erf())).to(x.dtype)


def gelu_backward(
    grad: Float[Tensor, "*shape"], x: Float[Tensor, "*shape"], approximate: Approximation = "none"
) -> Float[Tensor, "*shape"]:
    """The gradient of `x`: `g (P(x) + x p(x))` with the density `p`, and the same for the form with tanh."""
    wide = widened(x)
    if approximate == "tanh":
        tanh = (LINEAR * (wide + CUBIC * wide**3)).tanh()
        slope = 0.5 * (1 + tanh) + 0.5 * wide * (1 - tanh.square()) * LINEAR * (1 + 3 * CUBIC * wide.square())
    else:
        density = (-0.5 * wide.square()).exp() / math.sqrt(2 * math.pi)
        slope = 0.5 * (1 + (wide * math.sqrt(0.5)).erf()) + wide * density
    return (grad * slope).to(x.dtype)


def swiglu(gate: Float[Tensor, "*shape"], up: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`gate sigmoid(gate) up`, the middle of SwiGLU (Shazeer, 2020, equation 6)."""
    wide = widened(gate)
    return (wide * torch.sigmoid(wide) * up).to(gate.dtype)


def swiglu_backward(
    grad: Float[Tensor, "*shape"], gate: Float[Tensor, "*shape"], up: Float[Tensor, "*shape"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Gradients of `gate` and `up`: with `s = sigmoid(gate)`, `g up s (1 + gate (1 - s))` and `g gate s`."""
    wide = widened(gate)
    share = torch.sigmoid(wide)
    grad_gate = grad * up * (share * (1 + wide * (1 - share)))
    return grad_gate.to(gate.dtype), (grad * wide * share).to(up.dtype)
