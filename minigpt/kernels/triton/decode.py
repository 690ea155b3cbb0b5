"""Attention of one query to a long cache: the keys are split among programs, and what they found is merged.

With one query a head there are too few programs to read the cache as fast as the memory allows, so each head's keys
are shared out (Flash-Decoding; Dao et al., 2023). The heads of queries that share keys are the rows of one product, so
that keys and values are read once for all of them. A second kernel weighs the parts by their sums.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.attention import forward_keys
from minigpt.kernels.triton.attention_blocks import LN_2, LOG2_E, load_rows
from minigpt.kernels.triton.descriptors import capability_of, empty

BLOCK_KEYS = 64
PARTS = 64
"""Most parts into which the keys of a head are split."""


@triton.jit
def decode_kernel(
    q,
    k,
    v,
    lengths,
    outputs,
    lse,
    stride_qb,
    stride_qh,
    stride_kb,
    stride_kh,
    stride_kt,
    stride_vb,
    stride_vh,
    stride_vt,
    n_heads,
    shared,
    n_keys,
    width,
    scale,
    part_size,
    PADDED: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """What the queries that share a head of keys get from one part of them, in float32, and the log of the sum."""
    part, kv_head, batch = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    n_seen = n_keys
    if lengths is not None:
        n_seen = tl.minimum(tl.load(lengths + batch).to(tl.int32), n_keys)
    begin = part * part_size
    end = tl.maximum(tl.minimum(begin + part_size, n_seen), begin)
    full_end = begin + (end - begin) // BLOCK_N * BLOCK_N
    rows, columns = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_D)
    first_head = kv_head * shared
    q += batch * stride_qb + first_head * stride_qh
    k += batch * stride_kb + kv_head.to(tl.int64) * stride_kh
    v += batch * stride_vb + kv_head.to(tl.int64) * stride_vh
    query = load_rows(q, 0, 0, 0, stride_qh, shared, width, BLOCK_M, BLOCK_D, True, PADDED, False)
    total = tl.zeros((BLOCK_M, BLOCK_D), dtype=tl.float32)
    norm = tl.zeros((BLOCK_M,), dtype=tl.float32)
    largest = tl.full((BLOCK_M,), float("-inf"), dtype=tl.float32)
    bounds = (begin, full_end, end)
    for i in tl.static_range(2):
        total, norm, largest = forward_keys(
            total, norm, largest, query, k, v, 0, 0, stride_kt, stride_vt, rows,
            bounds[i], bounds[i + 1], scale * LOG2_E, shared, end, width,
            i == 1, PADDED, False, False, 0, PRECISION, BLOCK_N, BLOCK_D,
        )  # fmt: skip
    total = total / tl.where(norm == 0.0, 1.0, norm)[:, None]
    line = (batch * n_heads + first_head + rows) * tl.num_programs(0) + part
    inside = (rows < shared)[:, None] & (columns < width)[None, :]
    tl.store(outputs + line[:, None] * width + columns[None, :], total, mask=inside)
    tl.store(lse + line, (largest + tl.log2(norm)) * LN_2, mask=rows < shared)


@triton.jit
def merge_kernel(outputs, lse, out, out_lse, n_parts, width, BLOCK_P: tl.constexpr, BLOCK_D: tl.constexpr):
    """Outputs of one query from those of all parts, each weighted by its share of the sum."""
    query = tl.program_id(0).to(tl.int64)
    parts, columns = tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_D)
    logs = tl.load(lse + query * n_parts + parts, mask=parts < n_parts, other=float("-inf"))
    largest = tl.max(logs, 0)
    shares = tl.exp(logs - tl.where(largest == float("-inf"), 0.0, largest))
    norm = tl.sum(shares, 0)
    place = (query * n_parts + parts[:, None]) * width + columns[None, :]
    found = tl.load(outputs + place, mask=(parts < n_parts)[:, None] & (columns < width)[None, :], other=0.0)
    total = tl.sum(found * shares[:, None], 0) / tl.where(norm == 0.0, 1.0, norm)
    tl.store(out + query * width + columns, total.to(out.dtype.element_ty), mask=columns < width)
    tl.store(out_lse + query, largest + tl.log(norm))


_decode, _merge = Launcher(decode_kernel), Launcher(merge_kernel)


def part_size(n_keys: int, heads: int, processors: int) -> int:
    """How many keys a program takes: so many that there are two programs for each multiprocessor, if keys suffice.

    Args:
        n_keys: keys of the cache.
        heads: heads of keys, of all sequences together.
        processors: multiprocessors of the device.
    """
    wanted = min(max(2 * processors // max(heads, 1), 1), PARTS)
    return triton.cdiv(triton.cdiv(n_keys, wanted), BLOCK_KEYS) * BLOCK_KEYS


def stages(block_d: int, itemsize: int, capability: tuple[int, int]) -> int:
    """How many loads are under way at once: two of the widest heads are more than the 99 KB of a small GPU hold.

    Args:
        block_d: width of a head, a power of two.
        itemsize: bytes of a number.
        capability: compute capability of the device.
    """
    if itemsize == 4 or capability < (8, 0):
        return 1
    return 3 if block_d <= 128 else 2


def decode_attention(
    q: Tensor, k: Tensor, v: Tensor, lengths: Tensor | None, scale: float, precision: str = "ieee"
) -> tuple[Tensor, Tensor]:
    """Launch both kernels; see `minigpt.kernels.attention.decode_attention`.

    Args:
        q: queries, batch by heads by width.
        k: keys, batch by shared heads by keys by width.
        v: values, likewise.
        lengths: how many keys of each sequence count.
        scale: what the scores are multiplied by.
        precision: `"ieee"` or `"tf32"`, for float32.
    """
    q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
    (batch, heads, width), (kv_heads, n_keys) = q.shape, k.shape[1:3]
    out = empty(q, batch, heads, width)
    out_lse = empty(q, batch, heads, dtype=torch.float32)
    if not out.numel():
        return out, out_lse
    processors = torch.cuda.get_device_properties(q.device).multi_processor_count if q.is_cuda else 4
    size = part_size(n_keys, batch * kv_heads, processors)
    parts = max(triton.cdiv(n_keys, max(size, 1)), 1)
    outputs = empty(q, batch, heads, parts, width, dtype=torch.float32)
    lse = empty(q, batch, heads, parts, dtype=torch.float32)
    block_d = max(triton.next_power_of_2(width), 16)
    shared = heads // kv_heads
    _decode[(parts, kv_heads, batch)](
        q,
        k,
        v,
        lengths if lengths is None else lengths.contiguous(),
        outputs,
        lse,
        *q.stride()[:2],
        *(stride for x in (k, v) for stride in x.stride()[:3]),
        heads,
        shared,
        n_keys,
        width,
        scale,
        size,
        PADDED=width != block_d,
        PRECISION=precision,
        BLOCK_M=max(triton.next_power_of_2(shared), 16),
        BLOCK_N=BLOCK_KEYS,
        BLOCK_D=block_d,
        num_warps=4,
        num_stages=stages(block_d, q.element_size(), capability_of(q)),
    )
    _merge[(batch * heads,)](
        outputs, lse, out, out_lse, parts, width, BLOCK_P=triton.next_power_of_2(parts), BLOCK_D=block_d, num_warps=4
    )
    return out, out_lse


SIGNATURES = [
    Compilation(
        decode_kernel,
        {
            **dict.fromkeys(("q", "k", "v"), "*bf16"),
            "lengths": "*i64",
            **dict.fromkeys(("outputs", "lse"), "*fp32"),
            **{name: "i32:16" for name in decode_kernel.arg_names if name.startswith("stride")},
            **dict.fromkeys(("n_heads", "shared", "n_keys", "part_size"), "i32"),
            "width": "i32:16",
            "scale": "fp32",
        },
        {"PADDED": False, "PRECISION": "ieee", "BLOCK_M": 16, "BLOCK_N": BLOCK_KEYS, "BLOCK_D": 128},
        matrix=True,
        warp_level=True,
        local=4096,
    ),
    Compilation(
        merge_kernel,
        {
            **dict.fromkeys(("outputs", "lse", "out_lse"), "*fp32"),
            "out": "*bf16",
            "n_parts": "i32",
            "width": "i32:16",
        },
        {"BLOCK_P": PARTS, "BLOCK_D": 128},
    ),
]
