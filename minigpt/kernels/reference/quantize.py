"""Numbers of 8 bits with a scale for each row or block, and products of such matrices, in plain PyTorch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F

LARGEST = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0}
"""The largest number of each type; int8 leaves -128 out, so that a sign can always be turned."""

BLOCK = 128
"""Numbers of a row, and rows and columns of weights, that share a scale where a product is scaled by blocks."""


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


def quantize_blocks(
    x: Float[Tensor, "m n"], dtype: torch.dtype, rows: int, columns: int
) -> tuple[Shaped[Tensor, "m n"], Float[Tensor, "row_blocks column_blocks"]]:
    """The same with a scale for each block.

    Args:
        x: what to quantise.
        dtype: `torch.int8` or `torch.float8_e4m3fn`.
        rows: of a block.
        columns: of a block.
    """
    m, n = x.shape
    padded = F.pad(x.float(), (0, -n % columns, 0, -m % rows))
    blocks = padded.unflatten(1, (-1, columns)).unflatten(0, (-1, rows)).transpose(1, 2)
    codes, scales = quantize(blocks.reshape(-1, rows * columns), dtype)
    codes = codes.view(blocks.shape).transpose(1, 2).reshape(padded.shape)
    return codes[:m, :n].contiguous(), scales.view(blocks.shape[:2])


def block_scaled_matmul(
    a: Shaped[Tensor, "m k"],
    b: Shaped[Tensor, "k n"],
    a_scales: Float[Tensor, "m k_blocks"],
    b_scales: Float[Tensor, "k_blocks n_blocks"],
    dtype: torch.dtype,
) -> Float[Tensor, "m n"]:
    """The product of the numbers that the codes stand for, in float64.

    Args:
        a: 8-bit numbers.
        b: likewise.
        a_scales: one for every `BLOCK` numbers of each row of `a`.
        b_scales: one for every `BLOCK` by `BLOCK` numbers of `b`.
        dtype: of the result.
    """
    left = a.double() * a_scales.double().repeat_interleave(BLOCK, 1)[:, : a.shape[1]]
    spread = b_scales.double().repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
    return (left @ (b.double() * spread[: len(b), : b.shape[1]])).to(dtype)
