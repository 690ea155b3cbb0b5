"""The backward pass of attention, of keys and values: a program holds a block of keys and walks over queries."""

from __future__ import annotations

import triton
import triton.language as tl

from minigpt.kernels.triton.attention_blocks import LOG2_E, compilations, load_rows, load_sums, query_range, visible


@triton.jit
def backward_queries(
    grad_k,
    grad_v,
    key,
    value,
    q,
    grad,
    lse,
    delta,
    batch,
    head,
    stride_q,
    stride_g,
    keys,
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
    BLOCK_M: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """Add what the queries of a range do to the gradients of a block of keys and values."""
    for start in tl.range(begin, end, BLOCK_M):
        queries = start + tl.arange(0, BLOCK_M)
        query = load_rows(q, batch, head, start, stride_q, n_queries, width, BLOCK_M, BLOCK_D, True, PADDED, TMA)
        upstream = load_rows(grad, batch, head, start, stride_g, n_queries, width, BLOCK_M, BLOCK_D, True, PADDED, TMA)
        log_sum, less = load_sums(lse, delta, queries, n_queries)
        weights = tl.exp2(tl.dot(key, query.T, input_precision=PRECISION) * scale - log_sum[None, :])
        if MASKED:
            seen = visible(queries[None, :], keys[:, None], n_queries, n_keys, CAUSAL, WINDOW)
            weights = tl.where(seen, weights, 0.0)
        grad_v = tl.dot(weights.to(upstream.dtype), upstream, grad_v, input_precision=PRECISION)
        grad_weights = tl.dot(value, upstream.T, input_precision=PRECISION)
        grad_scores = weights * (grad_weights - less[None, :])
        grad_k = tl.dot(grad_scores.to(query.dtype), query, grad_k, input_precision=PRECISION)
    return grad_k, grad_v


@triton.jit
def backward_kv_kernel(
    q,
    k,
    v,
    grad,
    lse,
    delta,
    grad_k,
    grad_v,
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
    """Gradients of keys and values, laid out as batch, time, heads, width; heads that share them are added."""
    first = tl.program_id(0) * BLOCK_N
    n_shared_heads = n_heads // shared
    i_kv_head, i_batch = tl.program_id(1), tl.program_id(2)
    batch, kv_head = i_batch.to(tl.int64), i_kv_head.to(tl.int64)
    keys, columns = first + tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    if not TMA:
        k += batch * stride_kb + kv_head * stride_kh
        v += batch * stride_vb + kv_head * stride_vh
    key = load_rows(k, i_batch, i_kv_head, first, stride_kt, n_keys, width, BLOCK_N, BLOCK_D, True, PADDED, TMA)
    value = load_rows(v, i_batch, i_kv_head, first, stride_vt, n_keys, width, BLOCK_N, BLOCK_D, True, PADDED, TMA)
    total_k = tl.zeros((BLOCK_N, BLOCK_D), dtype=tl.float32)
    total_v = tl.zeros((BLOCK_N, BLOCK_D), dtype=tl.float32)
    bounds = query_range(first, n_queries, n_keys, CAUSAL, WINDOW, BLOCK_M, BLOCK_N)
    for head in tl.range(i_kv_head * shared, (i_kv_head + 1) * shared):
        if TMA:
            q_head, g_head = q, grad
        else:
            q_head = q + batch * stride_qb + tl.cast(head, tl.int64) * stride_qh
            g_head = grad + batch * stride_gb + tl.cast(head, tl.int64) * stride_gh
        line = (batch * n_heads + head) * n_queries
        for part in tl.static_range(0 if CAUSAL else 1, 3 if WINDOW > 0 else 2):
            total_k, total_v = backward_queries(
                total_k, total_v, key, value, q_head, g_head, lse + line, delta + line, i_batch, head,
                stride_qt, stride_gt, keys, bounds[part], bounds[part + 1], scale * LOG2_E, n_queries, n_keys, width,
                part != 1, PADDED, TMA, CAUSAL, WINDOW, PRECISION, BLOCK_M, BLOCK_D,
            )  # fmt: skip
    place = ((batch * n_keys + keys[:, None]) * n_shared_heads + kv_head) * width + columns[None, :]
    inside = (keys < n_keys)[:, None] & (columns < width)[None, :]
    tl.store(grad_k + place, (total_k * scale).to(grad_k.dtype.element_ty), mask=inside)
    tl.store(grad_v + place, total_v.to(grad_v.dtype.element_ty), mask=inside)


SIGNATURES = compilations("backward_kv", backward_kv_kernel, tma_on=(90, 100), spill={75: 8192})
