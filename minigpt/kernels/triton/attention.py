"""Attention without the matrix of scores: FlashAttention (Dao et al., 2022; Dao, 2023), forward.

A program holds a block of queries and walks over blocks of keys with an online softmax: a running maximum, a running
sum, and the outputs so far, which are rescaled when the maximum grows. Scores are kept in units of log 2, because a GPU
has an instruction for powers of two. What is kept for the backward pass is one number for each query, the logarithm of
its sum.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.attention_blocks import (
    LN_2,
    LOG2_E,
    choose_tiles,
    compilations,
    described,
    key_range,
    load_rows,
    meta,
    visible,
)
from minigpt.kernels.triton.descriptors import capability_of, describable, empty


@triton.jit
def forward_keys(
    total,
    norm,
    largest,
    q,
    k,
    v,
    batch,
    head,
    stride_k,
    stride_v,
    queries,
    begin,
    end,
    scale,
    n_queries,
    n_keys,
    width,
    MASKED: tl.constexpr,
    PADDED: tl.constexpr,
    TMA: tl.constexpr,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """Let a block of queries see the keys of a range; `scale` is in units of log 2."""
    for start in tl.range(begin, end, BLOCK_N):
        key = load_rows(k, batch, head, start, stride_k, n_keys, width, BLOCK_N, BLOCK_D, MASKED, PADDED, TMA)
        scores = tl.dot(q, key.T, input_precision=PRECISION)
        if MASKED:
            keys = start + tl.arange(0, BLOCK_N)
            seen = visible(queries[:, None], keys[None, :], n_queries, n_keys, CAUSAL, WINDOW)
            scores = tl.where(seen, scores, float("-inf"))
        larger = tl.maximum(largest, tl.max(scores, 1) * scale)
        # A query that has seen no key yet: its maximum is -inf, and -inf less -inf would be NaN.
        base = tl.where(larger == float("-inf"), 0.0, larger) if MASKED else larger
        weights = tl.exp2(scores * scale - base[:, None])
        decay = tl.exp2(largest - base)
        norm = norm * decay + tl.sum(weights, 1)
        total = total * decay[:, None]
        value = load_rows(v, batch, head, start, stride_v, n_keys, width, BLOCK_N, BLOCK_D, MASKED, PADDED, TMA)
        total = tl.dot(weights.to(value.dtype), value, total, input_precision=PRECISION)
        largest = larger
    return total, norm, largest


@triton.jit
def forward_kernel(
    q,
    k,
    v,
    out,
    lse,
    stride_qb,
    stride_qh,
    stride_qt,
    stride_kb,
    stride_kh,
    stride_kt,
    stride_vb,
    stride_vh,
    stride_vt,
    n_heads,
    shared,
    n_queries,
    n_keys,
    width,
    scale,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
    PADDED: tl.constexpr,
    TMA: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """Outputs, laid out as batch, time, heads, width, and for each query the logarithm of the sum of its weights."""
    # With a causal mask the last block of queries has the most to do: it starts first.
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * BLOCK_M
    i_head, i_batch = tl.program_id(1), tl.program_id(2)
    i_kv_head = i_head // shared
    batch, head = i_batch.to(tl.int64), i_head.to(tl.int64)
    kv_head = i_kv_head.to(tl.int64)
    if not TMA:
        q += batch * stride_qb + head * stride_qh
        k += batch * stride_kb + kv_head * stride_kh
        v += batch * stride_vb + kv_head * stride_vh
    queries, columns = first + tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_D)
    query = load_rows(q, i_batch, i_head, first, stride_qt, n_queries, width, BLOCK_M, BLOCK_D, True, PADDED, TMA)
    total = tl.zeros((BLOCK_M, BLOCK_D), dtype=tl.float32)
    norm = tl.zeros((BLOCK_M,), dtype=tl.float32)
    largest = tl.full((BLOCK_M,), float("-inf"), dtype=tl.float32)
    bounds = key_range(first, n_queries, n_keys, CAUSAL, WINDOW, BLOCK_M, BLOCK_N)
    for part in tl.static_range(0 if WINDOW > 0 else 1, 3):
        total, norm, largest = forward_keys(
            total, norm, largest, query, k, v, i_batch, i_kv_head, stride_kt, stride_vt, queries,
            bounds[part], bounds[part + 1], scale * LOG2_E, n_queries, n_keys, width,
            part != 1, PADDED, TMA, CAUSAL, WINDOW, PRECISION, BLOCK_N, BLOCK_D,
        )  # fmt: skip
    # A query that sees no key has zeros, and -inf.
    total = total / tl.where(norm == 0.0, 1.0, norm)[:, None]
    place = ((batch * n_queries + queries[:, None]) * n_heads + head) * width + columns[None, :]
    inside = (queries < n_queries)[:, None] & (columns < width)[None, :]
    tl.store(out + place, total.to(out.dtype.element_ty), mask=inside)
    line = (batch * n_heads + head) * n_queries + queries
    tl.store(lse + line, (largest + tl.log2(norm)) * LN_2, mask=queries < n_queries)


_forward = Launcher(forward_kernel)


def attention(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, window: int | None, scale: float, precision: str = "ieee"
) -> tuple[Tensor, Tensor]:
    """Launch the forward kernel; see `minigpt.kernels.attention`. The outputs lie in memory as batch, time, heads.

    Args:
        q: queries, batch by heads by queries by width.
        k: keys, batch by shared heads by keys by width.
        v: values, likewise.
        causal: whether a query sees only the keys up to its own.
        window: how many keys it sees at the most.
        scale: what the scores are multiplied by.
        precision: `"ieee"` or `"tf32"`, for float32.
    """
    q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
    batch, heads, n_queries, width = q.shape
    out = empty(q, batch, n_queries, heads, width)
    lse = empty(q, batch, heads, n_queries, dtype=torch.float32)
    if not lse.numel():
        return out.transpose(1, 2), lse
    block_d = max(triton.next_power_of_2(width), 16)
    tma = all(map(describable, (q, k, v)))
    tiles = choose_tiles("forward", block_d, q.element_size(), capability_of(q), tma)
    tensors = described((q, k, v), (tiles.block_m, tiles.block_n, tiles.block_n), block_d) if tma else (q, k, v)
    _forward[(triton.cdiv(n_queries, tiles.block_m), heads, batch)](
        *tensors,
        out,
        lse,
        *(stride for x in (q, k, v) for stride in x.stride()[:3]),
        heads,
        heads // k.shape[1],
        n_queries,
        k.shape[2],
        width,
        scale,
        **meta(tiles, causal, window, width, block_d, tma, precision),
    )
    return out.transpose(1, 2), lse


SIGNATURES = compilations("forward", forward_kernel, tma_on=(90, 100, 120), spill={75: 8192})
