"""Norms of rows that do not fit into the registers of a program: each is read in pieces, twice.

The second read finds the row in the cache, so that memory sees it once. The deviation is found in the first read, by
Welford's update (1962): subtracting the square of the mean at the end would lose its digits. Gradients of weights are
sums over rows, for which other programs read both matrices once more, column by column; each adds up a group of rows,
and a last sum adds the groups, in a fixed order, so that it is the same in every run.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.rows import as_rows, like, per_row, workers

PIECE = 4096
"""Numbers of a row that a program holds at a time."""

WARPS = 16

ROWS, COLUMNS = 4, 1024
"""Of the tile with which a program walks down a group of rows."""


@triton.jit
def layer_norm_wide_forward(
    x, weight, bias, y, means, scales, x_stride, n, eps, BIAS: tl.constexpr, PIECE: tl.constexpr
):
    """`(x - mean) scale weight + bias` of the row of this program."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, PIECE)
    x += row * x_stride
    # Each place of the piece has the mean and the squared deviations of the numbers that came past it.
    mean = tl.zeros((PIECE,), tl.float32)
    squares = tl.zeros((PIECE,), tl.float32)
    for i in range(tl.cdiv(n, PIECE)):
        here = column < n - i * PIECE
        values = tl.load(x + i * PIECE + column, mask=here, other=0.0).to(tl.float32)
        away = tl.where(here, values - mean, 0.0)
        mean += away / (i + 1)
        squares += away * (values - mean)
    count = ((n - column + PIECE - 1) // PIECE).to(tl.float32)
    of_row = tl.sum(count * mean, 0) / n
    apart = mean - of_row
    scale = tl.rsqrt(tl.sum(squares + count * apart * apart, 0) / n + eps)
    tl.store(means + row, of_row)
    tl.store(scales + row, scale)
    for i in range(tl.cdiv(n, PIECE)):
        here = column < n - i * PIECE
        at = i * PIECE + column
        values = tl.load(x + at, mask=here, other=0.0).to(tl.float32)
        result = (values - of_row) * scale * tl.load(weight + at, mask=here, other=0.0).to(tl.float32)
        if BIAS:
            result += tl.load(bias + at, mask=here, other=0.0).to(tl.float32)
        tl.store(y + row * n + at, result, mask=here)


@triton.jit
def rms_norm_wide_forward(
    x, residual, weight, y, total, scales, x_stride, residual_stride, n, eps,
    RESIDUAL: tl.constexpr, PIECE: tl.constexpr,
):  # fmt: skip
    """`x scale weight` of the row of this program; with `RESIDUAL`, of `x + residual`, which is written as well."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, PIECE)
    x += row * x_stride
    residual += row * residual_stride
    squares = tl.zeros((PIECE,), tl.float32)
    for start in range(0, n, PIECE):
        here = column < n - start
        values = tl.load(x + start + column, mask=here, other=0.0).to(tl.float32)
        if RESIDUAL:
            values += tl.load(residual + start + column, mask=here, other=0.0).to(tl.float32)
            # What is normalised is the sum as it is stored: backward has no other.
            rounded = values.to(total.dtype.element_ty)
            tl.store(total + row * n + start + column, rounded, mask=here)
            values = rounded.to(tl.float32)
        squares += values * values
    scale = tl.rsqrt(tl.sum(squares, 0) / n + eps)
    tl.store(scales + row, scale)
    for start in range(0, n, PIECE):
        here = column < n - start
        values = tl.load(x + start + column, mask=here, other=0.0).to(tl.float32)
        if RESIDUAL:
            values += tl.load(residual + start + column, mask=here, other=0.0).to(tl.float32)
            values = values.to(total.dtype.element_ty).to(tl.float32)
        w = tl.load(weight + start + column, mask=here, other=0.0).to(tl.float32)
        tl.store(y + row * n + start + column, values * scale * w, mask=here)


@triton.jit
def norm_wide_backward(
    grad, total_grad, x, weight, means, scales, x_grad, grad_stride, total_grad_stride, x_stride, n,
    CENTRED: tl.constexpr, RESIDUAL: tl.constexpr, PIECE: tl.constexpr,
):  # fmt: skip
    """The gradient of the row of this program; `CENTRED` for layer norm, which takes out the mean.

    With `RESIDUAL`, the gradient that reaches the sum by itself is added.
    """
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, PIECE)
    grad += row * grad_stride
    x += row * x_stride
    mean = 0.0
    if CENTRED:
        mean = tl.load(means + row)
    scale = tl.load(scales + row)
    inners = tl.zeros((PIECE,), tl.float32)
    products = tl.zeros((PIECE,), tl.float32)
    for start in range(0, n, PIECE):
        here = column < n - start
        g = tl.load(grad + start + column, mask=here, other=0.0).to(tl.float32)
        values = tl.load(x + start + column, mask=here, other=0.0).to(tl.float32)
        inner = g * tl.load(weight + start + column, mask=here, other=0.0).to(tl.float32)
        inners += inner
        products += inner * tl.where(here, (values - mean) * scale, 0.0)
    along = tl.sum(products, 0) / n
    level = 0.0
    if CENTRED:
        level = tl.sum(inners, 0) / n
    for start in range(0, n, PIECE):
        here = column < n - start
        g = tl.load(grad + start + column, mask=here, other=0.0).to(tl.float32)
        values = tl.load(x + start + column, mask=here, other=0.0).to(tl.float32)
        inner = g * tl.load(weight + start + column, mask=here, other=0.0).to(tl.float32)
        result = scale * (inner - level - (values - mean) * scale * along)
        if RESIDUAL:
            beside = total_grad + row * total_grad_stride + start + column
            result += tl.load(beside, mask=here, other=0.0).to(tl.float32)
        tl.store(x_grad + row * n + start + column, result, mask=here)


@triton.jit
def weight_sums_wide(
    grad, x, means, scales, weight_sums, bias_sums, grad_stride, x_stride, rows, n,
    CENTRED: tl.constexpr, BIAS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """For some columns and every so many rows, the sums of the gradients of `weight` and `bias`."""
    group = tl.program_id(1)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    of_weight = tl.zeros((ROWS, COLUMNS), tl.float32)
    of_bias = tl.zeros((ROWS, COLUMNS), tl.float32)
    for start in range(group * ROWS, rows, tl.num_programs(1) * ROWS):
        row = start + tl.arange(0, ROWS)[:, None].to(tl.int64)
        inside = (row < rows) & (column < n)
        g = tl.load(grad + row * grad_stride + column, mask=inside, other=0.0).to(tl.float32)
        values = tl.load(x + row * x_stride + column, mask=inside, other=0.0).to(tl.float32)
        if CENTRED:
            values -= tl.load(means + row, mask=row < rows, other=0.0)
        scale = tl.load(scales + row, mask=row < rows, other=0.0)
        of_weight += g * tl.where(inside, values * scale, 0.0)
        if BIAS:
            of_bias += g
    at = group.to(tl.int64) * n + column
    tl.store(weight_sums + at, tl.sum(of_weight, 0)[None, :], mask=column < n)
    if BIAS:
        tl.store(bias_sums + at, tl.sum(of_bias, 0)[None, :], mask=column < n)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """The result, the mean of each row, and the reciprocal of its standard deviation."""
    y, means, scales = like(x), per_row(x), per_row(x)
    flat = as_rows(x)
    rows, n = flat.shape
    if rows:
        Launcher(layer_norm_wide_forward)[(rows,)](
            flat, weight, bias, y, means, scales, flat.stride(0), n, eps,
            BIAS=bias is not None, PIECE=PIECE, num_warps=WARPS,
        )  # fmt: skip
    return y, means, scales


def layer_norm_grad(
    grad: Tensor, x: Tensor, weight: Tensor, means: Tensor, scales: Tensor, has_bias: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `x`, `weight` and `bias` (zeros where there is none)."""
    return _gradients(grad, None, x, weight, means, scales, has_bias)


def rms_norm(x: Tensor, residual: Tensor | None, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """The result, the sum with the residual (empty where there is none), and the reciprocal of the root of each row."""
    y, scales = like(x), per_row(x)
    total = x.new_empty(0) if residual is None else like(x)
    flat = as_rows(x)
    beside = flat if residual is None else as_rows(residual)
    rows, n = flat.shape
    if rows:
        Launcher(rms_norm_wide_forward)[(rows,)](
            flat, beside, weight, y, total, scales, flat.stride(0), beside.stride(0), n, eps,
            RESIDUAL=residual is not None, PIECE=PIECE, num_warps=WARPS,
        )  # fmt: skip
    return y, total, scales


def rms_norm_grad(
    grad: Tensor, total_grad: Tensor | None, x: Tensor, weight: Tensor, scales: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of `x` and `weight`, where `x` is what was normalised."""
    return _gradients(grad, total_grad, x, weight, None, scales, False)[:2]


def _gradients(
    grad: Tensor,
    total_grad: Tensor | None,
    x: Tensor,
    weight: Tensor,
    means: Tensor | None,
    scales: Tensor,
    has_bias: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    x_grad = like(x)
    flat, flat_grad = as_rows(x), as_rows(grad)
    beside = flat_grad if total_grad is None else as_rows(total_grad)
    rows, n = flat.shape
    strides = flat_grad.stride(0), beside.stride(0), flat.stride(0)
    if rows:
        Launcher(norm_wide_backward)[(rows,)](
            flat_grad, beside, flat, weight, means, scales, x_grad, *strides, n,
            CENTRED=means is not None, RESIDUAL=total_grad is not None, PIECE=PIECE, num_warps=WARPS,
        )  # fmt: skip
    pieces = triton.cdiv(n, COLUMNS)
    programs = workers(x.device, rows, ROWS)
    groups = min(programs, max(3, programs // pieces))
    weight_sums = torch.empty(groups, n, dtype=torch.float32, device=x.device)
    bias_sums = torch.empty(groups if has_bias else 0, n, dtype=torch.float32, device=x.device)
    Launcher(weight_sums_wide)[(pieces, groups)](
        flat_grad, flat, means, scales, weight_sums, bias_sums, flat_grad.stride(0), flat.stride(0), rows, n,
        CENTRED=means is not None, BIAS=has_bias, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=8,
    )  # fmt: skip
    return x_grad, weight_sums.sum(0).to(weight.dtype), bias_sums.sum(0).to(weight.dtype)


def _signatures() -> list[Compilation]:
    row, one = dict.fromkeys(("x", "y", "grad", "x_grad", "total", "residual", "total_grad"), "*bf16"), "*fp32"
    numbers = dict.fromkeys(("weight", "bias", "means", "scales", "weight_sums", "bias_sums"), one)
    sizes = dict.fromkeys(("x_stride", "residual_stride", "grad_stride", "total_grad_stride", "n"), "i32:16")
    types = {**row, **numbers, **sizes, "rows": "i32", "eps": "fp32"}

    def compilation(kernel, label: str, warps: int, **constants) -> Compilation:
        needed = {name: types[name] for name in kernel.arg_names if name not in constants}
        return Compilation(kernel, needed, constants, num_warps=warps, label=label)

    return [
        compilation(layer_norm_wide_forward, "", WARPS, BIAS=True, PIECE=PIECE),
        compilation(rms_norm_wide_forward, "with residual", WARPS, RESIDUAL=True, PIECE=PIECE),
        compilation(norm_wide_backward, "layer norm", WARPS, CENTRED=True, RESIDUAL=False, PIECE=PIECE),
        compilation(
            norm_wide_backward, "RMS norm with residual", WARPS, CENTRED=False, RESIDUAL=True, PIECE=PIECE, means=None
        ),
        compilation(weight_sums_wide, "layer norm", 8, CENTRED=True, BIAS=True, ROWS=ROWS, COLUMNS=COLUMNS),
        compilation(
            weight_sums_wide,
            "RMS norm",
            8,
            CENTRED=False,
            BIAS=False,
            ROWS=ROWS,
            COLUMNS=COLUMNS,
            means=None,
            bias_sums=None,
        ),
    ]


SIGNATURES = _signatures()
