"""Layer norm and RMS norm of rows: one read and one write forward; backward, weights get partial sums by program.

Rows of more than `WIDEST` numbers have kernels of their own, in `norm_wide`.

The sum over rows that is the gradient of a weight is made in two steps, each in a fixed order, so that it is the same
in every run: each program adds up its own rows in registers and writes one row of sums; a last sum adds those.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.rows import as_rows, like, per_row, tile, workers

WIDEST = 8192
"""Longest row that a program holds: of longer ones, backward passes hold more numbers than there are registers."""


@triton.jit
def layer_norm_forward(
    x,
    weight,
    bias,
    y,
    means,
    scales,
    x_stride,
    rows,
    n,
    eps,
    BIAS: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """`(x - mean) scale weight + bias` of each row."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, BLOCK)[None, :]
    here = column < n
    inside = (row < rows) & here
    values = tl.load(x + row * x_stride + column, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(values, 1)[:, None] / n
    centred = tl.where(here, values - mean, 0.0)
    scale = tl.rsqrt(tl.sum(centred * centred, 1)[:, None] / n + eps)
    result = centred * scale * tl.load(weight + column, mask=here, other=0.0).to(tl.float32)
    if BIAS:
        result += tl.load(bias + column, mask=here, other=0.0).to(tl.float32)
    tl.store(y + row * n + column, result, mask=inside)
    tl.store(means + row, mean, mask=row < rows)
    tl.store(scales + row, scale, mask=row < rows)


@triton.jit
def layer_norm_backward(
    grad, x, weight, means, scales, x_grad, weight_sums, bias_sums,
    grad_stride, x_stride, rows, n,
    BIAS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradient of `x`, and for each program the sums over its rows of those of `weight` and `bias`."""
    program = tl.program_id(0)
    column = tl.arange(0, BLOCK)[None, :]
    here = column < n
    w = tl.load(weight + column, mask=here, other=0.0).to(tl.float32)
    of_weight = tl.zeros((ROWS, BLOCK), tl.float32)
    of_bias = tl.zeros((ROWS, BLOCK), tl.float32)
    for start in range(program * ROWS, rows, tl.num_programs(0) * ROWS):
        row = start + tl.arange(0, ROWS)[:, None].to(tl.int64)
        inside = (row < rows) & here
        g = tl.load(grad + row * grad_stride + column, mask=inside, other=0.0).to(tl.float32)
        values = tl.load(x + row * x_stride + column, mask=inside, other=0.0).to(tl.float32)
        mean = tl.load(means + row, mask=row < rows, other=0.0)
        scale = tl.load(scales + row, mask=row < rows, other=0.0)
        unit = tl.where(inside, (values - mean) * scale, 0.0)
        inner = g * w
        shared = tl.sum(inner, 1)[:, None] / n + unit * (tl.sum(inner * unit, 1)[:, None] / n)
        tl.store(x_grad + row * n + column, scale * (inner - shared), mask=inside)
        of_weight += g * unit
        if BIAS:
            of_bias += g
    at = program * n + column
    tl.store(weight_sums + at, tl.sum(of_weight, 0)[None, :], mask=here)
    if BIAS:
        tl.store(bias_sums + at, tl.sum(of_bias, 0)[None, :], mask=here)


@triton.jit
def rms_norm_forward(
    x, residual, weight, y, total, scales, x_stride, residual_stride, rows, n, eps,
    RESIDUAL: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """`x scale weight` of each row; with `RESIDUAL`, of `x + residual`, which is written as well."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, BLOCK)[None, :]
    here = column < n
    inside = (row < rows) & here
    values = tl.load(x + row * x_stride + column, mask=inside, other=0.0).to(tl.float32)
    if RESIDUAL:
        values += tl.load(residual + row * residual_stride + column, mask=inside, other=0.0).to(tl.float32)
        # What is normalised is the sum as it is stored: backward has no other.
        rounded = values.to(total.dtype.element_ty)
        tl.store(total + row * n + column, rounded, mask=inside)
        values = rounded.to(tl.float32)
    scale = tl.rsqrt(tl.sum(values * values, 1)[:, None] / n + eps)
    w = tl.load(weight + column, mask=here, other=0.0).to(tl.float32)
    tl.store(y + row * n + column, values * scale * w, mask=inside)
    tl.store(scales + row, scale, mask=row < rows)


@triton.jit
def rms_norm_backward(
    grad, total_grad, x, weight, scales, x_grad, weight_sums, grad_stride, total_grad_stride, x_stride, rows, n,
    RESIDUAL: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradient of `x`, and for each program the sum over its rows of that of `weight`.

    With `RESIDUAL`, the gradient that reaches the sum by itself is added.
    """
    program = tl.program_id(0)
    column = tl.arange(0, BLOCK)[None, :]
    here = column < n
    w = tl.load(weight + column, mask=here, other=0.0).to(tl.float32)
    of_weight = tl.zeros((ROWS, BLOCK), tl.float32)
    for start in range(program * ROWS, rows, tl.num_programs(0) * ROWS):
        row = start + tl.arange(0, ROWS)[:, None].to(tl.int64)
        inside = (row < rows) & here
        g = tl.load(grad + row * grad_stride + column, mask=inside, other=0.0).to(tl.float32)
        values = tl.load(x + row * x_stride + column, mask=inside, other=0.0).to(tl.float32)
        scale = tl.load(scales + row, mask=row < rows, other=0.0)
        unit = values * scale
        inner = g * w
        result = scale * (inner - unit * (tl.sum(inner * unit, 1)[:, None] / n))
        if RESIDUAL:
            result += tl.load(total_grad + row * total_grad_stride + column, mask=inside, other=0.0).to(tl.float32)
        tl.store(x_grad + row * n + column, result, mask=inside)
        of_weight += g * unit
    tl.store(weight_sums + program * n + column, tl.sum(of_weight, 0)[None, :], mask=here)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """The result, the mean of each row, and the reciprocal of its standard deviation."""
    y, means, scales = like(x), per_row(x), per_row(x)
    flat = as_rows(x)
    rows, n = flat.shape
    options = tile(n)
    grid = (triton.cdiv(rows, options["ROWS"]),)
    if rows:
        Launcher(layer_norm_forward)[grid](
            flat, weight, bias, y, means, scales, flat.stride(0), rows, n, eps, BIAS=bias is not None, **options
        )
    return y, means, scales


def layer_norm_grad(
    grad: Tensor, x: Tensor, weight: Tensor, means: Tensor, scales: Tensor, has_bias: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `x`, `weight` and `bias` (zeros where there is none)."""
    x_grad = like(x)
    flat, flat_grad = as_rows(x), as_rows(grad)
    rows, n = flat.shape
    options = tile(n)
    programs = workers(x.device, rows, options["ROWS"])
    weight_sums = torch.empty(programs, n, dtype=torch.float32, device=x.device)
    bias_sums = torch.empty(programs if has_bias else 0, n, dtype=torch.float32, device=x.device)
    Launcher(layer_norm_backward)[(programs,)](
        flat_grad, flat, weight, means, scales, x_grad, weight_sums, bias_sums,
        flat_grad.stride(0), flat.stride(0), rows, n, BIAS=has_bias, **options,
    )  # fmt: skip
    return x_grad, weight_sums.sum(0).to(weight.dtype), bias_sums.sum(0).to(weight.dtype)


def rms_norm(x: Tensor, residual: Tensor | None, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """The result, the sum with the residual (empty where there is none), and the reciprocal of the root of each row."""
    y, scales = like(x), per_row(x)
    total = x.new_empty(0) if residual is None else like(x)
    flat = as_rows(x)
    beside = flat if residual is None else as_rows(residual)
    rows, n = flat.shape
    options = tile(n)
    grid = (triton.cdiv(rows, options["ROWS"]),)
    if rows:
        Launcher(rms_norm_forward)[grid](
            flat, beside, weight, y, total, scales, flat.stride(0), beside.stride(0), rows, n, eps,
            RESIDUAL=residual is not None, **options,
        )  # fmt: skip
    return y, total, scales


def rms_norm_grad(
    grad: Tensor, total_grad: Tensor | None, x: Tensor, weight: Tensor, scales: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of `x` and `weight`, where `x` is what was normalised."""
    x_grad = like(x)
    flat, flat_grad = as_rows(x), as_rows(grad)
    beside = flat_grad if total_grad is None else as_rows(total_grad)
    rows, n = flat.shape
    options = tile(n)
    programs = workers(x.device, rows, options["ROWS"])
    weight_sums = torch.empty(programs, n, dtype=torch.float32, device=x.device)
    Launcher(rms_norm_backward)[(programs,)](
        flat_grad, beside, flat, weight, scales, x_grad, weight_sums,
        flat_grad.stride(0), beside.stride(0), flat.stride(0), rows, n, RESIDUAL=total_grad is not None, **options,
    )  # fmt: skip
    return x_grad, weight_sums.sum(0).to(weight.dtype)


def _signatures() -> list[Compilation]:
    found = []
    row, strides = "*bf16", {"x_stride": "i32:16", "rows": "i32", "n": "i32:16"}
    for n in (64, WIDEST):
        options = tile(n)
        warps = options.pop("num_warps")
        forward = {"x": row, "weight": "*fp32", "y": row, "scales": "*fp32", "eps": "fp32", **strides}
        backward = {"grad": row, "x": row, "weight": "*fp32", "scales": "*fp32", "x_grad": row, "weight_sums": "*fp32",
                    "grad_stride": "i32:16", **strides}  # fmt: skip
        residual = {"residual": row, "total": row, "residual_stride": "i32:16"}
        total_grad = {"total_grad": row, "total_grad_stride": "i32:16"}
        for kernel, types, flag in (
            (layer_norm_forward, {**forward, "bias": "*fp32", "means": "*fp32"}, "BIAS"),
            (layer_norm_backward, {**backward, "bias_sums": "*fp32", "means": "*fp32"}, "BIAS"),
            (rms_norm_forward, {**forward, **residual}, "RESIDUAL"),
            (rms_norm_backward, {**backward, **total_grad}, "RESIDUAL"),
        ):
            found.append(Compilation(kernel, types, {flag: True, **options}, num_warps=warps, label=f"{n}"))
    return found


SIGNATURES = _signatures()
