"""Matrices of 8-bit numbers with a scale for each block, and their products (DeepSeek-AI, 2024, section 3.3.2).

A step of the product covers the 128 numbers that share a scale. Its sum is scaled and added to the total in float32: so
the tensor cores, which on Hopper keep some 14 bits of a sum of 8-bit floats, never add up more than these.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.reference.quantize import BLOCK, LARGEST
from minigpt.kernels.triton.descriptors import capability_of, empty
from minigpt.kernels.triton.matmul import tile_of
from minigpt.kernels.triton.quantize import rounded

TILE_ROWS = 32
"""Rows of a tile whose blocks are lower than that; it is as wide as a block."""

WARPS = 8


@triton.jit
def quantize_blocks_kernel(
    x, codes, scales, stride, rows, n, column_blocks,
    LARGEST: tl.constexpr, INTEGER: tl.constexpr, BLOCKS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """One program for `BLOCKS` blocks that stand on one another: the scale of each, then its numbers in units of it."""
    first = tl.program_id(0).to(tl.int64) * BLOCKS
    row = first * ROWS + tl.arange(0, BLOCKS * ROWS)[:, None]
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    inside = (row < rows) & (column < n)
    values = tl.load(x + row * stride + column, mask=inside, other=0.0).to(tl.float32)
    values = tl.reshape(values, (BLOCKS, ROWS, COLUMNS))
    # A maximum skips NaN, which must not vanish; a sum keeps it.
    top = tl.max(tl.max(tl.abs(values), 2), 1) + tl.sum(tl.sum(values - values, 2), 1)
    scale = tl.where(top == 0.0, 1.0, top / LARGEST)
    block = first + tl.arange(0, BLOCKS)
    tl.store(scales + block * column_blocks + tl.program_id(1), scale, mask=block * ROWS < rows)
    result = rounded(values * (1 / scale)[:, None, None], LARGEST, INTEGER)
    result = tl.reshape(result, (BLOCKS * ROWS, COLUMNS))
    tl.store(codes + row * n + column, result.to(codes.dtype.element_ty), mask=inside)


@triton.jit
def block_scaled_matmul_kernel(
    a, b, c, a_scales, b_scales, M, N, K,
    stride_am, stride_ak, stride_bk, stride_bn, stride_sm, stride_sk, stride_tk, stride_tn,
    INTEGER: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK: tl.constexpr, GROUP_M: tl.constexpr,
):  # fmt: skip
    """One program a tile, as wide as a block; `sm, sk` and `tk, tn` are steps of the scales of `a` and `b`."""
    tile_m, tile_n = tile_of(tl.program_id(0), tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK), GROUP_M)
    rows, columns = tile_m * BLOCK_M + tl.arange(0, BLOCK_M), tile_n * BLOCK + tl.arange(0, BLOCK)
    inner = tl.arange(0, BLOCK)
    a_tile = a + rows[:, None].to(tl.int64) * stride_am + inner[None, :] * stride_ak
    b_tile = b + columns[None, :].to(tl.int64) * stride_bn + inner[:, None] * stride_bk
    a_step = tl.full((), BLOCK, tl.int64) * stride_ak
    b_step = tl.full((), BLOCK, tl.int64) * stride_bk
    a_scale = a_scales + rows.to(tl.int64) * stride_sm
    b_scale = b_scales + tl.cast(tile_n, tl.int64) * stride_tn
    total = tl.zeros((BLOCK_M, BLOCK), dtype=tl.float32)
    for k in tl.range(0, tl.cdiv(K, BLOCK)):
        present = inner < K - k * BLOCK
        left = tl.load(a_tile, mask=(rows < M)[:, None] & present[None, :], other=0.0)
        right = tl.load(b_tile, mask=present[:, None] & (columns < N)[None, :], other=0.0)
        scale = tl.load(a_scale + k * stride_sk, mask=rows < M, other=0.0) * tl.load(b_scale + k * stride_tk)
        part = tl.dot(left, right, out_dtype=tl.int32 if INTEGER else tl.float32)
        total += part.to(tl.float32) * scale[:, None]
        a_tile += a_step
        b_tile += b_step
    place = rows[:, None].to(tl.int64) * N + columns[None, :]
    tl.store(c + place, total.to(c.dtype.element_ty), mask=(rows < M)[:, None] & (columns < N)[None, :])


_quantize, _matmul = Launcher(quantize_blocks_kernel), Launcher(block_scaled_matmul_kernel)


def quantize_blocks(x: Tensor, dtype: torch.dtype, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Launch the kernel that quantises; see `minigpt.kernels.quantize_blocks`.

    Args:
        x: a matrix whose rows lie in one piece.
        dtype: `torch.int8` or `torch.float8_e4m3fn`.
        rows: of a block.
        columns: of a block.
    """
    m, n = x.shape
    codes = empty(x, m, n, dtype=dtype)
    scales = empty(x, triton.cdiv(m, rows), triton.cdiv(n, columns), dtype=torch.float32)
    if scales.numel():
        blocks = max(1, TILE_ROWS // rows)
        _quantize[(triton.cdiv(len(scales), blocks), scales.shape[1])](
            x, codes, scales, x.stride(0), m, n, scales.shape[1],
            LARGEST=LARGEST[dtype], INTEGER=dtype == torch.int8, BLOCKS=blocks, ROWS=rows, COLUMNS=columns,
            num_warps=WARPS,
        )  # fmt: skip
    return codes, scales


def _options(rows: int, integer: bool, capability: tuple[int, int]) -> dict[str, int | bool]:
    # Total and part are two tiles. Both fit into the registers where an instruction serves four warps at a time.
    tall = rows > 64 and (integer or capability[0] in (9, 10))
    return {"INTEGER": integer, "BLOCK_M": 128 if tall else 64, "BLOCK": BLOCK, "GROUP_M": 8}


def block_scaled_matmul(a: Tensor, b: Tensor, a_scales: Tensor, b_scales: Tensor, dtype: torch.dtype) -> Tensor:
    """Launch the kernel that multiplies; see `minigpt.kernels.quantize_blocks.block_scaled_matmul`.

    Args:
        a: 8-bit numbers, M rows of K.
        b: likewise, K rows of N.
        a_scales: one for every 128 numbers of each row of `a`.
        b_scales: one for every 128 by 128 numbers of `b`.
        dtype: of the result.
    """
    (m, k), n = a.shape, b.shape[1]
    c = empty(a, m, n, dtype=dtype)
    if c.numel():
        options = _options(m, a.dtype == torch.int8, capability_of(a))
        _matmul[(triton.cdiv(m, options["BLOCK_M"]) * triton.cdiv(n, BLOCK),)](
            a, b, c, a_scales, b_scales, m, n, k,
            *a.stride(), *b.stride(), *a_scales.stride(), *b_scales.stride(), **options, num_warps=8, num_stages=3,
        )  # fmt: skip
    return c


def _quantization(kind: str, architectures: tuple[int, ...], rows: int) -> Compilation:
    return Compilation(
        quantize_blocks_kernel,
        {
            **{"x": "*bf16", "codes": f"*{kind}", "scales": "*fp32"},
            **dict.fromkeys(("stride", "n"), "i32:16"),
            **dict.fromkeys(("rows", "column_blocks"), "i32"),
        },
        {
            **{"LARGEST": 127.0 if kind == "i8" else 448.0, "INTEGER": kind == "i8"},
            **{"BLOCKS": max(1, TILE_ROWS // rows), "ROWS": rows, "COLUMNS": BLOCK},
        },
        num_warps=WARPS,
        architectures=architectures,
        label=f"{kind} {rows} by {BLOCK}",
    )


def _product(kind: str, architectures: tuple[int, ...]) -> Compilation:
    options = _options(8192, kind == "i8", divmod(architectures[0], 10))
    return Compilation(
        block_scaled_matmul_kernel,
        {
            **dict.fromkeys(("a", "b"), f"*{kind}"),
            "c": "*bf16",
            **dict.fromkeys(("a_scales", "b_scales"), "*fp32"),
            **dict.fromkeys(("M", "N", "K", "stride_am", "stride_bn"), "i32:16"),
            **dict.fromkeys(("stride_sm", "stride_tn"), "i32"),
        },
        {"stride_ak": 1, "stride_bk": 1, "stride_sk": 1, "stride_tk": 1, **options},
        num_warps=8,
        num_stages=3,
        architectures=architectures,
        matrix=True,
        label=kind,
    )


SIGNATURES = [
    *(_quantization("i8", (75, 80, 90, 100, 120), rows) for rows in (1, BLOCK)),
    *(_quantization("fp8e4nv", (90, 100, 120), rows) for rows in (1, BLOCK)),
    _product("i8", (80, 90)),
    _product("fp8e4nv", (90, 100)),
    _product("fp8e4nv", (120,)),
]
