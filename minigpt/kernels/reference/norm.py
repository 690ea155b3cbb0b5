"""Layer norm and RMS norm in plain PyTorch, with what their gradients need."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from minigpt.kernels.reference import widened


def layer_norm(
    x: Float[Tensor, "*rows n"], weight: Float[Tensor, " n"], bias: Float[Tensor, " n"] | None, eps: float
) -> tuple[Float[Tensor, "*rows n"], Float[Tensor, "*rows"], Float[Tensor, "*rows"]]:
    """`(x - mean) / sqrt(var + eps) * weight + bias` along the last dimension (Ba et al., 2016).

    Returns:
        The result in the type of `x`; the mean and the reciprocal of the root, in float32 at least.
    """
    wide = widened(x)
    mean = wide.mean(-1, keepdim=True)
    centred = wide - mean
    scale = (centred.square().mean(-1, keepdim=True) + eps).rsqrt()
    y = centred * scale * weight
    y = y if bias is None else y + bias
    return y.to(x.dtype), mean.squeeze(-1), scale.squeeze(-1)


def layer_norm_backward(
    grad: Float[Tensor, "*rows n"],
    x: Float[Tensor, "*rows n"],
    weight: Float[Tensor, " n"],
    mean: Float[Tensor, "*rows"],
    scale: Float[Tensor, "*rows"],
) -> tuple[Float[Tensor, "*rows n"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Gradients of `x`, `weight` and `bias`.

    With `u = (x - mean) scale` and `h = g weight`: `dx = scale (h - mean(h) - u mean(h u))`, `dw = sum(g u)`,
    `db = sum(g)`.
    """
    unit = (widened(x) - mean.unsqueeze(-1)) * scale.unsqueeze(-1)
    grad = grad.to(unit.dtype)
    inner = grad * weight
    shared = inner.mean(-1, keepdim=True) + unit * (inner * unit).mean(-1, keepdim=True)
    n = x.shape[-1]
    return (
        (scale.unsqueeze(-1) * (inner - shared)).to(x.dtype),
        (grad * unit).reshape(-1, n).sum(0).to(weight.dtype),
        grad.reshape(-1, n).sum(0).to(weight.dtype),
    )


def rms_norm(
    x: Float[Tensor, "*rows n"], weight: Float[Tensor, " n"], eps: float
) -> tuple[Float[Tensor, "*rows n"], Float[Tensor, "*rows"]]:
    """`x / sqrt(mean(x^2) + eps) * weight` along the last dimension (Zhang and Sennrich, 2019, equation 4).

    Returns:
        The result in the type of `x`; the reciprocal of the root, in float32 at least.
    """
    wide = widened(x)
    scale = (wide.square().mean(-1, keepdim=True) + eps).rsqrt()
    return (wide * scale * weight).to(x.dtype), scale.squeeze(-1)


def rms_norm_backward(
    grad: Float[Tensor, "*rows n"],
    x: Float[Tensor, "*rows n"],
    weight: Float[Tensor, " n"],
    scale: Float[Tensor, "*rows"],
) -> tuple[Float[Tensor, "*rows n"], Float[Tensor, " n"]]:
    """Gradients of `x` and `weight`: with `u = x scale` and `h = g weight`, `dx = scale (h - u mean(h u))`."""
    unit = widened(x) * scale.unsqueeze(-1)
    grad = grad.to(unit.dtype)
    inner = grad * weight
    grad_x = scale.unsqueeze(-1) * (inner - unit * (inner * unit).mean(-1, keepdim=True))
    return grad_x.to(x.dtype), (grad * unit).reshape(-1, x.shape[-1]).sum(0).to(weight.dtype)
