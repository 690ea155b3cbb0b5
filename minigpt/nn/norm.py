"""Normalisation: every vector is brought to a standard size, then scaled (and shifted) by learned numbers."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from minigpt.kernels import norm as kernels
from minigpt.kernels.dispatch import asked_for


class LayerNorm(nn.Module):
    """Removes the mean of each vector, divides by its standard deviation, then scales and shifts (Ba et al., 2016).

    `y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias`, over the last dimension, with the variance that divides by
    `d_model`.

    Args:
        d_model: width of the vectors, at least 1.
        eps: added to the variance, so that a constant vector does not divide by zero; positive.
        bias: whether there is a shift.

    Raises:
        ValueError: if the width or `eps` is out of range.
    """

    weight: Float[nn.Parameter, " d_model"]
    bias: Float[nn.Parameter, " d_model"] | None

    def __init__(self, d_model: int, *, eps: float = 1e-5, bias: bool = True) -> None:
        super().__init__()
        _check(d_model, eps)
        self.weight = nn.Parameter(torch.ones(d_model))
        self.register_parameter("bias", nn.Parameter(torch.zeros(d_model)) if bias else None)
        self.eps = eps

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """Normalise every vector."""
        if asked_for():
            return kernels.layer_norm(x, self.weight, self.bias, self.eps)
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Sizes, for `print(module)`."""
        return f"d_model={len(self.weight)}, eps={self.eps:g}, bias={self.bias is not None}"


class RMSNorm(nn.Module):
    """Divides each vector by the root of the mean of its squares, then scales (Zhang and Sennrich, 2019, equation 4).

    `y = x / sqrt(mean(x^2) + eps) * weight`, over the last dimension.

    Args:
        d_model: width of the vectors, at least 1.
        eps: added to the mean of the squares; positive.

    Raises:
        ValueError: if the width or `eps` is out of range.
    """

    weight: Float[nn.Parameter, " d_model"]

    def __init__(self, d_model: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        _check(d_model, eps)
        self.weight = nn.Parameter(torch.ones(d_model))
        self.eps = eps

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """Normalise every vector."""
        return rms_norm(x, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Sizes, for `print(module)`."""
        return f"d_model={len(self.weight)}, eps={self.eps:g}"


def rms_norm(
    x: Float[Tensor, "*batch d_model"], weight: Float[Tensor, " d_model"], eps: float = 1e-5
) -> Float[Tensor, "*batch d_model"]:
    """`x / sqrt(mean(x^2) + eps) * weight`, computed in float32 where `x` has fewer digits."""
    if asked_for():
        return kernels.rms_norm(x, weight, eps)
    return F.rms_norm(x, weight.shape, weight, eps) if x.device.type != "cpu" else _RMSNorm.apply(x, weight, eps)


class _RMSNorm(torch.autograd.Function):
    # On a CPU, F.rms_norm is a chain of elementwise steps, each of which autograd remembers. Written as one step, with
    # the gradient by hand, it reads and writes memory half as often:
    #     y = s x w with s = (mean(x^2) + eps)^(-1/2)   =>   dx = s (g w) - s^3 x mean(g w x),   dw = sum(g s x).

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        norm = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        scale = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (wide * scale).mul_(weight).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        # `scale` has the digits to calculate with, so what it is multiplied by gets them too.
        grad = grad.to(scale.dtype)
        unit = x * scale
        grad_unit = grad * weight
        shared = torch.linalg.vecdot(grad_unit, unit).unsqueeze(-1).div_(-x.shape[-1])
        grad_x = torch.addcmul(grad_unit, unit, shared).mul_(scale)
        grad_weight = unit.mul_(grad).reshape(-1, x.shape[-1]).sum(0)
        return grad_x.to(x.dtype), grad_weight.to(weight.dtype), None


def _check(d_model: int, eps: float) -> None:
    if d_model < 1:
        raise ValueError(f"d_model={d_model} must be at least 1")
    if not 0 < eps < math.inf:
        raise ValueError(f"eps={eps} must be positive, or a vector of zeros divides by zero")
