"""Softmax along the last dimension."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels import reference
from minigpt.kernels.cuda import operations as cuda
from minigpt.kernels.dispatch import implementation
from minigpt.kernels.reference import softmax as formulas


def softmax(x: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows n"]:
    """`exp(x_i) / sum_j exp(x_j)` in each row, safe for large numbers.

    A row that is minus infinity throughout (a query that may look at nothing) gives zeros, where `torch.softmax` gives
    NaN. The kernel keeps a row in registers: it reads each number once and writes one. Rows of more than 16,384 numbers
    are read twice, with the online softmax of Milakov and Gimelshein (2018), algorithm 3.

    Args:
        x: scores, at least one dimension; calculated in float32 at least.

    Raises:
        ValueError: if `x` is a single number, or not of a floating-point type.
    """
    if not x.ndim or not x.is_floating_point():
        raise ValueError(f"softmax of a tensor of shape {tuple(x.shape)} and type {x.dtype}; it takes rows of floats")
    return _softmax(x)


@torch.library.custom_op("minigpt::softmax", mutates_args=())
def _softmax(x: Tensor) -> Tensor:
    runs = implementation(x, operation="softmax", triton_ok=reference.is_single(x), cuda_ok=cuda.takes(x))
    if runs == "torch":
        return formulas.softmax(x).contiguous()
    if runs == "cuda":
        return cuda.softmax(x)
    from minigpt.kernels.triton import softmax as kernels

    return kernels.softmax(x)


@torch.library.custom_op("minigpt::softmax_backward", mutates_args=())
def _softmax_backward(grad: Tensor, y: Tensor) -> Tensor:
    ok = {"triton_ok": reference.is_single(grad, y), "cuda_ok": True}
    if implementation(grad, y, operation="softmax", **ok) != "triton":
        return formulas.softmax_backward(grad, y).contiguous()
    from minigpt.kernels.triton import softmax as kernels

    return kernels.softmax_grad(grad, y.contiguous())


@_softmax.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


@_softmax_backward.register_fake
def _(grad: Tensor, y: Tensor) -> Tensor:
    return torch.empty_like(y, memory_format=torch.contiguous_format)


def _backward(ctx, grad: Tensor) -> Tensor:
    return _softmax_backward(grad, *ctx.saved_tensors)


_softmax.register_autograd(_backward, setup_context=lambda ctx, inputs, output: ctx.save_for_backward(output))
