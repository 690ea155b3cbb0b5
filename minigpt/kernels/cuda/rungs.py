"""The ladder: every kernel of chapter 25 with its launch, why it is faster than the one before, and its traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels.cuda.cpu import Traffic, build
from minigpt.kernels.cuda.launch import launch
from minigpt.kernels.cuda.sources import LADDER


@dataclass(frozen=True)
class Rung:
    """A kernel of the ladder.

    Args:
        file: its source, without `.cu`.
        block: threads of a block, x and y.
        tile: what a block makes of the result, rows and columns; one number for kernels over a vector.
        reason: why it is faster than the rung before.
        rows_along_x: whether x of the grid goes down the rows, as in the first matmul.
    """

    file: str
    block: tuple[int, ...]
    tile: tuple[int, ...]
    reason: str
    rows_along_x: bool = False


RUNGS: Mapping[str, Rung] = {
    "vector_add": Rung("vector_add", (256,), (256,), "one thread a number; the memory sets the speed"),
    "sum_remainder": Rung("reduction", (256,), (256,), "a tree in shared memory"),
    "sum_strided": Rung("reduction", (256,), (256,), "the working threads fill whole warps"),
    "sum_halves": Rung("reduction", (256,), (256,), "neighbouring threads use different banks of shared memory"),
    "sum_many": Rung("reduction", (256,), (2048,), "most of the sum is done in registers, without a barrier"),
    "sum_shuffle": Rung("reduction", (256,), (2048,), "warps exchange registers; one barrier is left"),
    "softmax_passes": Rung("softmax", (256,), (1,), "three passes over each row"),
    "softmax_online": Rung("softmax", (256,), (1,), "largest number and sum in one pass; two passes in all"),
    "matmul_naive": Rung("matmul", (16, 16), (16, 16), "one thread a number of the result", rows_along_x=True),
    "matmul_coalesced": Rung("matmul", (16, 16), (16, 16), "neighbouring threads read neighbouring numbers"),
    "matmul_tiled": Rung("matmul", (16, 16), (16, 16), "a number brought to shared memory is used 16 times"),
    "matmul_registers": Rung("matmul", (256,), (64, 64), "a thread reuses each number it loads four times"),
    "matmul_vectorised": Rung("matmul", (256,), (64, 64), "one instruction loads four numbers"),
    "matmul_buffered": Rung("matmul", (256,), (64, 64), "the next tiles are fetched while these are multiplied"),
    "matmul_wmma": Rung("matmul_wmma", (128,), (32, 32), "tensor cores multiply tiles of 16 x 16 in half precision"),
}


def source(name: str) -> str:
    """The CUDA C++ of the file in which a rung stands.

    Args:
        name: of the rung.

    Raises:
        ValueError: if there is no such rung.
    """
    if name not in RUNGS:
        raise ValueError(f"there is no rung {name!r}; there are {', '.join(RUNGS)}")
    return (LADDER / f"{RUNGS[name].file}.cu").read_text(encoding="utf-8")


def _cover(size: int, tile: int) -> int:
    return max(1, -(-size // tile))


def _run(name: str, grid: tuple[int, ...], *arguments: Any, counted: bool, reverse: bool) -> Traffic | None:
    """By the tensors' device: the CPU runner, or a GPU."""
    if largest := max((x.numel() for x in arguments if isinstance(x, Tensor) and x.numel() >= 2**31), default=0):
        raise ValueError(
            f"{name}: a tensor of {largest} numbers; the kernels count places in 32 bits: at most 2^31 - 1"
        )
    text, block = source(name), RUNGS[name].block
    if arguments[0].is_cuda:
        if counted or reverse:
            raise ValueError("traffic is counted and the order reversed on a CPU only; move the tensors there")
        launch(text, name, grid, block, *arguments)
        return None
    return build(text, counted=counted).launch(name, grid, block, *arguments, reverse=reverse)


def vector_add(a: Float[Tensor, " n"], b: Float[Tensor, " n"], *, reverse: bool = False) -> Float[Tensor, " n"]:
    """The sum of two vectors in float32.

    Args:
        a: a vector.
        b: another of the same length.
        reverse: run threads and blocks in the opposite order, on a CPU.

    Raises:
        ValueError: if the lengths differ.
    """
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(
            f"vectors of shapes {tuple(a.shape)} and {tuple(b.shape)}: expected one dimension, equal lengths"
        )
    out = torch.empty_like(a)
    _run("vector_add", (_cover(len(a), 256),), a, b, out, len(a), counted=False, reverse=reverse)
    return out


def total(x: Float[Tensor, " n"], name: str = "sum_shuffle", *, reverse: bool = False) -> Float[Tensor, ""]:
    """The sum of a vector in float32.

    Args:
        x: a vector.
        name: one of the five `sum_` rungs.
        reverse: run threads and blocks in the opposite order, on a CPU.

    Raises:
        ValueError: if there is no such rung.
    """
    if not name.startswith("sum_") or name not in RUNGS:
        raise ValueError(f"there is no sum {name!r}; there are {[r for r in RUNGS if r.startswith('sum_')]}")
    blocks = _cover(len(x), RUNGS[name].tile[0])
    out = torch.zeros(1 if name == "sum_shuffle" else blocks, device=x.device)
    _run(name, (blocks,), x, out, len(x), counted=False, reverse=reverse)
    # The partial sums of the other four are added up by the same kernel until one is left.
    return out[0] if len(out) == 1 else total(out, name, reverse=reverse)


def softmax(
    x: Float[Tensor, "rows columns"], name: str = "softmax_online", *, reverse: bool = False
) -> Float[Tensor, "rows columns"]:
    """Softmax of each row, in float32.

    Args:
        x: at least one row and one column.
        name: `"softmax_passes"` or `"softmax_online"`.
        reverse: run threads and blocks in the opposite order, on a CPU.

    Raises:
        ValueError: if there is no such rung, or nothing in `x`.
    """
    if name not in ("softmax_passes", "softmax_online"):
        raise ValueError(f"there is no softmax {name!r}; there are softmax_passes and softmax_online")
    if x.ndim != 2 or not x.numel():
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (rows, columns), both at least 1")
    out = torch.empty_like(x)
    _run(name, (x.shape[0],), x, out, x.shape[1], counted=False, reverse=reverse)
    return out


def _matmul(a: Tensor, b: Tensor, name: str, counted: bool, reverse: bool) -> tuple[Tensor, Traffic | None]:
    if not name.startswith("matmul_") or name not in RUNGS:
        raise ValueError(f"there is no matmul {name!r}; there are {[r for r in RUNGS if r.startswith('matmul_')]}")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or not a.numel() or not b.numel():
        raise ValueError(f"shapes {tuple(a.shape)} and {tuple(b.shape)}: expected (M, K) and (K, N), all at least 1")
    rung, (m, k), n = RUNGS[name], a.shape, b.shape[1]
    down, across = _cover(m, rung.tile[0]), _cover(n, rung.tile[1])
    out = torch.empty(m, n, device=a.device)
    grid = (down, across) if rung.rows_along_x else (across, down)
    return out, _run(name, grid, a, b, out, m, n, k, counted=counted, reverse=reverse)


def matmul(
    a: Float[Tensor, "m k"], b: Float[Tensor, "k n"], name: str = "matmul_buffered", *, reverse: bool = False
) -> Float[Tensor, "m n"]:
    """The product of two matrices, in float32; `"matmul_wmma"` takes them in float16.

    Args:
        a: the left one, row by row.
        b: the right one, row by row.
        name: one of the `matmul_` rungs.
        reverse: run threads and blocks in the opposite order, on a CPU.

    Raises:
        ValueError: if there is no such rung, or the shapes do not fit.
    """
    return _matmul(a, b, name, False, reverse)[0]


def matmul_traffic(m: int, n: int, k: int, name: str) -> Traffic:
    """What a matmul of float32 asks of global memory, counted while it runs on a CPU.

    Args:
        m: rows of the left matrix and of the result.
        n: columns of the right matrix and of the result.
        k: columns of the left and rows of the right matrix.
        name: one of the `matmul_` rungs.

    Raises:
        ValueError: if there is no such rung.
    """
    dtype = torch.float16 if name == "matmul_wmma" else torch.float32
    traffic = _matmul(torch.zeros(m, k, dtype=dtype), torch.zeros(k, n, dtype=dtype), name, True, False)[1]
    assert traffic is not None
    return traffic


def loads_by_formula(m: int, n: int, k: int, name: str) -> int:
    """Numbers that a matmul loads from global memory, where its tiles cover the matrices exactly.

    A tile of C of `p` by `q` needs `p` rows of A and `q` columns of B, `K` numbers each, and there are `m n / (p q)`:
    `m n k (1 / p + 1 / q)` in all. Without shared memory each thread is a tile of 1 by 1.

    Args:
        m: rows of the result.
        n: columns of the result.
        k: the length of a row of the left matrix.
        name: one of the `matmul_` rungs.
    """
    p, q = (1, 1) if name in ("matmul_naive", "matmul_coalesced") else RUNGS[name].tile
    return m * n * k // p + m * n * k // q
