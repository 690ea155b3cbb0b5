"""Rows of 8-bit numbers, and products of such matrices: twice as fast as 16 bits where a GPU multiplies them so.

Each row of the left matrix and each column of the right one has a scale, so that both scales come out of the sum and
are applied once, after it. Sums of int8 are exact in int32. Of 8-bit floats Hopper's tensor cores add up in some 14
bits (DeepSeek-AI, 2024, section 3.3.2), so that what they sum over one step is added to a total in float32.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.reference.quantize import LARGEST
from minigpt.kernels.triton.descriptors import empty
from minigpt.kernels.triton.matmul import tile_of


@triton.jit
def rounded(values, LARGEST: tl.constexpr, INTEGER: tl.constexpr):
    """Numbers in units of their scale, ready for the cast to 8 bits."""
    if INTEGER:
        # Beyond 2^23 a float32 has no digits after the point: adding 1.5 * 2^23 rounds, ties to even.
        values = (values + 12582912.0) - 12582912.0
    return tl.minimum(tl.maximum(values, -LARGEST), LARGEST)


@triton.jit
def quantize_kernel(x, codes, scales, stride, n, LARGEST: tl.constexpr, INTEGER: tl.constexpr, BLOCK: tl.constexpr):
    """One program a row: its largest magnitude, then its numbers in units of the scale."""
    row = tl.program_id(0).to(tl.int64)
    top = 0.0
    for start in tl.range(0, n, BLOCK):
        at = start + tl.arange(0, BLOCK)
        values = tl.load(x + row * stride + at, mask=at < n, other=0.0).to(tl.float32)
        # A maximum skips NaN, which must not vanish; a sum keeps it.
        top = tl.maximum(top, tl.max(tl.abs(values), 0)) + tl.sum(values - values, 0)
    scale = tl.where(top == 0.0, 1.0, top / LARGEST)
    tl.store(scales + row, scale)
    for start in tl.range(0, n, BLOCK):
        at = start + tl.arange(0, BLOCK)
        values = tl.load(x + row * stride + at, mask=at < n, other=0.0).to(tl.float32) * (1 / scale)
        values = rounded(values, LARGEST, INTEGER)
        tl.store(codes + row * n + at, values.to(codes.dtype.element_ty), mask=at < n)


@triton.jit
def scaled_matmul_kernel(
    a,
    b,
    c,
    a_scales,
    b_scales,
    M,
    N,
    K,
    stride_am,
    stride_ak,
    stride_bk,
    stride_bn,
    INTEGER: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    GROUP_M: tl.constexpr,
):
    """One program a tile of `c = (a b) * a_scales * b_scales`."""
    tile_m, tile_n = tile_of(tl.program_id(0), tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N), GROUP_M)
    rows, columns = tile_m * BLOCK_M + tl.arange(0, BLOCK_M), tile_n * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    a_tile = a + rows[:, None].to(tl.int64) * stride_am + inner[None, :] * stride_ak
    b_tile = b + columns[None, :].to(tl.int64) * stride_bn + inner[:, None] * stride_bk
    a_step = tl.full((), BLOCK_K, tl.int64) * stride_ak
    b_step = tl.full((), BLOCK_K, tl.int64) * stride_bk
    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32 if INTEGER else tl.float32)
    for k in tl.range(0, tl.cdiv(K, BLOCK_K)):
        present = inner < K - k * BLOCK_K
        left = tl.load(a_tile, mask=(rows < M)[:, None] & present[None, :], other=0.0)
        right = tl.load(b_tile, mask=present[:, None] & (columns < N)[None, :], other=0.0)
        if INTEGER:
            total = tl.dot(left, right, total, out_dtype=tl.int32)
        else:
            total = tl.dot(left, right, total, max_num_imprecise_acc=BLOCK_K)
        a_tile += a_step
        b_tile += b_step
    row_scales = tl.load(a_scales + rows, mask=rows < M, other=0.0)
    column_scales = tl.load(b_scales + columns, mask=columns < N, other=0.0)
    result = total.to(tl.float32) * row_scales[:, None] * column_scales[None, :]
    place = rows[:, None].to(tl.int64) * N + columns[None, :]
    inside = (rows < M)[:, None] & (columns < N)[None, :]
    tl.store(c + place, result.to(c.dtype.element_ty), mask=inside)


_quantize, _scaled_matmul = Launcher(quantize_kernel), Launcher(scaled_matmul_kernel)


def quantize(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Launch the kernel that quantises rows; see `minigpt.kernels.quantize`.

    Args:
        x: a matrix whose rows lie in one piece.
        dtype: `torch.int8` or `torch.float8_e4m3fn`.
    """
    rows, n = x.shape
    codes, scales = empty(x, rows, n, dtype=dtype), empty(x, rows, dtype=torch.float32)
    if rows:
        block = min(triton.next_power_of_2(max(n, 1)), 4096)
        _quantize[(rows,)](
            x, codes, scales, x.stride(0), n, LARGEST=LARGEST[dtype], INTEGER=dtype == torch.int8, BLOCK=block
        )
    return codes, scales


def scaled_matmul(a: Tensor, b: Tensor, a_scales: Tensor, b_scales: Tensor, dtype: torch.dtype) -> Tensor:
    """Launch the kernel that multiplies; see `minigpt.kernels.quantize.scaled_matmul`.

    Args:
        a: 8-bit numbers, M rows of K.
        b: likewise, K rows of N.
        a_scales: one for each row of `a`.
        b_scales: one for each column of `b`.
        dtype: of the result.
    """
    (m, k), n = a.shape, b.shape[1]
    c = empty(a, m, n, dtype=dtype)
    if c.numel():
        _scaled_matmul[(triton.cdiv(m, 128) * triton.cdiv(n, 128),)](
            a,
            b,
            c,
            a_scales.contiguous(),
            b_scales.contiguous(),
            m,
            n,
            k,
            *a.stride(),
            *b.stride(),
            **_options(a.dtype == torch.int8),
            num_warps=8,
            num_stages=3,
        )
    return c


def _options(integer: bool) -> dict[str, int | bool]:
    return {"INTEGER": integer, "BLOCK_M": 128, "BLOCK_N": 128, "BLOCK_K": 64 if integer else 128, "GROUP_M": 8}


def _compilation(kind: str, architectures: tuple[int, ...], spill: int = 0) -> Compilation:
    return Compilation(
        scaled_matmul_kernel,
        {
            **dict.fromkeys(("a", "b"), f"*{kind}"),
            "c": "*bf16",
            **dict.fromkeys(("a_scales", "b_scales"), "*fp32"),
            **dict.fromkeys(("M", "N", "K", "stride_am", "stride_bn"), "i32:16"),
        },
        {"stride_ak": 1, "stride_bk": 1, **_options(kind == "i8")},
        num_warps=8,
        num_stages=3,
        architectures=architectures,
        matrix=True,
        local=spill,
        label=kind,
    )


SIGNATURES = [
    *(
        Compilation(
            quantize_kernel,
            {"x": "*bf16", "codes": f"*{kind}", "scales": "*fp32", "stride": "i32:16", "n": "i32:16"},
            {"LARGEST": largest, "INTEGER": kind == "i8", "BLOCK": 4096},
            architectures=architectures,
            label=kind,
        )
        for kind, largest, architectures in (("i8", 127.0, (75, 80, 90, 100, 120)), ("fp8e4nv", 448.0, (90, 100, 120)))
    ),
    _compilation("i8", (80, 90)),
    _compilation("fp8e4nv", (90, 100, 120)),
]
