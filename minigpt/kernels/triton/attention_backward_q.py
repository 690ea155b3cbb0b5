"""The backward pass of attention, of queries: a program holds a block of queries and walks over keys."""

from __future__ import annotations

import triton
import triton.language as tl

from minigpt.kernels.triton.attention_blocks import LOG2_E, compilations, key_range, load_rows, load_sums, visible


@triton.jit
def backward_keys(
    total,
    query,
    upstream,
    log_sum,
    less,
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
    """Add what the keys of a range do to the gradient of a block of queries."""
    for start in tl.range(begin, end, BLOCK_N):
        key = load_rows(k, batch, head, start, stride_k, n_keys, width, BLOCK_N, BLOCK_D, MASKED, PADDED, TMA)
        value = load_rows(v, batch, head, start, stride_v, n_keys, width, BLOCK_N, BLOCK_D, MASKED, PADDED, TMA)
        weights = tl.exp2(tl.dot(query, key.T, input_precision=PRECISION) * scale - log_sum[:, None])
        if MASKED:
            keys = start + tl.arange(0, BLOCK_N)
            seen = visible(queries[:, None], keys[None, :], n_queries, n_keys, CAUSAL, WINDOW)
            weights = tl.where(seen, weights, 0.0)
        grad_weights = tl.dot(upstream, value.T, input_precision=PRECISION)
        grad_scores = weights * (grad_weights - less[:, None])
        total = tl.dot(grad_scores.to(key.dtype), key, total, input_precision=PRECISION)
    return total


@triton.jit
def backward_q_kernel(
    q,
    k,
    v,
    grad,
    lse,
    delta,
    grad_q,
    stride_qb,
    stride_qh,
    stride_qt,
    stride_kb,
    stride_kh,
    stride_kt,
    stride_vb,
    stride_vh,
    stride_vt,
    stride_gb,
    stride_gh,
    stride_gt,
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
    """Gradient of the queries, laid out as batch, time, heads, width."""
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * BLOCK_M
    i_head, i_batch = tl.program_id(1), tl.program_id(2)
    i_kv_head = i_head // shared
    batch, head = i_batch.to(tl.int64), i_head.to(tl.int64)
    kv_head = i_kv_head.to(tl.int64)
    if not TMA:
        q += batch * stride_qb + head * stride_qh
        k += batch * stride_kb + kv_head * stride_kh
        v += batch * stride_vb + kv_head * stride_vh
        grad += batch * stride_gb + head * stride_gh
    line = (batch * n_heads + head) * n_queries
    queries, columns = first + tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_D)
    query = load_rows(q, i_batch, i_head, first, stride_qt, n_queries, width, BLOCK_M, BLOCK_D, True, PADDED, TMA)
    upstream = load_rows(grad, i_batch, i_head, first, stride_gt, n_queries, width, BLOCK_M, BLOCK_D, True, PADDED, TMA)
    log_sum, less = load_sums(lse + line, delta + line, queries, n_queries)
    total = tl.zeros((BLOCK_M, BLOCK_D), dtype=tl.float32)
    bounds = key_range(first, n_queries, n_keys, CAUSAL, WINDOW, BLOCK_M, BLOCK_N)
    for part in tl.static_range(0 if WINDOW > 0 else 1, 3):
        total = backward_keys(
            total, query, upstream, log_sum, less, k, v, i_batch, i_kv_head, stride_kt, stride_vt, queries,
            bounds[part], bounds[part + 1], scale * LOG2_E, n_queries, n_keys, width,
            part != 1, PADDED, TMA, CAUSAL, WINDOW, PRECISION, BLOCK_N, BLOCK_D,
        )  # fmt: skip
    place = ((batch * n_queries + queries[:, None]) * n_heads + head) * width + columns[None, :]
    inside = (queries < n_queries)[:, None] & (columns < width)[None, :]
    tl.store(grad_q + place, (total * scale).to(grad_q.dtype.element_ty), mask=inside)


SIGNATURES = compilations("backward_q", backward_q_kernel, tma_on=(90, 100), spill={75: 8192})
