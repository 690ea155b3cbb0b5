"""Cross-entropy of rows of logits: one pass with an online sum, and a second one for the gradient.

The linear map before it can be part of it (`linear_cross_entropy`): the logits of a few rows at a time are calculated,
turned into their own gradient where they lie, and multiplied on to the gradients of vectors and weights. So the whole
matrix of logits, the largest thing in the training of a small model, never exists (Wijmans et al., 2024; Hsu et al.,
2024).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.descriptors import empty
from minigpt.kernels.triton.matmul import matmul

LONGEST_BLOCK = 4096


@triton.jit
def cross_entropy_forward(logits, targets, losses, lse, stride, vocabulary, ignored, BLOCK: tl.constexpr):
    """One program a row: the largest logit and the sum of exponentials, kept up to date over blocks of the row."""
    row = tl.program_id(0).to(tl.int64)
    logits += row * stride
    largest = float("-inf")
    total = 0.0
    for start in tl.range(0, vocabulary, BLOCK):
        at = start + tl.arange(0, BLOCK)
        values = tl.load(logits + at, mask=at < vocabulary, other=float("-inf")).to(tl.float32)
        larger = tl.maximum(largest, tl.max(values, 0))
        # Where all so far is -inf, subtracting it would give NaN.
        base = tl.where(larger == float("-inf"), 0.0, larger)
        total = total * tl.exp(largest - base) + tl.sum(tl.exp(values - base), 0)
        largest = larger
    log_sum = largest + tl.log(total)
    target = tl.load(targets + row)
    inside = (target >= 0) & (target < vocabulary)
    hit = tl.load(logits + target, mask=inside, other=float("nan")).to(tl.float32)
    tl.store(lse + row, log_sum)
    tl.store(losses + row, tl.where(target == ignored, 0.0, tl.where(inside, log_sum - hit, float("nan"))))


@triton.jit
def cross_entropy_gradient(
    logits, targets, lse, grad, slopes, stride, stride_grad, vocabulary, ignored, BLOCK: tl.constexpr
):
    """A block of a row: probabilities less 1 at the target, times the gradient. `slopes` may be `logits` itself."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    target = tl.load(targets + row)
    factor = tl.load(grad + row * stride_grad).to(tl.float32)
    values = tl.load(logits + row * stride + at, mask=at < vocabulary, other=0.0).to(tl.float32)
    slope = (tl.exp(values - tl.load(lse + row)) - tl.where(at == target, 1.0, 0.0)) * factor
    slope = tl.where(target == ignored, 0.0, slope)
    tl.store(slopes + row * vocabulary + at, slope.to(slopes.dtype.element_ty), mask=at < vocabulary)


_forward, _gradient = Launcher(cross_entropy_forward), Launcher(cross_entropy_gradient)


def cross_entropy(logits: Tensor, targets: Tensor, ignored: int) -> tuple[Tensor, Tensor]:
    """Launch the forward kernel: the loss of each row, and the logarithm of its sum of exponentials.

    Args:
        logits: one row for each token; the last dimension is in one piece.
        targets: what the token is.
        ignored: a target whose loss is 0.
    """
    rows, vocabulary = logits.shape
    losses, lse = (empty(logits, rows, dtype=torch.float32) for _ in range(2))
    if rows:
        block = min(triton.next_power_of_2(max(vocabulary, 1)), LONGEST_BLOCK)
        _forward[(rows,)](
            logits,
            targets.contiguous(),
            losses,
            lse,
            logits.stride(0),
            vocabulary,
            ignored,
            BLOCK=block,
            num_warps=8 if block >= 2048 else 4,
        )
    return losses, lse


def cross_entropy_backward(
    grad: Tensor, logits: Tensor, targets: Tensor, lse: Tensor, ignored: int, out: Tensor | None = None
) -> Tensor:
    """Launch the kernel of the gradient.

    Args:
        grad: gradient of each loss; it may be one number, repeated with stride 0.
        logits: as in the forward pass; so are the rest.
        targets: likewise.
        lse: likewise.
        ignored: a target whose row has no gradient.
        out: where the gradient goes; it may be the logits, if they lie in one piece.
    """
    rows, vocabulary = logits.shape
    slopes = empty(logits, rows, vocabulary) if out is None else out
    if slopes.numel():
        block = min(triton.next_power_of_2(vocabulary), LONGEST_BLOCK)
        _gradient[(rows, triton.cdiv(vocabulary, block))](
            logits,
            targets.contiguous(),
            lse,
            grad,
            slopes,
            logits.stride(0),
            grad.stride(0),
            vocabulary,
            ignored,
            BLOCK=block,
            num_warps=8 if block >= 2048 else 4,
        )
    return slopes


def linear_cross_entropy(
    x: Tensor, weight: Tensor, targets: Tensor, factor: Tensor, ignored: int, rows: int, gradients: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The losses of `x weight^T`, and the gradients of `x` and `weight` for `factor` times their sum.

    Args:
        x: one vector for each token.
        weight: one vector for each word of the vocabulary.
        targets: what the token is.
        factor: one number, in float32.
        ignored: a target whose loss is 0.
        rows: how many rows of logits exist at a time.
        gradients: whether the gradients are wanted.
    """
    losses = empty(x, len(x), dtype=torch.float32)
    grad_x = torch.empty_like(x, memory_format=torch.contiguous_format) if gradients else None
    # Summed over all pieces in float32, whatever the type of the weights.
    grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=x.device) if gradients else None
    for start in range(0, len(x), rows):
        piece = slice(start, min(start + rows, len(x)))
        logits, _ = matmul(x[piece], weight.T)
        losses[piece], lse = cross_entropy(logits, targets[piece], ignored)
        if gradients:
            slopes = cross_entropy_backward(
                factor.expand(len(logits)), logits, targets[piece], lse, ignored, out=logits
            )
            matmul(slopes, weight, out=grad_x[piece])
            matmul(slopes.T, x[piece], residual=grad_weight, out=grad_weight)
    return losses, grad_x, grad_weight if grad_weight is None else grad_weight.to(weight.dtype)


SIGNATURES = [
    Compilation(
        cross_entropy_forward,
        {
            "logits": "*bf16",
            "targets": "*i64",
            **dict.fromkeys(("losses", "lse"), "*fp32"),
            **dict.fromkeys(("stride", "vocabulary"), "i32:16"),
            "ignored": "i32",
        },
        {"BLOCK": LONGEST_BLOCK},
        num_warps=8,
    ),
    Compilation(
        cross_entropy_gradient,
        {
            **dict.fromkeys(("logits", "slopes"), "*bf16"),
            "targets": "*i64",
            **dict.fromkeys(("lse", "grad"), "*fp32"),
            **dict.fromkeys(("stride", "vocabulary"), "i32:16"),
            **dict.fromkeys(("stride_grad", "ignored"), "i32"),
        },
        {"BLOCK": LONGEST_BLOCK},
        num_warps=8,
    ),
]
