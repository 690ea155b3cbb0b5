"""Attention without the matrix of scores: FlashAttention (Dao et al., 2022; Dao, 2023), forward and backward.

A program holds a block of queries and walks over blocks of keys with an online softmax: a running maximum, a running
sum, and the outputs so far, which are rescaled when the maximum grows. Scores are kept in units of log 2, because a GPU
has an instruction for powers of two. Blocks of keys that no query of the block may see are skipped, and only those on
an edge of what is seen pay for a mask. What is kept for the backward pass is one number for each query, the logarithm
of its sum; the weights are calculated again from it. The backward pass has two kernels, one that holds a block of keys
and walks over queries, and one that holds queries and walks over keys, so that nothing is added atomically and the
gradients are the same in every run.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.runtime.jit import JITFunction
from triton.tools.tensor_descriptor import TensorDescriptor

from minigpt.kernels.check.table import ARCHITECTURES, Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.descriptors import capability_of, describable, descriptor, empty

LOG2_E = tl.constexpr(1.4426950408889634)
LN_2 = tl.constexpr(0.6931471805599453)


@triton.jit
def load_rows(
    source,
    batch,
    head,
    first,
    stride,
    n_rows,
    width,
    ROWS: tl.constexpr,
    BLOCK_D: tl.constexpr,
    MASKED: tl.constexpr,
    PADDED: tl.constexpr,
    TMA: tl.constexpr,
):
    """Rows of one head, zeros past the end: by a descriptor of the whole tensor, or by a pointer to the head.

    A descriptor knows where the tensor ends; with a pointer a mask is needed where the rows pass the end (`MASKED`), or
    the columns do (`PADDED`).
    """
    if TMA:
        block = tl.reshape(source.load([batch, head, first, 0]), (ROWS, BLOCK_D))
    else:
        # The place of the block in 64 bits, places in it in 32, which halves the registers that addresses take.
        rows, columns = tl.arange(0, ROWS), tl.arange(0, BLOCK_D)
        place = source + tl.cast(first, tl.int64) * stride + (rows[:, None] * stride + columns[None, :])
        if MASKED and PADDED:
            block = tl.load(place, mask=(rows < n_rows - first)[:, None] & (columns < width)[None, :], other=0.0)
        elif MASKED:
            block = tl.load(place, mask=(rows < n_rows - first)[:, None], other=0.0)
        elif PADDED:
            block = tl.load(place, mask=(columns < width)[None, :], other=0.0)
        else:
            block = tl.load(place)
    return block


@triton.jit
def visible(queries, keys, n_queries, n_keys, CAUSAL: tl.constexpr, WINDOW: tl.constexpr):
    """Which of these queries see which of these keys; the last query stands at the last key."""
    seen = (queries < n_queries) & (keys < n_keys)
    if CAUSAL:
        behind = queries + (n_keys - n_queries) - keys
        seen = seen & (behind >= 0)
        if WINDOW > 0:
            seen = seen & (behind < WINDOW)
    return seen


@triton.jit
def key_range(
    first,
    n_queries,
    n_keys,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """For a block of queries: where the keys that any of them sees begin and end, and those that all of them see.

    All four are multiples of `BLOCK_N`, in order: from the first to the second a mask is needed, then none, then again.
    """
    begin, full_begin = 0, 0
    end = tl.cdiv(n_keys, BLOCK_N) * BLOCK_N
    full_end = n_keys // BLOCK_N * BLOCK_N
    if CAUSAL:
        ahead = n_keys - n_queries
        last = max(min(first + BLOCK_M, n_queries) + ahead, 0)
        end = min(end, tl.cdiv(last, BLOCK_N) * BLOCK_N)
        full_end = min(full_end, max(first + ahead + 1, 0) // BLOCK_N * BLOCK_N)
        if WINDOW > 0:
            begin = min(max(first + ahead - WINDOW + 1, 0) // BLOCK_N * BLOCK_N, end)
            full_begin = tl.cdiv(max(last - WINDOW, 0), BLOCK_N) * BLOCK_N
    full_begin = min(max(full_begin, begin), end)
    full_end = min(max(full_end, full_begin), end)
    return begin, full_begin, full_end, end


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


@dataclass(frozen=True)
class Tiles:
    """Queries and keys of a block, warps of a program, and how many loads are under way at once."""

    block_m: int
    block_n: int
    num_warps: int
    num_stages: int


def choose_tiles(kernel: str, block_d: int, itemsize: int, capability: tuple[int, int], tma: bool) -> Tiles:
    """The tiles of a kernel, from a table that was written by looking at compiled code.

    Args:
        kernel: `"forward"`, `"backward_kv"` or `"backward_q"`.
        block_d: width of a head, a power of two.
        itemsize: bytes of a number.
        capability: compute capability of the device.
        tma: whether blocks are fetched by tensor descriptors, which leave more registers.
    """
    if itemsize == 4 or capability < (8, 0):
        return Tiles(32, 32, 4, 1) if block_d > 64 else Tiles(64, 64, 4, 1)
    if block_d > 128:
        return Tiles(32, 64, 8, 1) if kernel == "backward_kv" else Tiles(64, 32, 8, 1)
    narrow, hopper, blackwell = block_d <= 64, tma and capability[0] == 9, tma and capability[0] == 10
    if kernel == "forward":
        if hopper or blackwell:
            return Tiles(128, 128, 8, 2)
        if tma:
            return Tiles(128, 64, 8, 1)
        return Tiles(128, 64, 8, 2) if narrow else Tiles(64, 64, 4, 2)
    if kernel == "backward_kv":
        if hopper or blackwell:
            return Tiles(64, 128, 8, 2) if narrow and hopper else Tiles(64, 64, 8, 2)
        return Tiles(32, 128, 8, 2) if narrow else Tiles(32, 64, 8, 2)
    if hopper:
        return Tiles(128, 64, 8, 2)
    if blackwell:
        return Tiles(64, 64, 4, 2)
    return Tiles(128, 32, 8, 2) if narrow else Tiles(64, 32, 4, 2)


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


def meta(
    tiles: Tiles, causal: bool, window: int | None, width: int, block_d: int, tma: bool, precision: str
) -> dict[str, int | bool | str]:
    """What a launch of an attention kernel is compiled for, and the options of its compilation."""
    return {
        "CAUSAL": causal,
        "WINDOW": window or 0,
        "PADDED": width != block_d,
        "TMA": tma,
        "PRECISION": precision,
        "BLOCK_M": tiles.block_m,
        "BLOCK_N": tiles.block_n,
        "BLOCK_D": block_d,
        "num_warps": tiles.num_warps,
        "num_stages": tiles.num_stages,
    }


def described(tensors: tuple[Tensor, ...], rows: tuple[int, ...], block_d: int) -> tuple[TensorDescriptor, ...]:
    """Descriptors that fetch so many rows of one head of each tensor."""
    return tuple(descriptor(x, [1, 1, n, block_d]) for x, n in zip(tensors, rows, strict=True))


def compilations(name: str, kernel: JITFunction, tma_on: tuple[int, ...], spill: dict[int, int]) -> list[Compilation]:
    """How an attention kernel is compiled: causal, heads of 128 numbers in bfloat16 that share no keys.

    Args:
        name: as in `choose_tiles`.
        kernel: the kernel.
        tma_on: the architectures on which it uses tensor descriptors; on the others pointers.
        spill: bytes that it may spill, on architectures where it may.
    """
    found = []
    for architecture in ARCHITECTURES:
        tma = architecture in tma_on
        tiles = choose_tiles(name, 128, 2, divmod(architecture, 10), tma)
        rows = {"q": tiles.block_m, "grad": tiles.block_m, "k": tiles.block_n, "v": tiles.block_n}
        types = {}
        for argument in kernel.arg_names:
            if argument in rows:
                types[argument] = f"tensordesc<bf16[1,1,{rows[argument]},128]>" if tma else "*bf16"
            elif argument.startswith("stride") or argument == "width":
                types[argument] = "i32:16"
            elif argument in ("lse", "delta", "grad_lse"):
                types[argument] = "*fp32"
            elif argument in ("out", "grad_q", "grad_k", "grad_v"):
                types[argument] = "*bf16"
            elif argument in ("n_heads", "n_queries", "n_keys"):
                types[argument] = "i32"
        types["scale"] = "fp32"
        options = meta(tiles, True, None, 128, 128, tma, "ieee")
        found.append(
            Compilation(
                kernel,
                types,
                {"shared": 1, **{name: value for name, value in options.items() if name.isupper()}},
                num_warps=tiles.num_warps,
                num_stages=tiles.num_stages,
                architectures=(architecture,),
                matrix=True,
                local=spill.get(architecture, 0),
                label="by descriptor" if tma else "by pointer",
            )
        )
    return found


SIGNATURES = compilations("forward", forward_kernel, tma_on=(90, 100, 120), spill={75: 8192})
