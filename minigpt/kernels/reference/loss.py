"""Cross-entropy, from logits and from the vectors before the last linear map, in plain PyTorch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def cross_entropy(
    logits: Float[Tensor, "n vocabulary"], targets: Int[Tensor, " n"], ignored: int
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """For each row `log(sum(exp(logits))) - logits[target]`, and that logarithm.

    Args:
        logits: one row for each token.
        targets: what the token is; NaN is the loss of one that is not in the vocabulary.
        ignored: a target whose loss is 0.
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    vocabulary = logits.shape[1]
    lse = wide.logsumexp(1)
    inside = (targets >= 0) & (targets < vocabulary)
    if not vocabulary:
        return torch.where(targets == ignored, 0.0, lse.new_full(lse.shape, torch.nan)), lse
    losses = lse - wide.gather(1, targets.where(inside, 0)[:, None])[:, 0]
    return losses.where(inside, torch.nan).masked_fill(targets == ignored, 0), lse


def cross_entropy_backward(
    grad: Float[Tensor, " n"],
    logits: Float[Tensor, "n vocabulary"],
    targets: Int[Tensor, " n"],
    lse: Float[Tensor, " n"],
    ignored: int,
) -> Float[Tensor, "n vocabulary"]:
    """Gradient of the logits: the probabilities, less 1 at the target, times the gradient of the row's loss.

    Args:
        grad: gradient of each loss.
        logits: as in the forward pass; so are the rest.
        targets: likewise.
        lse: the logarithms that the forward pass gave.
        ignored: a target whose row has no gradient.
    """
    probabilities = (logits.to(lse.dtype) - lse[:, None]).exp()
    hit = torch.arange(logits.shape[1], device=logits.device) == targets[:, None]
    slope = (probabilities - hit.to(lse.dtype)) * grad[:, None]
    return slope.masked_fill((targets == ignored)[:, None], 0).to(logits.dtype)


def linear_cross_entropy(
    x: Float[Tensor, "n d_model"],
    weight: Float[Tensor, "vocabulary d_model"],
    targets: Int[Tensor, " n"],
    factor: Float[Tensor, ""],
    ignored: int,
    rows: int,
    gradients: bool,
) -> tuple[Float[Tensor, " n"], Tensor | None, Tensor | None]:
    """The losses of `x weight^T`, and the gradients of `x` and `weight` for `factor` times their sum, piece by piece.

    Args:
        x: one vector for each token.
        weight: one vector for each word of the vocabulary.
        targets: what the token is.
        factor: one number.
        ignored: a target whose loss is 0.
        rows: how many rows of logits exist at a time.
        gradients: whether the gradients are wanted.
    """
    losses = torch.empty(len(x), dtype=factor.dtype, device=x.device)
    grad_x = torch.empty_like(x, memory_format=torch.contiguous_format) if gradients else None
    grad_weight = torch.zeros(weight.shape, dtype=factor.dtype, device=x.device) if gradients else None
    for start in range(0, len(x), rows):
        piece = slice(start, start + rows)
        logits = x[piece] @ weight.T
        losses[piece], lse = cross_entropy(logits, targets[piece], ignored)
        if gradients:
            slopes = cross_entropy_backward(factor.expand(len(logits)), logits, targets[piece], lse, ignored)
            grad_x[piece] = slopes @ weight
            grad_weight += slopes.T @ x[piece]
    return losses, grad_x, grad_weight if grad_weight is None else grad_weight.to(weight.dtype)
