"""How much of a score is chance: intervals for shares and means, and tests of whether two differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigpt.village.entropy import Estimate, ratio

Z95 = 1.959963984540054
"""Half the width, in standard deviations, of the middle 95 % of a normal distribution."""


class Interval(NamedTuple):
    """An estimate and the 95 % confidence interval around it."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


class McNemar(NamedTuple):
    """A comparison of two on the same questions.

    Attributes:
        only_first: questions that only the first has right.
        only_second: questions that only the second has right.
        p_value: chance of a split at least so uneven if each of these questions were a fair coin.
    """

    only_first: int
    only_second: int
    p_value: float


def wilson(right: float | int, n: int) -> Interval:
    """The 95 % confidence interval of a share (Wilson, 1927): it stays within 0 and 1, and has a width at either end.

    It holds the shares `p` from which `right / n` is less than 1.96 standard deviations `sqrt(p (1 - p) / n)` away.

    Args:
        right: how many of them, from 0 to `n`; a tie may count as a part of one.
        n: number of questions, at least 1.

    Raises:
        ValueError: if a number is out of range.
    """
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"right={right} of n={n}: n must be at least 1, and right from 0 to n")
    share, weight = right / n, Z95**2 / n
    centre = (share + weight / 2) / (1 + weight)
    half = Z95 * math.sqrt(share * (1 - share) / n + weight / n / 4) / (1 + weight)
    # At the ends, rounding would leave the estimate just outside.
    return Interval(share, min(share, centre - half), max(share, centre + half))


def bootstrap(values: Sequence[float | int] | np.ndarray, *, seed: int, n_draws: int = 2000) -> Interval:
    """The 95 % interval of a mean, from means of as many values drawn with replacement (Efron, 1979; percentiles).

    Args:
        values: one for each unit (question, document), at least one.
        seed: decides the draws.
        n_draws: how many means.

    Raises:
        ValueError: if there is no value, or `n_draws` is smaller than 1.
    """
    if not len(values) or n_draws < 1:
        raise ValueError(f"{len(values)} values and n_draws={n_draws} must both be at least 1")
    data = np.asarray(values, dtype=np.float64)
    generator = np.random.default_rng(seed)
    # Some means at a time, so that memory does not grow with their number.
    step = max(1, (1 << 20) // len(data))
    means = np.concatenate(
        [
            data[generator.integers(len(data), size=(min(step, n_draws - done), len(data)))].mean(axis=1)
            for done in range(0, n_draws, step)
        ]
    )
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(data.mean()), float(low), float(high))


def paired_difference(
    first: Sequence[float | int] | np.ndarray, second: Sequence[float | int] | np.ndarray
) -> Estimate:
    """The mean of `first - second` over the same units, with half the width of its 95 % confidence interval.

    What makes a question hard for both cancels, so the interval is narrower than that of two separate shares.

    Raises:
        ValueError: if the two are not of the same length, or empty.
    """
    return ratio(_differences(first, second), [1] * len(first))


def mcnemar(first: Sequence[float | int] | np.ndarray, second: Sequence[float | int] | np.ndarray) -> McNemar:
    """Whether two that answer the same questions differ (McNemar, 1947; the exact test).

    Only questions that one of them has right and the other wrong say anything. If the two were equally good, each of
    these would be a fair coin.

    Args:
        first: 1 for a right answer, 0 for a wrong one; of a tie, the larger part decides.
        second: the same for the other.

    Raises:
        ValueError: if the two are not of the same length, or empty.
    """
    differences = _differences(first, second)
    ahead, behind = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    n, k = ahead + behind, min(ahead, behind)
    # Whole numbers, which Python divides exactly whatever their size: as floats they would overflow.
    tail = sum(math.comb(n, i) for i in range(k + 1))
    return McNemar(ahead, behind, min(1.0, 2 * tail / (1 << n)))


def _differences(first: Sequence[float | int] | np.ndarray, second: Sequence[float | int] | np.ndarray) -> list[float]:
    if len(first) != len(second) or not len(first):
        raise ValueError(
            f"{len(first)} and {len(second)} answers: both must answer the same questions, in the same order"
        )
    return [float(a) - float(b) for a, b in zip(first, second, strict=True)]
