"""Numbers of 8 bits with a scale for each row, and the product of two such matrices, in plain PyTorch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

LARGEST = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0}
"""The largest number of each type; int8 leaves -128 out, so that a sign can always be turned."""


def quantize(x: Float[Tensor, "rows n"], dtype: torch.dtype) -> tuple[Shaped[Tensor, "rows n"], Float[Tensor, " rows"]]:
    """`x / scale`, rounded to the nearest, and `scale = max |x| / largest` of each row (1 where a row is all zeros).

    Args:
        x: what to quantise.
        dtype: `torch.int8` or `torch.float8_e4m3fn`.
    """
    wide = x.float()
    top = wide.abs().amax(1) if x.shape[1] else wide.new_zeros(len(x))
    scales = torch.where(top == 0, 1.0, top / LARGEST[dtype])
    codes = wide * (1 / scales)[:, None]
    return (codes.round() if dtype == torch.int8 else codes).clamp(-LARGEST[dtype], LARGEST[dtype]).to(dtype), scales


def scaled_matmul(
    a: Shaped[Tensor, "m k"],
    b: Shaped[Tensor, "k n"],
    a_scales: Float[Tensor, " m"],
    b_scales: Float[Tensor, " n"],
    dtype: torch.dtype,
) -> Float[Tensor, "m n"]:
    """`(a b) * a_scales * b_scales`; in float64, where sums of products of 8-bit numbers are exact.

    Args:
        a: 8-bit numbers.
        b: likewise.
        a_scales: one for each row of `a`.
        b_scales: one for each column of `b`.
        dtype: of the result.
    """
    return ((a.double() @ b.double()) * a_scales[:, None].double() * b_scales.double()).to(dtype)
