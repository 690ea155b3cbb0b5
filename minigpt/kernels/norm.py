"""Layer norm and RMS norm along the last dimension, also together with the addition that comes before one."""

from __future__ import annotations

from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels import reference
from minigpt.kernels.dispatch import Implementation, implementation
from minigpt.kernels.reference import norm as formulas


def layer_norm(
    x: Float[Tensor, "*rows n"], weight: Float[Tensor, " n"], bias: Float[Tensor, " n"] | None = None, eps: float = 1e-5
) -> Float[Tensor, "*rows n"]:
    """`(x - mean(x)) / sqrt(var(x) + eps) * weight + bias` (Ba et al., 2016), with the variance that divides by `n`.

    Calculated in float32 at least; the result has the type of `x`. For the backward pass two numbers a row are kept.

    Args:
        x: vectors, at least 1 wide.
        weight: one factor for each coordinate.
        bias: and one term; `None` for none.
        eps: added to the variance, so that a constant vector does not divide by zero; positive.

    Raises:
        ValueError: if shapes do not fit, or `eps` is not positive.
    """
    _check(x, weight, eps)
    if bias is not None and bias.shape != weight.shape:
        raise ValueError(f"bias has the shape {tuple(bias.shape)}, weight {tuple(weight.shape)}; they must be alike")
    return _layer_norm(x, weight, bias, eps)[0]


def rms_norm(x: Float[Tensor, "*rows n"], weight: Float[Tensor, " n"], eps: float = 1e-5) -> Float[Tensor, "*rows n"]:
    """`x / sqrt(mean(x^2) + eps) * weight` (Zhang and Sennrich, 2019, equation 4).

    Calculated in float32 at least; the result has the type of `x`. For the backward pass one number a row is kept.

    Args:
        x: vectors, at least 1 wide.
        weight: one factor for each coordinate.
        eps: added to the mean of the squares; positive.

    Raises:
        ValueError: if shapes do not fit, or `eps` is not positive.
    """
    _check(x, weight, eps)
    return _rms_norm(x, weight, eps)[0]


def add_rms_norm(
    x: Float[Tensor, "*rows n"], residual: Float[Tensor, "*rows n"], weight: Float[Tensor, " n"], eps: float = 1e-5
) -> tuple[Float[Tensor, "*rows n"], Float[Tensor, "*rows n"]]:
    """The RMS norm of `x + residual`, and that sum: what stands between two layers of a model, in one pass over memory.

    Args:
        x: what a layer gave.
        residual: what went past it, of the same shape and type.
        weight: one factor for each coordinate.
        eps: added to the mean of the squares; positive.

    Returns:
        The normalised sum, for the next layer; the sum, which goes past it.

    Raises:
        ValueError: if shapes or types do not fit, or `eps` is not positive.
    """
    _check(x, weight, eps)
    if residual.shape != x.shape or residual.dtype != x.dtype:
        raise ValueError(
            f"residual is {tuple(residual.shape)} {residual.dtype}, x is {tuple(x.shape)} {x.dtype}; they must be alike"
        )
    y, total, _ = _add_rms_norm(x, residual, weight, eps)
    return y, total


def _check(x: Tensor, weight: Tensor, eps: float) -> None:
    if not x.ndim or not x.shape[-1] or weight.shape != x.shape[-1:]:
        raise ValueError(
            f"weight has the shape {tuple(weight.shape)} and x {tuple(x.shape)}; weight must be as long as x is wide, "
            "at least 1"
        )
    if not eps > 0:
        raise ValueError(f"eps={eps} must be positive, or a vector of zeros divides by zero")


def _runs(name: str, *tensors: Tensor | None) -> Implementation:
    return implementation(*tensors, operation=name, triton_ok=reference.is_single(*tensors))


def _kernels(x: Tensor) -> ModuleType:
    # A row that fits stays in registers; a longer one is read in pieces.
    from minigpt.kernels.triton import norm, norm_wide

    return norm if x.shape[-1] <= norm.WIDEST else norm_wide


def _contiguous(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(tensor.contiguous() for tensor in tensors)


def _fake_rows(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _fake_numbers(x: Tensor) -> Tensor:
    return x.new_empty(x.shape[:-1], dtype=reference.wide_dtype(x))


@torch.library.custom_op("minigpt::layer_norm", mutates_args=())
def _layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    if _runs("layer_norm", x, weight, bias) == "torch":
        return _contiguous(*formulas.layer_norm(x, weight, bias, eps))
    return _kernels(x).layer_norm(x, weight.contiguous(), bias if bias is None else bias.contiguous(), eps)


@_layer_norm.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    return _fake_rows(x), _fake_numbers(x), _fake_numbers(x)


@torch.library.custom_op("minigpt::layer_norm_backward", mutates_args=())
def _layer_norm_backward(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor, has_bias: bool
) -> tuple[Tensor, Tensor, Tensor]:
    if _runs("layer_norm", x, grad, weight) == "torch":
        return _contiguous(*formulas.layer_norm_backward(grad, x, weight, mean, scale))
    return _kernels(x).layer_norm_grad(grad, x, weight.contiguous(), mean, scale, has_bias)


@_layer_norm_backward.register_fake
def _(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor, has_bias: bool
) -> tuple[Tensor, Tensor, Tensor]:
    return _fake_rows(x), torch.empty_like(weight), torch.empty_like(weight)


def _keep_layer_norm(ctx, inputs, output) -> None:
    x, weight, bias, _ = inputs
    ctx.save_for_backward(x, weight, *output[1:])
    ctx.has_bias = bias is not None


def _layer_norm_gradients(ctx, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    x_grad, weight_grad, bias_grad = _layer_norm_backward(grad, *ctx.saved_tensors, ctx.has_bias)
    return x_grad, weight_grad, bias_grad if ctx.has_bias else None, None


_layer_norm.register_autograd(_layer_norm_gradients, setup_context=_keep_layer_norm)


@torch.library.custom_op("minigpt::rms_norm", mutates_args=())
def _rms_norm(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    if _runs("rms_norm", x, weight) == "torch":
        return _contiguous(*formulas.rms_norm(x, weight, eps))
    y, _, scale = _kernels(x).rms_norm(x, None, weight.contiguous(), eps)
    return y, scale


@_rms_norm.register_fake
def _(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    return _fake_rows(x), _fake_numbers(x)


@torch.library.custom_op("minigpt::rms_norm_backward", mutates_args=())
def _rms_norm_backward(
    grad: Tensor, total_grad: Tensor | None, x: Tensor, weight: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    if _runs("rms_norm", x, grad, total_grad, weight) == "torch":
        x_grad, weight_grad = formulas.rms_norm_backward(grad, x, weight, scale)
        return _contiguous(x_grad if total_grad is None else x_grad + total_grad, weight_grad)
    return _kernels(x).rms_norm_grad(grad, total_grad, x, weight.contiguous(), scale)


@_rms_norm_backward.register_fake
def _(grad: Tensor, total_grad: Tensor | None, x: Tensor, weight: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    return _fake_rows(x), torch.empty_like(weight)


def _keep_rms_norm(ctx, inputs, output) -> None:
    ctx.save_for_backward(inputs[0], inputs[1], output[1])


def _rms_norm_gradients(ctx, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    return *_rms_norm_backward(grad, None, *ctx.saved_tensors), None


_rms_norm.register_autograd(_rms_norm_gradients, setup_context=_keep_rms_norm)


@torch.library.custom_op("minigpt::add_rms_norm", mutates_args=())
def _add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    if _runs("add_rms_norm", x, residual, weight) == "torch":
        total = x + residual
        y, scale = formulas.rms_norm(total, weight, eps)
        return _contiguous(y, total, scale)
    return _kernels(x).rms_norm(x, residual, weight.contiguous(), eps)


@_add_rms_norm.register_fake
def _(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    return _fake_rows(x), _fake_rows(x), _fake_numbers(x)


def _keep_add_rms_norm(ctx, inputs, output) -> None:
    ctx.save_for_backward(output[1], inputs[2], output[2])


def _add_rms_norm_gradients(ctx, grad: Tensor, total_grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    # The sum is linear, so that both of its parts get the same gradient.
    x_grad, weight_grad = _rms_norm_backward(grad, total_grad, *ctx.saved_tensors)
    return x_grad, x_grad, weight_grad, None


_add_rms_norm.register_autograd(_add_rms_norm_gradients, setup_context=_keep_add_rms_norm)
