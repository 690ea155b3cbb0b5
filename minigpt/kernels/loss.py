"""`cross_entropy` and `linear_cross_entropy`: how surprised a model is, without more memory than that takes."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minigpt.kernels.dispatch import implementation
from minigpt.kernels.reference import loss as reference

FLOATS = (torch.float32, torch.bfloat16, torch.float16)
CHUNK = 2**27
"""How many logits `linear_cross_entropy` has at a time, at the most."""


def cross_entropy(
    logits: Float[Tensor, "*batch vocabulary"],
    targets: Int[Tensor, "*batch"],
    *,
    ignored: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Float[Tensor, "*batch"] | Float[Tensor, ""]:
    """`log(sum(exp(logits))) - logits[target]` of every token, in float32 at least.

    Args:
        logits: scores of all words of the vocabulary.
        targets: which word it was. One that is not in the vocabulary makes the loss NaN.
        ignored: a target that does not count.
        reduction: `"mean"` over the tokens that count (NaN if none does), `"sum"`, or `"none"`: all of them.

    Raises:
        ValueError: if the shapes do not fit together, or the reduction is not known.
    """
    if logits.shape[:-1] != targets.shape or not logits.ndim:
        raise ValueError(
            f"logits are {tuple(logits.shape)}, so targets must be {tuple(logits.shape[:-1])}, "
            f"not {tuple(targets.shape)}"
        )
    _check_reduction(reduction, ("mean", "sum", "none"))
    rows = logits.reshape(targets.numel(), logits.shape[-1])
    losses = _cross_entropy(rows, targets.reshape(-1), ignored)[0]
    if reduction == "none":
        return losses.reshape(targets.shape)
    return losses.sum() / (targets != ignored).sum() if reduction == "mean" else losses.sum()


def linear_cross_entropy(
    x: Float[Tensor, "*batch d_model"],
    weight: Float[Tensor, "vocabulary d_model"],
    targets: Int[Tensor, "*batch"],
    *,
    ignored: int = -100,
    reduction: Literal["mean", "sum"] = "mean",
    chunk: int | None = None,
) -> Float[Tensor, ""]:
    """`cross_entropy(x weight^T, targets)`, which never holds all logits (Wijmans et al., 2024; Hsu et al., 2024).

    Logits of a few rows at a time become their own gradient at once, so that the backward pass is a product with one
    number. What is summed over rows is summed in float32.

    Args:
        x: one vector for each token.
        weight: one vector for each word of the vocabulary.
        targets: which word it was. One that is not in the vocabulary makes the loss NaN.
        ignored: a target that does not count.
        reduction: `"mean"` over the tokens that count (NaN if none does), or `"sum"`.
        chunk: rows of logits at a time; by default as many as make 2^27 logits, and at most an eighth of all rows (but
            128 at least).

    Raises:
        ValueError: if shapes or types do not fit together, or the reduction is not known.
    """
    if x.shape[:-1] != targets.shape or weight.ndim != 2 or x.shape[-1:] != weight.shape[1:]:
        raise ValueError(
            f"x is {tuple(x.shape)}, weight {tuple(weight.shape)} and targets {tuple(targets.shape)}; expected "
            "(..., d_model), (vocabulary, d_model) and (...)"
        )
    if x.dtype != weight.dtype:
        raise ValueError(f"x is {x.dtype} and weight {weight.dtype}; convert them to one type")
    _check_reduction(reduction, ("mean", "sum"))
    if chunk is None:
        # A multiple of 128, the height of a tile: one that is mostly empty costs as much as a full one.
        chunk = max(min(CHUNK // max(len(weight), 1), -(-targets.numel() // 8)) // 128 * 128, 128)
    if chunk < 1:
        raise ValueError(f"chunk={chunk} must be at least 1 row")
    trained = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    rows = x.reshape(targets.numel(), x.shape[-1])
    return _linear_cross_entropy(rows, weight, targets.reshape(-1), ignored, reduction == "mean", chunk, trained)[0]


def _check_reduction(reduction: str, known: tuple[str, ...]) -> None:
    if reduction not in known:
        raise ValueError(f"reduction={reduction!r} is not known; expected one of {', '.join(known)}")


@torch.library.custom_op("minigpt::cross_entropy", mutates_args=())
def _cross_entropy(logits: Tensor, targets: Tensor, ignored: int) -> tuple[Tensor, Tensor]:
    if _runs_on(logits, targets, operation="cross_entropy") == "torch":
        return reference.cross_entropy(logits, targets, ignored)
    from minigpt.kernels.triton import loss as kernel

    return kernel.cross_entropy(logits if logits.stride(1) == 1 else logits.contiguous(), targets, ignored)


@_cross_entropy.register_fake
def _(logits, targets, ignored):
    losses = logits.new_empty(len(logits), dtype=torch.promote_types(logits.dtype, torch.float32))
    return losses, torch.empty_like(losses)


@torch.library.custom_op("minigpt::cross_entropy_backward", mutates_args=())
def _cross_entropy_backward(grad: Tensor, logits: Tensor, targets: Tensor, lse: Tensor, ignored: int) -> Tensor:
    if _runs_on(logits, targets, operation="cross_entropy") == "torch":
        return reference.cross_entropy_backward(grad, logits, targets, lse, ignored).contiguous()
    from minigpt.kernels.triton import loss as kernel

    logits = logits if logits.stride(1) == 1 else logits.contiguous()
    return kernel.cross_entropy_backward(grad, logits, targets, lse, ignored)


@_cross_entropy_backward.register_fake
def _(grad, logits, targets, lse, ignored):
    return torch.empty_like(logits, memory_format=torch.contiguous_format)


def _setup(ctx, inputs, output) -> None:
    logits, targets, ctx.ignored = inputs
    ctx.save_for_backward(logits, targets, output[1])
    ctx.mark_non_differentiable(output[1])


def _backward(ctx, grad, _):
    return _cross_entropy_backward(grad, *ctx.saved_tensors, ctx.ignored), None, None


_cross_entropy.register_autograd(_backward, setup_context=_setup)


@torch.library.custom_op("minigpt::linear_cross_entropy", mutates_args=())
def _linear_cross_entropy(
    x: Tensor, weight: Tensor, targets: Tensor, ignored: int, mean: bool, chunk: int, trained: bool
) -> tuple[Tensor, Tensor, Tensor]:
    wide = torch.promote_types(x.dtype, torch.float32)
    count = (targets != ignored).sum().to(wide)
    factor = 1 / count if mean else torch.ones_like(count)
    if _runs_on(x, weight, targets, operation="linear_cross_entropy") == "torch":
        operation = reference.linear_cross_entropy
    else:
        from minigpt.kernels.triton.loss import linear_cross_entropy as operation
    losses, grad_x, grad_weight = operation(x, weight, targets, factor, ignored, chunk, trained)
    loss = losses.sum() / count if mean else losses.sum()
    return loss, *((grad_x, grad_weight) if trained else (x.new_empty(0), x.new_empty(0)))


@_linear_cross_entropy.register_fake
def _(x, weight, targets, ignored, mean, chunk, trained):
    loss = x.new_empty((), dtype=torch.promote_types(x.dtype, torch.float32))
    if not trained:
        return loss, x.new_empty(0), x.new_empty(0)
    return loss, *(torch.empty_like(y, memory_format=torch.contiguous_format) for y in (x, weight))


def _setup_linear(ctx, inputs, output) -> None:
    ctx.save_for_backward(*output[1:])
    ctx.mark_non_differentiable(*output[1:])


def _backward_linear(ctx, grad, *_):
    grad_x, grad_weight = ctx.saved_tensors
    return (grad_x * grad).to(grad_x.dtype), (grad_weight * grad).to(grad_weight.dtype), None, None, None, None, None


_linear_cross_entropy.register_autograd(_backward_linear, setup_context=_setup_linear)


def _runs_on(*tensors: Tensor, operation: str) -> str:
    dot = operation == "linear_cross_entropy"
    return implementation(*tensors, operation=operation, triton_ok=tensors[0].dtype in FLOATS, dot=dot)
