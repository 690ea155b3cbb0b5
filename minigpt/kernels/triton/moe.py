"""Products of rows with the matrix of the expert they were sent to: one kernel for all experts, without padding.

Rows are sorted by expert, and never copied: a program gathers those of its tile by their numbers (ScatterMoE; Tan et
al., 2024). Which expert a tile belongs to stands in a table that is made on the device, so that nothing waits for the
CPU to learn how many rows each expert got.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.descriptors import empty

BLOCK_M = 64
META = {"PRECISION": "ieee", "BLOCK_M": BLOCK_M, "BLOCK_N": 64, "BLOCK_K": 32}


@triton.jit
def grouped_matmul_kernel(
    x,
    weights,
    y,
    tokens,
    ends,
    tile_experts,
    tile_rows,
    N,
    K,
    stride_x,
    stride_we,
    stride_wk,
    stride_wn,
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One program a tile of rows of one expert, and a tile of columns."""
    expert = tl.load(tile_experts + tl.program_id(0))
    if expert < 0:  # there are fewer tiles than there could be
        return
    rows = tl.load(tile_rows + tl.program_id(0)) + tl.arange(0, BLOCK_M)
    present = rows < tl.load(ends + expert)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    token = tl.load(tokens + rows, mask=present, other=0).to(tl.int64)
    x_tile = x + token[:, None] * stride_x + inner[None, :]
    w_tile = weights + expert.to(tl.int64) * stride_we
    w_tile = w_tile + inner[:, None].to(tl.int64) * stride_wk + columns[None, :].to(tl.int64) * stride_wn
    step = tl.full((), BLOCK_K, tl.int64) * stride_wk
    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in tl.range(0, tl.cdiv(K, BLOCK_K)):
        left = tl.load(x_tile, mask=present[:, None] & (inner < K - k * BLOCK_K)[None, :], other=0.0)
        right = tl.load(w_tile, mask=(inner < K - k * BLOCK_K)[:, None] & (columns < N)[None, :], other=0.0)
        total = tl.dot(left, right, total, input_precision=PRECISION)
        x_tile += BLOCK_K
        w_tile += step
    place = rows[:, None].to(tl.int64) * N + columns[None, :]
    tl.store(y + place, total.to(y.dtype.element_ty), mask=present[:, None] & (columns < N)[None, :])


@triton.jit
def weight_gradient_kernel(
    grad,
    x,
    slopes,
    tokens,
    ends,
    N,
    K,
    stride_g,
    stride_x,
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One program a tile of one expert's matrix: the sum over the rows of that expert, in their order."""
    expert = tl.program_id(2)
    begin = tl.load(ends + expert - 1, mask=expert > 0, other=0)
    end = tl.load(ends + expert)
    ks, columns = tl.program_id(0) * BLOCK_K + tl.arange(0, BLOCK_K), tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    total = tl.zeros((BLOCK_K, BLOCK_N), dtype=tl.float32)
    for start in tl.range(begin, end, BLOCK_M):
        rows = start + tl.arange(0, BLOCK_M)
        token = tl.load(tokens + rows, mask=rows < end, other=0).to(tl.int64)
        left = tl.load(
            x + token[None, :] * stride_x + ks[:, None], mask=(ks < K)[:, None] & (rows < end)[None, :], other=0.0
        )
        place = grad + rows[:, None].to(tl.int64) * stride_g + columns[None, :]
        right = tl.load(place, mask=(rows < end)[:, None] & (columns < N)[None, :], other=0.0)
        total = tl.dot(left, right, total, input_precision=PRECISION)
    place = (expert.to(tl.int64) * K + ks[:, None]) * N + columns[None, :]
    tl.store(slopes + place, total.to(slopes.dtype.element_ty), mask=(ks < K)[:, None] & (columns < N)[None, :])


_grouped, _weight_gradient = Launcher(grouped_matmul_kernel), Launcher(weight_gradient_kernel)


def tiles_of(ends: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """For each tile of rows its expert and its first row; the expert is -1 where there is no such tile.

    Args:
        ends: where the rows of each expert end.
        rows: how many rows there are.
    """
    begins = torch.cat((ends.new_zeros(1), ends[:-1]))
    counts = (ends - begins + BLOCK_M - 1) // BLOCK_M
    tile_ends = counts.cumsum(0)
    tiles = torch.arange(rows // BLOCK_M + len(ends), device=ends.device)
    experts = torch.searchsorted(tile_ends, tiles, right=True)
    inside = experts < len(ends)
    experts = experts.where(inside, 0)
    first = begins[experts] + (tiles - tile_ends[experts] + counts[experts]) * BLOCK_M
    return experts.where(inside, -1).to(torch.int32), first.to(torch.int32)


def grouped_matmul(x: Tensor, weights: Tensor, tokens: Tensor, ends: Tensor) -> Tensor:
    """Launch the forward kernel; see `minigpt.kernels.reference.moe.grouped_matmul`.

    Args:
        x: one vector for each token.
        weights: one matrix for each expert, with any strides.
        tokens: which vector a row takes.
        ends: where the rows of each expert end.
    """
    x = x if x.stride(1) == 1 else x.contiguous()
    tokens, ends = tokens.contiguous(), ends.contiguous()
    rows, (k, n) = len(tokens), weights.shape[1:]
    y = empty(x, rows, n)
    if y.numel():
        table = tiles_of(ends, rows)
        _grouped[(len(table[0]), triton.cdiv(n, META["BLOCK_N"]))](
            x, weights, y, tokens, ends, *table, n, k, x.stride(0), *weights.stride(), **META, num_warps=4, num_stages=3
        )
    return y


def grouped_weight_gradient(grad: Tensor, x: Tensor, tokens: Tensor, ends: Tensor) -> Tensor:
    """Launch the kernel of the gradient of the weights.

    Args:
        grad: gradient of the results.
        x: as in the forward pass; so are the rest.
        tokens: likewise.
        ends: likewise.
    """
    grad, x = (t if t.stride(1) == 1 else t.contiguous() for t in (grad, x))
    tokens, ends = tokens.contiguous(), ends.contiguous()
    k, n = x.shape[1], grad.shape[1]
    slopes = empty(x, len(ends), k, n)
    if slopes.numel():
        _weight_gradient[(triton.cdiv(k, META["BLOCK_K"]), triton.cdiv(n, META["BLOCK_N"]), len(ends))](
            grad, x, slopes, tokens, ends, n, k, grad.stride(0), x.stride(0), **META, num_warps=4, num_stages=2
        )
    return slopes


SIGNATURES = [
    Compilation(
        grouped_matmul_kernel,
        {
            **dict.fromkeys(("x", "weights", "y"), "*bf16"),
            **dict.fromkeys(("tokens", "ends"), "*i64"),
            **dict.fromkeys(("tile_experts", "tile_rows"), "*i32"),
            **dict.fromkeys(("N", "K", "stride_x", "stride_we", "stride_wk"), "i32:16"),
        },
        {"stride_wn": 1, **META},
        architectures=(80, 90),
        matrix=True,
    ),
    Compilation(
        weight_gradient_kernel,
        {
            **dict.fromkeys(("grad", "x", "slopes"), "*bf16"),
            **dict.fromkeys(("tokens", "ends"), "*i64"),
            **dict.fromkeys(("N", "K", "stride_g", "stride_x"), "i32:16"),
        },
        META,
        num_stages=2,
        architectures=(80, 90),
        matrix=True,
        warp_level=True,
    ),
]
