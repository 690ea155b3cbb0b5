"""A product of matrices with what follows it in one kernel: bias, GELU and residual are added before the store.

The kernel is persistent: there are as many programs as multiprocessors, and each walks over the tiles of the result, so
that the loads of the next tile run while the last one is stored. Tiles are visited in groups of rows, whose operands
stay in the L2 cache. Where the operands are aligned and the device has the hardware for it (from Hopper on), tiles are
fetched by tensor descriptors (TMA), otherwise by pointers with masks; the source is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.activation import gelu_of
from minigpt.kernels.triton.descriptors import capability_of, describable, descriptor, empty


@triton.jit
def tile_of(number, tiles_m, tiles_n, GROUP_M: tl.constexpr):
    """Row and column of a tile: down a group of `GROUP_M` rows first, then on to the next column."""
    per_group = GROUP_M * tiles_n
    first = (number // per_group) * GROUP_M
    height = min(tiles_m - first, GROUP_M)
    return first + (number % per_group) % height, (number % per_group) // height


@triton.jit
def finish(total, c, z, bias, residual, rows, columns, M, N, ACTIVATION: tl.constexpr):
    """Add the bias to a tile of the product, apply the activation, add the residual and store it."""
    inside = (rows < M)[:, None] & (columns < N)[None, :]
    place = rows[:, None].to(tl.int64) * N + columns[None, :]
    if bias is not None:
        total += tl.load(bias + columns, mask=columns < N, other=0.0).to(tl.float32)[None, :]
    if z is not None:
        tl.store(z + place, total.to(z.dtype.element_ty), mask=inside)
    if ACTIVATION is not None:
        total = gelu_of(total, ACTIVATION == "gelu_tanh")
    if residual is not None:
        total += tl.load(residual + place, mask=inside, other=0.0).to(tl.float32)
    tl.store(c + place, total.to(c.dtype.element_ty), mask=inside)


@triton.jit
def halves(total, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    """The left and the right half of a tile."""
    return tl.split(tl.permute(tl.reshape(total, (BLOCK_M, 2, BLOCK_N // 2)), (0, 2, 1)))


@triton.jit
def matmul_kernel(
    a,
    b,
    c,
    z,
    bias,
    residual,
    M,
    N,
    K,
    stride_am,
    stride_ak,
    stride_bk,
    stride_bn,
    TMA: tl.constexpr,
    A_TRANSPOSED: tl.constexpr,
    B_TRANSPOSED: tl.constexpr,
    ACTIVATION: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    GROUP_M: tl.constexpr,
):
    """`c = activation(a b + bias) + residual`; `z`, where wanted, gets what the activation was given."""
    tiles_m, tiles_n = tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N)
    for number in tl.range(tl.program_id(0), tiles_m * tiles_n, tl.num_programs(0), flatten=TMA):
        tile_m, tile_n = tile_of(number, tiles_m, tiles_n, GROUP_M)
        rows, columns = tile_m * BLOCK_M + tl.arange(0, BLOCK_M), tile_n * BLOCK_N + tl.arange(0, BLOCK_N)
        total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
        if TMA:
            for k in tl.range(0, tl.cdiv(K, BLOCK_K)):
                if A_TRANSPOSED:
                    left = a.load([k * BLOCK_K, tile_m * BLOCK_M]).T
                else:
                    left = a.load([tile_m * BLOCK_M, k * BLOCK_K])
                if B_TRANSPOSED:
                    right = b.load([tile_n * BLOCK_N, k * BLOCK_K]).T
                else:
                    right = b.load([k * BLOCK_K, tile_n * BLOCK_N])
                total = tl.dot(left, right, total, input_precision=PRECISION)
        else:
            inner = tl.arange(0, BLOCK_K)
            # In 64 bits, since an operand may have more than 2^31 numbers.
            a_tile = a + rows[:, None].to(tl.int64) * stride_am + inner[None, :] * stride_ak
            b_tile = b + columns[None, :].to(tl.int64) * stride_bn + inner[:, None] * stride_bk
            a_step = tl.full((), BLOCK_K, tl.int64) * stride_ak
            b_step = tl.full((), BLOCK_K, tl.int64) * stride_bk
            for k in tl.range(0, tl.cdiv(K, BLOCK_K)):
                present = inner < K - k * BLOCK_K
                left = tl.load(a_tile, mask=(rows < M)[:, None] & present[None, :], other=0.0)
                right = tl.load(b_tile, mask=present[:, None] & (columns < N)[None, :], other=0.0)
                total = tl.dot(left, right, total, input_precision=PRECISION)
                a_tile += a_step
                b_tile += b_step
        if BLOCK_N >= 128:
            # In pieces, one after the other: what follows the product needs registers of its own.
            pieces = halves(total, BLOCK_M, BLOCK_N)
            if BLOCK_N > 128:
                pieces = halves(pieces[0], BLOCK_M, BLOCK_N // 2) + halves(pieces[1], BLOCK_M, BLOCK_N // 2)
            for i in tl.static_range(BLOCK_N // 64):
                piece = tile_n * BLOCK_N + i * 64 + tl.arange(0, 64)
                finish(pieces[i], c, z, bias, residual, rows, piece, M, N, ACTIVATION)
        else:
            finish(total, c, z, bias, residual, rows, columns, M, N, ACTIVATION)


@dataclass(frozen=True)
class Tiles:
    """Sizes of the tiles of a product of matrices, warps of a program, and how many loads are under way at once."""

    block_m: int
    block_n: int
    block_k: int
    num_warps: int
    num_stages: int


def choose_tiles(rows: int, columns: int, itemsize: int, capability: tuple[int, int], tma: bool) -> Tiles:
    """The tiles for a result of this size, from a table that was written by looking at compiled code.

    Args:
        rows: rows of the result.
        columns: its columns.
        itemsize: bytes of a number of the operands.
        capability: compute capability of the device.
        tma: whether tiles are fetched by tensor descriptors.
    """
    if itemsize == 4 or capability < (8, 0):
        return Tiles(64, 64, 32, num_warps=4, num_stages=2)
    if rows <= 64 or columns <= 64:
        return Tiles(64, 64, 64, num_warps=4, num_stages=3)
    if tma and capability < (12, 0):
        return Tiles(128, 256, 64, num_warps=8, num_stages=3)
    return Tiles(128, 128, 32 if capability >= (12, 0) else 64, num_warps=8, num_stages=3)


_matmul = Launcher(matmul_kernel)


def matmul(
    a: Tensor,
    b: Tensor,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    activation: str | None = None,
    *,
    save_z: bool = False,
    out: Tensor | None = None,
    precision: str = "ieee",
) -> tuple[Tensor, Tensor | None]:
    """Launch the kernel on two matrices; see `minigpt.kernels.matmul`.

    Args:
        a: matrix of M rows and K columns, with any strides.
        b: matrix of K rows and N columns, of the same dtype.
        bias: N numbers.
        residual: M rows and N columns, added last. It may be `out` itself: then the product is added in place.
        activation: `None`, `"gelu"` or `"gelu_tanh"`.
        save_z: whether to return what the activation was given.
        out: where the result goes; contiguous; by default a new tensor of the dtype of `a`.
        precision: `"ieee"` or `"tf32"`, for float32.
    """
    (m, k), n = a.shape, b.shape[1]
    c = empty(a, m, n) if out is None else out
    z = torch.empty_like(c) if save_z else None
    if not c.numel():
        return c, z
    a_transposed, b_transposed = a.stride(1) != 1, b.stride(1) != 1
    # As they lie in memory.
    left, right = a.T if a_transposed else a, b.T if b_transposed else b
    tma = describable(left) and describable(right)
    tiles = choose_tiles(m, n, a.element_size(), capability_of(a), tma)
    if tma:
        block = [tiles.block_m, tiles.block_k]
        left = descriptor(left, block[::-1] if a_transposed else block)
        block = [tiles.block_k, tiles.block_n]
        right = descriptor(right, block[::-1] if b_transposed else block)
    count = triton.cdiv(m, tiles.block_m) * triton.cdiv(n, tiles.block_n)
    processors = torch.cuda.get_device_properties(a.device).multi_processor_count if a.is_cuda else 4
    _matmul[(min(count, processors),)](
        left if tma else a,
        right if tma else b,
        c,
        z,
        bias if bias is None else bias.contiguous(),
        residual if residual is None else residual.contiguous(),
        m,
        n,
        k,
        *a.stride(),
        *b.stride(),
        TMA=tma,
        A_TRANSPOSED=a_transposed,
        B_TRANSPOSED=b_transposed,
        ACTIVATION=activation,
        PRECISION=precision,
        BLOCK_M=tiles.block_m,
        BLOCK_N=tiles.block_n,
        BLOCK_K=tiles.block_k,
        GROUP_M=8,
        num_warps=tiles.num_warps,
        num_stages=tiles.num_stages,
    )
    return c, z


def _compilation(
    tma: bool, fused: bool, architectures: tuple[int, ...], itemsize: int = 2, spill: int = 0
) -> Compilation:
    # Both operands have rows in one piece, the result is large.
    tiles = choose_tiles(8192, 8192, itemsize, divmod(architectures[-1], 10), tma)
    kind = "bf16" if itemsize == 2 else "fp32"
    a, b = f"{kind}[{tiles.block_m},{tiles.block_k}]", f"{kind}[{tiles.block_k},{tiles.block_n}]"
    extra = ("z", "bias", "residual")
    return Compilation(
        matmul_kernel,
        {
            "a": f"tensordesc<{a}>" if tma else f"*{kind}",
            "b": f"tensordesc<{b}>" if tma else f"*{kind}",
            "c": f"*{kind}",
            **(dict.fromkeys(extra, f"*{kind}") if fused else {}),
            **dict.fromkeys(("M", "N", "K", "stride_am", "stride_bk"), "i32:16"),
        },
        {
            **({} if fused else dict.fromkeys(extra)),
            "stride_ak": 1,
            "stride_bn": 1,
            "TMA": tma,
            "A_TRANSPOSED": False,
            "B_TRANSPOSED": False,
            "ACTIVATION": "gelu" if fused else None,
            "PRECISION": "ieee",
            "BLOCK_M": tiles.block_m,
            "BLOCK_N": tiles.block_n,
            "BLOCK_K": tiles.block_k,
            "GROUP_M": 8,
        },
        num_warps=tiles.num_warps,
        num_stages=tiles.num_stages,
        architectures=architectures,
        matrix=itemsize == 2,
        local=spill,
        label=" ".join(
            (kind, "by descriptor" if tma else "by pointer", *(["with GELU and residual"] if fused else []))
        ),
    )


SIGNATURES = [
    _compilation(False, False, (75,), spill=512),
    *(_compilation(False, fused, (80, 90)) for fused in (False, True)),
    *(_compilation(True, False, (architecture,)) for architecture in (90, 100, 120)),
    *(_compilation(True, True, (architecture,)) for architecture in (90, 100, 120)),
    _compilation(False, False, (80, 90), itemsize=4),
]
