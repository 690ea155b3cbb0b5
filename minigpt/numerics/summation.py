"""Adding many numbers in a format with few digits: five orders of the same additions, with very different errors."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minigpt.numerics.formats import Format

Method = Literal["naive", "pairwise", "blocked", "kahan", "neumaier"]
"""How to add up; see `total`."""


def total(
    values: ArrayLike,
    form: Format,
    method: Method = "naive",
    *,
    block: int = 32,
    rounding: Literal["nearest even", "stochastic"] = "nearest even",
    generator: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    """The sum over the last dimension, with every addition rounded to a format.

    - `"naive"`: one after the other. Error at most about `n u` times the sum of sizes, `u` half of epsilon.
    - `"pairwise"`: the sums of two halves, and so on down: at most about `log2(n) u` (Higham, 2002, section 4.2).
    - `"blocked"`: sums of blocks of `block` values, then the sum of these, each naively.
    - `"kahan"`: naive, but what rounding took away from the sum is kept and given to the next value (Kahan, 1965): at
      most `2 u` and a term of the order of `n u^2` (Higham, 2002, section 4.3), so about `2 u` as long as `n u` is
      small. In a short format it is not: 131,072 ones in BF16 add up to 65,536.
    - `"neumaier"`: the same, but what was lost is collected until the end, and is right when the value is larger than
      the sum, too (Neumaier, 1974). What was lost is itself a naive sum in the format: at most about `u` and a term of
      the order of `n^2 u^2`, so in a short format this stagnates long before Kahan's sum does.

    After an overflow the last two give NaN where the others give an infinity.

    An addition is made in float64 and rounded once. For formats of at most 25 digits that is the addition of the format
    itself (Figueroa, 1995), and for FP64 the machine's own.

    Args:
        values: shape `(..., n)`; first rounded to the format, to nearest.
        form: the format of values, sums and corrections.
        method: the order.
        block: how many values a block has, at least 1.
        rounding: of each addition.
        generator: for stochastic rounding.

    Returns:
        Shape `(...)`; zeros where `n` is 0.

    Raises:
        ValueError: if the method is unknown, the block is empty, the values are a single number, or stochastic
            rounding has no generator.
    """
    if method not in get_args(Method):
        raise ValueError(f"method={method!r} is unknown; choose one of {', '.join(map(repr, get_args(Method)))}")
    if block < 1:
        raise ValueError(f"block={block} must be at least 1")
    if rounding not in ("nearest even", "stochastic"):
        raise ValueError(f"rounding={rounding!r}; a sum is rounded to 'nearest even' or by 'stochastic' rounding")

    def rounded(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return form.round(x, rounding, generator=generator)

    values = form.round(values)
    if not values.ndim:
        raise ValueError(f"a sum of the single number {values}; expected an array with at least one dimension")
    rows = np.moveaxis(values, -1, 0)  # the summands come first, so that rows[i] is the i-th
    match method:
        case "naive":
            return _naive(rows, rounded)
        case "pairwise":
            return _pairwise(rows, rounded)
        case "blocked":
            parts = [_naive(rows[i : i + block], rounded) for i in range(0, len(rows), block)]
            return _naive(np.array(parts).reshape(len(parts), *rows.shape[1:]), rounded)
        case "kahan":
            return _kahan(rows, rounded)
    return _neumaier(rows, rounded)


def _naive(rows, rounded):
    result = np.zeros(rows.shape[1:])
    for row in rows:
        result = rounded(result + row)
    return result


def _pairwise(rows, rounded):
    # From the leaves up: neighbours are added, and an odd one out waits for the next round.
    if not len(rows):
        return np.zeros(rows.shape[1:])
    while len(rows) > 1:
        pairs = rounded(rows[0 : len(rows) // 2 * 2 : 2] + rows[1::2])
        rows = np.concatenate([pairs, rows[len(rows) // 2 * 2 :]])
    return rows[0]


def _kahan(rows, rounded):
    result = lost = np.zeros(rows.shape[1:])
    for row in rows:
        wanted = rounded(row - lost)
        raised = rounded(result + wanted)
        lost = rounded(rounded(raised - result) - wanted)
        result = raised
    return result


def _neumaier(rows, rounded):
    result = lost = np.zeros(rows.shape[1:])
    for row in rows:
        raised = rounded(result + row)
        large, small = np.where(abs(result) >= abs(row), (result, row), (row, result))
        lost = rounded(lost + rounded(rounded(large - raised) + small))
        result = raised
    return rounded(result + lost)
