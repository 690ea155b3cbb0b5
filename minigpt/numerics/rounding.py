"""Rounding to a grid: the one step in which every loss of floating-point arithmetic happens."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rounding = Literal["nearest even", "nearest away", "toward zero", "up", "down", "stochastic"]
"""The five directions of IEEE 754-2019, section 4.3, and rounding by chance."""


def round_to_integer(
    values: ArrayLike, rounding: Rounding = "nearest even", generator: np.random.Generator | None = None
) -> NDArray[np.float64]:
    """Round float64 values to whole numbers; the sign of a zero stays.

    Args:
        values: any shape; infinities and NaN stay what they are.
        rounding: to the nearest, with ties to the even number or away from zero; toward zero; toward plus infinity
            (`"up"`) or minus infinity (`"down"`); or `"stochastic"`: to one of the two neighbours, to the upper one
            with the probability that makes the expected value right (Gupta et al., 2015, section 3.1).
        generator: where stochastic rounding draws from, one number for each value.

    Raises:
        ValueError: if the rounding is unknown, or stochastic without a generator.
    """
    values = np.asarray(values, np.float64)
    match rounding:
        case "nearest even":
            return np.rint(values)
        case "toward zero":
            return np.trunc(values)
        case "up":
            return np.ceil(values)
        case "down":
            return np.floor(values)
        case "nearest away" | "stochastic":
            size = np.abs(values)
            below = np.floor(size)
            with np.errstate(invalid="ignore"):
                rest = size - below  # exact; NaN for an infinity, which then stays
            return np.copysign(below + (rest >= _threshold(rounding, values.shape, generator)), values)
    raise ValueError(f"rounding={rounding!r} is unknown; choose one of {', '.join(map(repr, get_args(Rounding)))}")


def _threshold(
    rounding: Rounding, shape: tuple[int, ...], generator: np.random.Generator | None
) -> float | NDArray[np.float64]:
    """From which rest on a value is rounded away from zero."""
    if rounding == "nearest away":
        return 0.5
    if generator is None:
        raise ValueError("stochastic rounding needs a generator, such as np.random.default_rng(0)")
    # 1 - random() lies in (0, 1], so a rest of 0 always stays, and a rest r is raised with probability r.
    return 1.0 - generator.random(shape)


def round_to_grid(
    values: ArrayLike,
    fraction_bits: int,
    smallest_exponent: int,
    rounding: Rounding = "nearest even",
    generator: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    """Round to the grid of a floating-point format that has no largest number.

    In the binade `[2^e, 2^(e + 1))` the grid has the spacing `2^(e - fraction_bits)`, and below `2^smallest_exponent`
    the spacing stays what it is there. That is IEEE 754's rounding "as if with unbounded range" above, and gradual
    underflow below.

    Args:
        values: any shape.
        fraction_bits: bits behind the leading one, 0 to 52.
        smallest_exponent: of the smallest normal number.
        rounding: see `round_to_integer`.
        generator: for stochastic rounding.

    Raises:
        ValueError: as `round_to_integer`.
    """
    values = np.asarray(values, np.float64)
    quantum = spacing_exponent(values, fraction_bits, smallest_exponent)
    # Scaling by a power of two is exact: the scaled values have at most 53 bits before the point.
    return np.ldexp(round_to_integer(np.ldexp(values, -quantum), rounding, generator), quantum)


def spacing_exponent(values: ArrayLike, fraction_bits: int, smallest_exponent: int) -> NDArray[np.int32]:
    """The exponent of the distance between neighbours of the grid in the binade of each value."""
    # frexp writes a value as m 2^e with 0.5 <= |m| < 1, and zeros, infinities and NaN with e = 0.
    values = np.asarray(values, np.float64)
    exponent = np.frexp(values)[1] - 1
    exponent = np.where(values == 0, smallest_exponent, exponent)
    return (np.maximum(exponent, smallest_exponent) - fraction_bits).astype(np.int32)
