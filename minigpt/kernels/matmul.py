"""`matmul`: a product of matrices, with bias, GELU and residual in the same kernel."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels.cuda import operations as cuda
from minigpt.kernels.dispatch import implementation
from minigpt.kernels.reference import matmul as reference

Activation = Literal["gelu", "gelu_tanh"]
FLOATS = (torch.float32, torch.bfloat16, torch.float16)
"""The types that the Triton kernels with products of matrices take."""


def matmul(
    a: Float[Tensor, "*batch m k"],
    b: Float[Tensor, "k n"],
    *,
    bias: Float[Tensor, " n"] | None = None,
    residual: Float[Tensor, "*batch m n"] | None = None,
    activation: Activation | None = None,
) -> Float[Tensor, "*batch m n"]:
    """`activation(a b + bias) + residual`, written to memory once.

    The product is summed in float32 whatever the type of the operands, and what follows it is calculated there too. A
    linear map is `matmul(x, weight.T, bias=bias)`: operands may have any strides.

    Args:
        a: left matrix, or a batch of them.
        b: right matrix.
        bias: added to every row.
        residual: added last.
        activation: `None`, `"gelu"` (exact) or `"gelu_tanh"` (Hendrycks and Gimpel, 2016).

    Raises:
        ValueError: if shapes or types do not fit together, or the activation is not known.
    """
    if a.ndim < 2 or b.ndim != 2 or a.shape[-1] != b.shape[0]:
        raise ValueError(f"a is {tuple(a.shape)} and b {tuple(b.shape)}; expected (..., m, k) and (k, n)")
    if activation not in (None, "gelu", "gelu_tanh"):
        raise ValueError(f"activation={activation!r} is not known; expected None, 'gelu' or 'gelu_tanh'")
    shape = (*a.shape[:-1], b.shape[1])
    for name, tensor, expected in (("bias", bias, shape[-1:]), ("residual", residual, shape)):
        if tensor is not None and tensor.shape != expected:
            raise ValueError(f"{name} is {tuple(tensor.shape)}, expected {tuple(expected)}")
    others = [tensor for tensor in (b, bias, residual) if tensor is not None]
    if any(tensor.dtype != a.dtype for tensor in others):
        raise ValueError(f"a is {a.dtype}, the others {', '.join(str(t.dtype) for t in others)}; convert to one type")
    flat = None if residual is None else residual.flatten(0, -2)
    trained = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (a, *others))
    save = trained and activation is not None
    return _matmul(a.flatten(0, -2), b, bias, flat, activation, save)[0].reshape(shape)


@torch.library.custom_op("minigpt::matmul", mutates_args=())
def _matmul(
    a: Tensor, b: Tensor, bias: Tensor | None, residual: Tensor | None, activation: str | None, save: bool
) -> tuple[Tensor, Tensor]:
    # The second result is what the activation was given, for the backward pass; empty unless it is to be saved.
    ok = {"triton_ok": a.dtype in FLOATS, "cuda_ok": cuda.takes(a, b, bias, residual, half=True)}
    runs = implementation(a, b, bias, residual, operation="matmul", dot=True, **ok)
    if runs == "torch":
        y, z = reference.matmul(a, b, bias, residual, activation)
    elif runs == "cuda":
        y, z = cuda.matmul(a, b, bias, residual, activation)
    else:
        from minigpt.kernels.triton import matmul as kernel

        y, z = kernel.matmul(a, b, bias, residual, activation, save_z=save)
    return y, (z if save else a.new_empty(0))


@_matmul.register_fake
def _(a, b, bias, residual, activation, save):
    y = a.new_empty(a.shape[0], b.shape[1])
    return y, (torch.empty_like(y) if save else a.new_empty(0))


def _setup(ctx, inputs, output) -> None:
    a, b, bias, residual, ctx.activation, _ = inputs
    ctx.has_bias, ctx.has_residual = bias is not None, residual is not None
    ctx.save_for_backward(a, b, output[1])
    ctx.mark_non_differentiable(output[1])


def _backward(ctx, grad, _):
    a, b, z = ctx.saved_tensors
    grad_z = grad
    if ctx.activation is not None:
        approximate = reference.approximation(ctx.activation)
        grad_z = torch.ops.aten.gelu_backward(grad, z, approximate=approximate)
    needs_a, needs_b, needs_bias, *_ = ctx.needs_input_grad
    return (
        _matmul(grad_z, b.T, None, None, None, False)[0] if needs_a else None,
        _matmul(a.T, grad_z, None, None, None, False)[0] if needs_b else None,
        grad_z.sum(0) if ctx.has_bias and needs_bias else None,
        grad if ctx.has_residual else None,
        None,
        None,
    )


_matmul.register_autograd(_backward, setup_context=_setup)
