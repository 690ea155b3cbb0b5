"""Microscaling: a block of short numbers that share one power of two (OCP Microscaling Formats, version 1.0, 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minigpt.numerics.formats import E8M0, FP4_E2M1, FP6_E2M3, FP6_E3M2, FP8_E4M3, FP8_E5M2, Format
from minigpt.numerics.rounding import Rounding

BLOCK = 32
"""Elements that share a scale in every MX format."""

MX_ELEMENTS = {"MXFP8 E4M3": FP8_E4M3, "MXFP8 E5M2": FP8_E5M2, "MXFP6 E2M3": FP6_E2M3, "MXFP6 E3M2": FP6_E3M2}
MX_ELEMENTS["MXFP4"] = FP4_E2M1
"""The floating-point elements of the standard, which also has one of whole numbers, MXINT8."""


@dataclass(frozen=True)
class Blocks:
    """Values in blocks along the last dimension, each with a scale.

    Args:
        element: format of the elements.
        codes: of the elements, shape `(..., n_blocks, block)`; the last block is filled up with zeros.
        scales: E8M0 codes of the scales, shape `(..., n_blocks)`.
        length: of the last dimension of the values, without the filling.
    """

    element: Format
    codes: NDArray[np.unsignedinteger]
    scales: NDArray[np.unsignedinteger]
    length: int

    @property
    def bits_per_value(self) -> float:
        """Bits of storage for each value of a full block, with its share of the scale."""
        return self.element.bits + E8M0.bits / self.codes.shape[-1]

    def decode(self) -> NDArray[np.float64]:
        """The values, shape `(..., length)`: element times scale, and NaN in a block whose scale is NaN."""
        values = self.element.decode(self.codes) * E8M0.decode(self.scales)[..., None]
        return values.reshape(*values.shape[:-2], values.shape[-2] * values.shape[-1])[..., : self.length]


def encode_blocks(
    values: ArrayLike,
    element: Format,
    *,
    block: int = BLOCK,
    rounding: Rounding = "nearest even",
    generator: np.random.Generator | None = None,
) -> Blocks:
    """Give each block of neighbours in the last dimension a scale, and each value the element nearest to its share.

    The scale is the power of two `2^(floor(log2 max|v|) - e)`, with `e` the exponent of the element's largest number,
    so that the largest value of a block lands in the top binade of the element; what is too large after that is
    saturated (MX v1.0, section 6.3). A block with an infinity or a NaN gets the scale NaN, and a block of zeros the
    smallest scale.

    Args:
        values: shape `(..., length)`.
        element: the format of the elements; `MX_ELEMENTS` names the floating-point ones of the standard.
        block: how many values share a scale, at least 1.
        rounding: of the elements.
        generator: for stochastic rounding.

    Raises:
        ValueError: if the values have no dimension, or the block is empty.
    """
    values = np.asarray(values, np.float64)
    if not values.ndim or block < 1:
        raise ValueError(f"values of shape {values.shape} in blocks of {block}; expected at least one dimension and 1")
    length = values.shape[-1]
    filling = [(0, 0)] * (values.ndim - 1) + [(0, -length % block)]
    groups = np.pad(values, filling).reshape(*values.shape[:-1], -(-length // block), block)
    top = np.abs(groups).max(-1, initial=0.0)
    broken = ~np.isfinite(top)
    exponent = np.frexp(np.where(broken, 1.0, top))[1] - 1 - element.largest_exponent
    exponent = np.where(top == 0, E8M0.smallest_exponent, exponent)
    exponent = exponent.clip(E8M0.smallest_exponent, E8M0.largest_exponent)
    shares = np.ldexp(np.where(broken[..., None], 0.0, groups), -exponent[..., None])
    codes = element.encode(shares, rounding, "saturate", generator)
    scales = E8M0.encode(np.where(broken, np.nan, np.ldexp(1.0, exponent)))
    return Blocks(element, codes, scales, length)
