"""`quantize_blocks` and `block_scaled_matmul`: a scale for each block, so that one outlier spoils its neighbours alone.

With one scale a row, the largest number of a row decides how fine all others are. With a scale for every 128 numbers of
an activation and every 128 by 128 weights, it decides for its own block only (DeepSeek-AI, 2024, section 3.3.2).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from minigpt.kernels.quantize import check_product, runs_on
from minigpt.kernels.reference import quantize as reference
from minigpt.kernels.reference.quantize import BLOCK

ACTIVATIONS, WEIGHTS = (1, BLOCK), (BLOCK, BLOCK)
"""Blocks of DeepSeek-V3: of a row of activations, and of a matrix of weights."""


def quantize_blocks(
    x: Float[Tensor, "m n"], dtype: torch.dtype = torch.float8_e4m3fn, block: tuple[int, int] = ACTIVATIONS
) -> tuple[Shaped[Tensor, "m n"], Float[Tensor, "row_blocks column_blocks"]]:
    """Round each block of a matrix to 8 bits in units of its own scale; it has no gradient.

    The scale takes the largest magnitude of the block to the largest number of the type.

    Args:
        x: a matrix; blocks at its lower and right edges may be cut off.
        dtype: `torch.float8_e4m3fn` or `torch.int8`.
        block: rows and columns of a block, powers of two up to 128; `ACTIVATIONS` or `WEIGHTS`.

    Returns:
        The codes, and a scale in float32 for each block. A block of zeros has scale 1; one with NaN or infinity has no
        finite scale.

    Raises:
        ValueError: if `x` is no matrix, or the dtype or the block is none of these.
    """
    if dtype not in reference.LARGEST or x.ndim != 2:
        raise ValueError(f"x is {tuple(x.shape)} and dtype {dtype}; expected a matrix, and torch.int8 or float8_e4m3fn")
    if any(size not in (1, 2, 4, 8, 16, 32, 64, 128) for size in block):
        raise ValueError(f"block={block}; rows and columns of a block must be powers of two up to 128")
    return _quantize_blocks(x, dtype, *block)


def block_scaled_matmul(
    a: Shaped[Tensor, "m k"],
    b: Shaped[Tensor, "k n"],
    a_scales: Float[Tensor, "m k_blocks"],
    b_scales: Float[Tensor, "k_blocks n_blocks"],
    dtype: torch.dtype = torch.bfloat16,
) -> Float[Tensor, "m n"]:
    """The product of two matrices quantised by blocks; it has no gradient.

    Sums over 128 numbers are scaled and added up in float32, which also cures that Hopper's tensor cores keep only some
    14 bits of a sum of 8-bit floats. With weights quantised in blocks of `WEIGHTS`,
    `block_scaled_matmul(codes, weight_codes.T, scales, weight_scales.T)` is a linear map.

    Args:
        a: codes, int8 or float8_e4m3fn.
        b: codes of the same type, with any strides.
        a_scales: one for every 128 numbers of each row of `a`.
        b_scales: one for every 128 by 128 numbers of `b`.
        dtype: of the result: float32, bfloat16 or float16.

    Raises:
        ValueError: if shapes or types do not fit together.
    """
    check_product(a, b, dtype)
    m, k, n = (-(-size // blocked) for size, blocked in ((len(a), 1), (len(b), BLOCK), (b.shape[1], BLOCK)))
    if a_scales.shape != (m, k) or b_scales.shape != (k, n):
        raise ValueError(
            f"scales are {tuple(a_scales.shape)} and {tuple(b_scales.shape)}; expected {(m, k)}, one for every 128 "
            f"numbers of a row, and {(k, n)}, one for every 128 by 128"
        )
    return _block_scaled_matmul(a, b, a_scales, b_scales, dtype)


@torch.library.custom_op("minigpt::quantize_blocks", mutates_args=())
def _quantize_blocks(x: Tensor, dtype: torch.dtype, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    if runs_on(x, dtype, "quantize_blocks", dot=False) == "torch":
        return reference.quantize_blocks(x, dtype, rows, columns)
    from minigpt.kernels.triton import quantize_blocks as kernel

    return kernel.quantize_blocks(x if x.stride(1) == 1 else x.contiguous(), dtype, rows, columns)


@_quantize_blocks.register_fake
def _(x, dtype, rows, columns):
    scales = x.new_empty(-(-x.shape[0] // rows), -(-x.shape[1] // columns), dtype=torch.float32)
    return x.new_empty(x.shape, dtype=dtype), scales


@torch.library.custom_op("minigpt::block_scaled_matmul", mutates_args=())
def _block_scaled_matmul(a: Tensor, b: Tensor, a_scales: Tensor, b_scales: Tensor, dtype: torch.dtype) -> Tensor:
    if runs_on(a, a.dtype, "block_scaled_matmul", dot=True) == "torch":
        return reference.block_scaled_matmul(a, b, a_scales, b_scales, dtype).contiguous()
    from minigpt.kernels.triton import quantize_blocks as kernel

    return kernel.block_scaled_matmul(a, b, a_scales, b_scales, dtype)


@_block_scaled_matmul.register_fake
def _(a, b, a_scales, b_scales, dtype):
    return a.new_empty((a.shape[0], b.shape[1]), dtype=dtype)
