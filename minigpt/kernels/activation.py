"""The functions between two linear maps: GELU, and the gate of SwiGLU."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels import reference
from minigpt.kernels.dispatch import Implementation, implementation
from minigpt.kernels.reference import activation as formulas
from minigpt.kernels.reference.activation import Approximation


def gelu(x: Float[Tensor, "*shape"], approximate: Approximation = "none") -> Float[Tensor, "*shape"]:
    """`x P(X <= x)` for a standard normal `X` (Hendrycks and Gimpel, 2016, section 2).

    Args:
        x: any numbers; calculated in float32 at least.
        approximate: `"none"`, or `"tanh"` for `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, as in GPT-2.

    Raises:
        ValueError: if the form is not known, or `x` not of a floating-point type.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"approximate={approximate!r} is not known; use 'none' or 'tanh'")
    if not x.is_floating_point():
        raise ValueError(f"x is {x.dtype}; it must be of a floating-point type")
    return _gelu(x, approximate == "tanh")


def swiglu(gate: Float[Tensor, "*shape"], up: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`gate sigmoid(gate) up`, the middle of SwiGLU (Shazeer, 2020, equation 6), in one pass over memory.

    The backward pass keeps the two inputs alone and calculates the rest again.

    Args:
        gate: what opens or closes; calculated in float32 at least.
        up: what passes, of the same shape and type. Both may be parts of one wider tensor.

    Raises:
        ValueError: if shapes or types differ, or are not of floating-point numbers.
    """
    if gate.shape != up.shape or gate.dtype != up.dtype or not gate.is_floating_point():
        raise ValueError(
            f"gate is {tuple(gate.shape)} {gate.dtype}, up is {tuple(up.shape)} {up.dtype}; they must be alike"
        )
    return _swiglu(gate, up)


def _runs(name: str, *tensors: Tensor) -> Implementation:
    return implementation(*tensors, operation=name, triton_ok=reference.is_single(*tensors))


def _fake(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _form(tanh: bool) -> Approximation:
    return "tanh" if tanh else "none"


@torch.library.custom_op("minigpt::gelu", mutates_args=())
def _gelu(x: Tensor, tanh: bool) -> Tensor:
    if _runs("gelu", x) == "torch":
        return formulas.gelu(x, _form(tanh)).contiguous()
    from minigpt.kernels.triton import activation as kernels

    return kernels.gelu(x, tanh)


@_gelu.register_fake
def _(x: Tensor, tanh: bool) -> Tensor:
    return _fake(x)


@torch.library.custom_op("minigpt::gelu_backward", mutates_args=())
def _gelu_backward(grad: Tensor, x: Tensor, tanh: bool) -> Tensor:
    if _runs("gelu", grad, x) == "torch":
        return formulas.gelu_backward(grad, x, _form(tanh)).contiguous()
    from minigpt.kernels.triton import activation as kernels

    return kernels.gelu_grad(grad, x, tanh)


@_gelu_backward.register_fake
def _(grad: Tensor, x: Tensor, tanh: bool) -> Tensor:
    return _fake(x)


def _keep_gelu(ctx, inputs, output) -> None:
    x, ctx.tanh = inputs
    ctx.save_for_backward(x)


def _gelu_gradient(ctx, grad: Tensor) -> tuple[Tensor, None]:
    return _gelu_backward(grad, *ctx.saved_tensors, ctx.tanh), None


_gelu.register_autograd(_gelu_gradient, setup_context=_keep_gelu)


@torch.library.custom_op("minigpt::swiglu", mutates_args=())
def _swiglu(gate: Tensor, up: Tensor) -> Tensor:
    if _runs("swiglu", gate, up) == "torch":
        return formulas.swiglu(gate, up).contiguous()
    from minigpt.kernels.triton import activation as kernels

    return kernels.swiglu(gate, up)


@_swiglu.register_fake
def _(gate: Tensor, up: Tensor) -> Tensor:
    return _fake(gate)


@torch.library.custom_op("minigpt::swiglu_backward", mutates_args=())
def _swiglu_backward(grad: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    if _runs("swiglu", grad, gate, up) == "torch":
        gate_grad, up_grad = formulas.swiglu_backward(grad, gate, up)
        return gate_grad.contiguous(), up_grad.contiguous()
    from minigpt.kernels.triton import activation as kernels

    return kernels.swiglu_grad(grad, gate, up)


@_swiglu_backward.register_fake
def _(grad: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    return _fake(gate), _fake(up)


def _keep_swiglu(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs)


def _swiglu_gradients(ctx, grad: Tensor) -> tuple[Tensor, Tensor]:
    return _swiglu_backward(grad, *ctx.saved_tensors)


_swiglu.register_autograd(_swiglu_gradients, setup_context=_keep_swiglu)
