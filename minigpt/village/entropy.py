"""The true entropy of the village's stories, measured: the loss that no model can go below."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from minigpt.village.derivations import Search
from minigpt.village.reader import counts, score
from minigpt.village.stories import grammar, stories

STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145),
    *(2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048),
)
"""Half the width, in standard errors, of the middle 95 % of Student's t with 1 to 28 degrees of freedom."""


class Estimate(NamedTuple):
    """A mean over stories with half the width of its 95 % confidence interval."""

    mean: float
    half_width: float


class Entropy(NamedTuple):
    """Entropy in nats, begin and end of the story included.

    Attributes:
        per_story: mean of `-log_prob` over stories.
        per_byte: nats per byte of UTF-8, the end counted as one byte.
        per_token: nats per token, or `None` without a token counter.
        without_state: the same three for the reader without the state, or `None` if not asked for.
    """

    per_story: Estimate
    per_byte: Estimate
    per_token: Estimate | None
    without_state: Entropy | None


def entropy(
    size: str = "village",
    n: int = 2000,
    seed: int = 0,
    *,
    count_tokens: Callable[[str], int] | None = None,
    without_state: bool = False,
) -> Entropy:
    """Estimate the entropy of the stories of a size from `n` of them.

    Args:
        size: `"hamlet"`, `"village"` or `"town"`.
        n: number of stories, at least 2.
        seed: as in `stories`.
        count_tokens: text to the number of tokens that a model predicts for it, the end-of-text token included.
        without_state: whether to score the stories also for the reader without the state (about 100 times slower).

    Raises:
        ValueError: if `n` is under 2 or the size is unknown.
    """
    if n < 2:
        raise ValueError(f"n={n} stories give no interval; use at least 2")
    told = list(stories(n, seed, size))
    sizes = [len(story.text.encode()) + 1 for story in told]
    tokens = [count_tokens(story.text) for story in told] if count_tokens else None
    exact = _estimates([-story.log_prob for story in told], sizes, tokens)
    if not without_state:
        return exact
    search, stored = Search(grammar(size)), counts(size)
    free = [-score(next(search.derivations(story.text)), stored) for story in told]
    return exact._replace(without_state=_estimates(free, sizes, tokens))


def _estimates(nats: Sequence[float], sizes: Sequence[int], tokens: Sequence[int] | None) -> Entropy:
    per_token = ratio(nats, tokens) if tokens else None
    return Entropy(ratio(nats, [1] * len(nats)), ratio(nats, sizes), per_token, None)


def ratio(values: Sequence[float], weights: Sequence[float]) -> Estimate:
    """The sum of values over the sum of weights, as an estimate of the ratio of their means.

    The variance is, to first order, that of the residuals (Cochran, Sampling Techniques, 1977, section 6.3). Below 30
    units, the 95 % interval takes the factor of Student's t with `n - 1` degrees of freedom, since the variance is a
    guess too; from 30 on that of the normal distribution, 1.96.

    Args:
        values: one for each unit that was drawn, such as the nats of a document.
        weights: one for each unit, such as its tokens; all 1 for a plain mean.

    Returns:
        The ratio; from a single unit, with an infinite half-width.

    Raises:
        ValueError: if there is no unit.
    """
    if not values:
        raise ValueError("there are no values to estimate from")
    n, total = len(values), math.fsum(weights)
    mean = math.fsum(values) / total
    squares = math.fsum((value - mean * weight) ** 2 for value, weight in zip(values, weights, strict=True))
    factor = STUDENT[n - 2] if 2 <= n <= len(STUDENT) + 1 else 1.96
    half_width = factor * math.sqrt(squares / (n - 1) / n) / (total / n) if n > 1 else math.inf
    return Estimate(mean, half_width)
