"""The backward pass of attention without the matrix of scores: FlashAttention (Dao, 2023), in three small kernels.

The weights are calculated again from the scores and the one number that the forward pass kept for each query. One
kernel holds a block of keys and walks over queries, another holds queries and walks over keys: so nothing is added
atomically, and the gradients are the same in every run.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.attention import (
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
def query_range(
    first,
    n_queries,
    n_keys,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """For a block of keys: the same for the queries that see any of them, or all of them, in multiples of `BLOCK_M`.

    Queries past the end need no mask, as their sums are infinite.
    """
    begin, full_begin = 0, 0
    end = tl.cdiv(n_queries, BLOCK_M) * BLOCK_M
    full_end = end
    if CAUSAL:
        place = first - (n_keys - n_queries)
        begin = min(max(place, 0) // BLOCK_M * BLOCK_M, end)
        full_begin = tl.cdiv(max(place + BLOCK_N - 1, 0), BLOCK_M) * BLOCK_M
        if WINDOW > 0:
            end = max(min(end, tl.cdiv(max(place + BLOCK_N - 1 + WINDOW, 0), BLOCK_M) * BLOCK_M), begin)
            full_end = min(full_end, max(place + WINDOW, 0) // BLOCK_M * BLOCK_M)
    full_begin = min(max(full_begin, begin), end)
    full_end = min(max(full_end, full_begin), end)
    return begin, full_begin, full_end, end


@triton.jit
def delta_kernel(
    out,
    grad,
    grad_lse,
    delta,
    stride_gb,
    stride_gh,
    stride_gt,
    n_heads,
    n_queries,
    width,
    BLOCK_M: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """For each query the product of its output and the output's gradient, less the gradient of the log of its sum."""
    queries, columns = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_D)
    batch, head = tl.program_id(2).to(tl.int64), tl.program_id(1).to(tl.int64)
    inside = (queries < n_queries)[:, None] & (columns < width)[None, :]
    place = ((batch * n_queries + queries[:, None]) * n_heads + head) * width + columns[None, :]
    there = batch * stride_gb + head * stride_gh + queries[:, None].to(tl.int64) * stride_gt + columns[None, :]
    y = tl.load(out + place, mask=inside, other=0.0).to(tl.float32)
    upstream = tl.load(grad + there, mask=inside, other=0.0).to(tl.float32)
    line = (batch * n_heads + head) * n_queries + queries
    less = tl.load(grad_lse + line, mask=queries < n_queries, other=0.0)
    tl.store(delta + line, tl.sum(y * upstream, 1) - less, mask=queries < n_queries)


@triton.jit
def load_sums(lse, delta, queries, n_queries):
    """The logarithm of the sum of each query in units of log 2, infinite where it saw nothing, and its delta."""
    log_sum = tl.load(lse + queries, mask=queries < n_queries, other=float("inf"))
    less = tl.load(delta + queries, mask=queries < n_queries, other=0.0)
    return tl.where(log_sum == float("-inf"), float("inf"), log_sum) * LOG2_E, less


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


_delta = Launcher(delta_kernel)
_backward_kv, _backward_q = Launcher(backward_kv_kernel), Launcher(backward_q_kernel)


def attention_backward(
    grad: Tensor,
    grad_lse: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    causal: bool,
    window: int | None,
    scale: float,
    precision: str = "ieee",
) -> tuple[Tensor, Tensor, Tensor]:
    """Launch the backward kernels, which give the gradients of queries, keys and values.

    Args:
        grad: gradient of the outputs.
        grad_lse: gradient of the logarithms of the sums.
        q: queries, as in the forward pass; so are the rest.
        k: keys.
        v: values.
        out: what the forward pass gave.
        lse: likewise.
        causal: whether a query sees only the keys up to its own.
        window: how many keys it sees at the most.
        scale: what the scores are multiplied by.
        precision: `"ieee"` or `"tf32"`, for float32.
    """
    q, k, v, grad = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v, grad))
    (batch, heads, n_queries, width), (kv_heads, n_keys) = q.shape, k.shape[1:3]
    grad_q = empty(q, batch, n_queries, heads, width)
    grad_k, grad_v = (empty(q, batch, n_keys, kv_heads, width) for _ in range(2))
    results = tuple(x.transpose(1, 2) for x in (grad_q, grad_k, grad_v))
    delta = torch.empty_like(lse)
    block_d = max(triton.next_power_of_2(width), 16)
    if lse.numel():
        _delta[(triton.cdiv(n_queries, 64), heads, batch)](
            out.transpose(1, 2).contiguous(),
            grad,
            grad_lse.contiguous(),
            delta,
            *grad.stride()[:3],
            heads,
            n_queries,
            width,
            BLOCK_M=64,
            BLOCK_D=block_d,
        )
    strides = [stride for x in (q, k, v, grad) for stride in x.stride()[:3]]
    sizes = (heads, heads // kv_heads, n_queries, n_keys, width, scale)
    # On consumer Blackwell the tiles of a descriptor end up in registers, which then do not suffice.
    tma = all(map(describable, (q, k, v, grad))) and capability_of(q) < (12, 0)
    for kernel, name, gradients in (
        (_backward_kv, "backward_kv", (grad_k, grad_v)),
        (_backward_q, "backward_q", (grad_q,)),
    ):
        tiles = choose_tiles(name, block_d, q.element_size(), capability_of(q), tma)
        m, n = tiles.block_m, tiles.block_n
        tensors = described((q, k, v, grad), (m, n, n, m), block_d) if tma else (q, k, v, grad)
        grid = (
            (triton.cdiv(n_keys, n), kv_heads, batch)
            if len(gradients) == 2
            else (triton.cdiv(n_queries, m), heads, batch)
        )
        if gradients[0].numel():
            options = meta(tiles, causal, window, width, block_d, tma, precision)
            kernel[grid](*tensors, lse, delta, *gradients, *strides, *sizes, **options)
    return results


SIGNATURES = [
    *compilations("backward_kv", backward_kv_kernel, tma_on=(90, 100), spill={75: 8192}),
    *compilations("backward_q", backward_q_kernel, tma_on=(90, 100), spill={75: 8192}),
    Compilation(
        delta_kernel,
        {
            **dict.fromkeys(("out", "grad"), "*bf16"),
            **dict.fromkeys(("grad_lse", "delta"), "*fp32"),
            **dict.fromkeys(("stride_gb", "stride_gh", "stride_gt", "width"), "i32:16"),
            **dict.fromkeys(("n_heads", "n_queries"), "i32"),
        },
        {"BLOCK_M": 64, "BLOCK_D": 128},
    ),
]
