"""What training makes small: the mean surprise of a language model at the tokens that come."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from minigpt.data.loader import IGNORED
from minigpt.kernels.dispatch import asked_for
from minigpt.kernels.loss import cross_entropy


def language_model_loss(
    logits: Float[Tensor, "*batch vocab_size"],
    targets: Int[Tensor, "*batch"],
    *,
    z_loss: float = 0.0,
    reduction: Literal["mean", "sum"] = "mean",
) -> Float[Tensor, ""]:
    """Cross-entropy in nats: the mean of `-log P(target)` over the positions that count (Radford et al., 2018, eq. 1).

    Computed in float32 whatever the logits are, since a sum over a vocabulary loses too much in half precision.

    Args:
        logits: of the next token, at every position.
        targets: the token that came, or -100 where there is nothing to predict.
        z_loss: weight of the mean of `(log Z)^2`, where `Z` is the sum of the exponentials of the logits: it keeps them
            from drifting away together, which changes no probability (de Brebisson and Vincent, 2016; PaLM has 1e-4).
        reduction: `"mean"` over the positions that count, or their `"sum"`.

    Raises:
        ValueError: if no position counts and a mean is asked for, or `reduction` is not known.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction={reduction!r} is not known; use 'mean' or 'sum'")
    logits, targets = logits.flatten(0, -2), targets.flatten()
    if asked_for():
        total = cross_entropy(logits, targets, ignored=IGNORED, reduction="sum")
    else:
        total = F.cross_entropy(logits.float(), targets, ignore_index=IGNORED, reduction="sum")
    if z_loss:
        counts = targets != IGNORED
        total = total + z_loss * (torch.logsumexp(logits.float(), dim=-1).square() * counts).sum()
    if reduction == "sum":
        return total
    n = int((targets != IGNORED).sum())
    if n == 0:
        raise ValueError(f"all {targets.numel()} targets are {IGNORED}: there is nothing to predict, and no mean")
    return total / n
