"""Softmax of rows. A row that fits stays in registers between its passes; a longer one is read twice, online."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.rows import WIDEST, as_rows, tile

PIECE = 8192
"""Elements of a long row that a program holds at a time."""


@triton.jit
def softmax_forward(x, y, x_stride, rows, n, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """`exp(x - max) / sum` of each row; zeros where all of a row is minus infinity."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, BLOCK)[None, :]
    inside = (row < rows) & (column < n)
    values = tl.load(x + row * x_stride + column, mask=inside, other=float("-inf")).to(tl.float32)
    largest = tl.max(values, 1)[:, None]
    powers = tl.exp(values - tl.where(largest == float("-inf"), 0.0, largest))
    total = tl.sum(powers, 1)[:, None]
    tl.store(y + row * n + column, powers / tl.where(total == 0.0, 1.0, total), mask=inside)


@triton.jit
def softmax_backward(grad, y, x_grad, grad_stride, rows, n, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """`y (g - sum(g y))` of each row."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, BLOCK)[None, :]
    inside = (row < rows) & (column < n)
    g = tl.load(grad + row * grad_stride + column, mask=inside, other=0.0).to(tl.float32)
    p = tl.load(y + row * n + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(x_grad + row * n + column, p * (g - tl.sum(g * p, 1)[:, None]), mask=inside)


@triton.jit
def softmax_online_forward(x, y, x_stride, n, BLOCK: tl.constexpr):
    """The same for one long row a program: the sum is rescaled when a larger element comes (Milakov, 2018)."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    largest = tl.full((BLOCK,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, n, BLOCK):
        values = tl.load(x + row * x_stride + start + column, mask=start + column < n, other=float("-inf"))
        values = values.to(tl.float32)
        larger = tl.maximum(largest, values)
        shift = tl.where(larger == float("-inf"), 0.0, larger)
        total = total * tl.exp(largest - shift) + tl.exp(values - shift)
        largest = larger
    # Each element of the block has the maximum and the sum of its own column; now those of the row.
    of_row = tl.max(largest, 0)
    shift = tl.where(of_row == float("-inf"), 0.0, of_row)
    sum_of_row = tl.sum(total * tl.exp(largest - shift), 0)
    inverse = 1.0 / tl.where(sum_of_row == 0.0, 1.0, sum_of_row)
    for start in range(0, n, BLOCK):
        inside = start + column < n
        values = tl.load(x + row * x_stride + start + column, mask=inside, other=float("-inf")).to(tl.float32)
        tl.store(y + row * n + start + column, tl.exp(values - shift) * inverse, mask=inside)


@triton.jit
def softmax_online_backward(grad, y, x_grad, grad_stride, n, BLOCK: tl.constexpr):
    """The gradient for one long row a program, in two passes over it."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    products = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, n, BLOCK):
        inside = start + column < n
        g = tl.load(grad + row * grad_stride + start + column, mask=inside, other=0.0).to(tl.float32)
        products += g * tl.load(y + row * n + start + column, mask=inside, other=0.0).to(tl.float32)
    shared = tl.sum(products, 0)
    for start in range(0, n, BLOCK):
        inside = start + column < n
        g = tl.load(grad + row * grad_stride + start + column, mask=inside, other=0.0).to(tl.float32)
        p = tl.load(y + row * n + start + column, mask=inside, other=0.0).to(tl.float32)
        tl.store(x_grad + row * n + start + column, p * (g - shared), mask=inside)


def softmax(x: Tensor) -> Tensor:
    """Softmax along the last dimension."""
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if not x.numel():
        return y
    flat = as_rows(x)
    rows, n = flat.shape
    if n <= WIDEST:
        options = tile(n)
        grid = (triton.cdiv(rows, options["ROWS"]),)
        Launcher(softmax_forward)[grid](flat, y, flat.stride(0), rows, n, **options)
    else:
        Launcher(softmax_online_forward)[(rows,)](flat, y, flat.stride(0), n, BLOCK=PIECE, num_warps=16)
    return y


def softmax_grad(grad: Tensor, y: Tensor) -> Tensor:
    """The gradient of the scores from that of the result; `y` in one piece."""
    x_grad = torch.empty(y.shape, dtype=y.dtype, device=y.device)
    if not y.numel():
        return x_grad
    flat = as_rows(grad)
    rows, n = flat.shape
    if n <= WIDEST:
        options = tile(n)
        grid = (triton.cdiv(rows, options["ROWS"]),)
        Launcher(softmax_backward)[grid](flat, y, x_grad, flat.stride(0), rows, n, **options)
    else:
        Launcher(softmax_online_backward)[(rows,)](flat, y, x_grad, flat.stride(0), n, BLOCK=PIECE, num_warps=16)
    return x_grad


def _signatures() -> list[Compilation]:
    # Many short rows in a tile, and one long row.
    found = []
    for n in (64, WIDEST):
        options = tile(n)
        warps = options.pop("num_warps")
        types = {"rows": "i32", "n": "i32:16"}
        forward = {"x": "*bf16", "y": "*bf16", "x_stride": "i32:16", **types}
        backward = {"grad": "*bf16", "y": "*bf16", "x_grad": "*bf16", "grad_stride": "i32:16", **types}
        found += [
            Compilation(softmax_forward, forward, options, num_warps=warps, label=f"{n}"),
            Compilation(softmax_backward, backward, options, num_warps=warps, label=f"{n}"),
        ]
    forward = {"x": "*bf16", "y": "*bf16", "x_stride": "i32", "n": "i32"}
    backward = {"grad": "*bf16", "y": "*bf16", "x_grad": "*bf16", "grad_stride": "i32", "n": "i32"}
    return [
        *found,
        Compilation(softmax_online_forward, forward, {"BLOCK": PIECE}, num_warps=16),
        Compilation(softmax_online_backward, backward, {"BLOCK": PIECE}, num_warps=16),
    ]


SIGNATURES = _signatures()
