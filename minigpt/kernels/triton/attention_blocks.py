"""What the passes of attention share: how blocks are fetched, who sees whom, and how large blocks are.

Blocks of keys that no query of a block may see are skipped, and only those on an edge of what is seen pay for a mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor
from triton.runtime.jit import JITFunction
from triton.tools.tensor_descriptor import TensorDescriptor

from minigpt.kernels.check.table import ARCHITECTURES, Compilation
from minigpt.kernels.triton.descriptors import descriptor

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
def load_sums(lse, delta, queries, n_queries):
    """The logarithm of the sum of each query in units of log 2, infinite where it saw nothing, and its delta."""
    log_sum = tl.load(lse + queries, mask=queries < n_queries, other=float("inf"))
    less = tl.load(delta + queries, mask=queries < n_queries, other=0.0)
    return tl.where(log_sum == float("-inf"), float("inf"), log_sum) * LOG2_E, less


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
        # With blocks of 64 keys the kernel asks for 112 KB of shared memory, of which these GPUs have 99.
        little = capability in ((8, 6), (8, 9)) or capability >= (12, 0)
        return Tiles(32, 32 if little else 64, 8, 1) if kernel == "backward_kv" else Tiles(64, 32, 8, 1)
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
