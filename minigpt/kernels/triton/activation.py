"""GELU and SwiGLU, number by number. Backward calculates the activation again in place of reading it."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.rows import as_rows, like

BLOCK = 2048
"""Numbers of a program: 16 a thread."""

WARPS = 4


@triton.jit
def _here(n, pieces, BLOCK: tl.constexpr):
    # The row, the first column and which columns there are, for the piece of a row that is this program's.
    program = tl.program_id(0)
    row = (program // pieces).to(tl.int64)
    start = (program % pieces).to(tl.int64) * BLOCK
    return row, start, tl.arange(0, BLOCK) < n - start


@triton.jit
def _tanh_argument(x):
    # Twice the argument of the tanh: (1 + tanh(u)) / 2 = sigmoid(2 u).
    return 1.5957691216057308 * (x + 0.044715 * x * x * x)


@triton.jit
def gelu_of(x, TANH: tl.constexpr):
    """`x P(X <= x)`, or its form with tanh, for a block that a kernel holds."""
    return x * tl.sigmoid(_tanh_argument(x)) if TANH else 0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))


@triton.jit
def gelu_forward(x, y, x_stride, n, pieces, TANH: tl.constexpr, BLOCK: tl.constexpr):
    """`x P(X <= x)`, or its form with tanh."""
    row, start, inside = _here(n, pieces, BLOCK)
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * x_stride + start + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + row * n + start + at, gelu_of(values, TANH), mask=inside)


@triton.jit
def gelu_backward(grad, x, x_grad, grad_stride, x_stride, n, pieces, TANH: tl.constexpr, BLOCK: tl.constexpr):
    """`g (P(x) + x p(x))`, or the same for the form with tanh."""
    row, start, inside = _here(n, pieces, BLOCK)
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * x_stride + start + at, mask=inside, other=0.0).to(tl.float32)
    g = tl.load(grad + row * grad_stride + start + at, mask=inside, other=0.0).to(tl.float32)
    if TANH:
        share = tl.sigmoid(_tanh_argument(values))
        slope = share + values * share * (1.0 - share) * 1.5957691216057308 * (1.0 + 0.134145 * values * values)
    else:
        density = 0.3989422804014327 * tl.exp(-0.5 * values * values)
        slope = 0.5 * (1.0 + tl.erf(values * 0.7071067811865476)) + values * density
    tl.store(x_grad + row * n + start + at, g * slope, mask=inside)


@triton.jit
def swiglu_forward(gate, up, y, gate_stride, up_stride, n, pieces, BLOCK: tl.constexpr):
    """`gate sigmoid(gate) up`."""
    row, start, inside = _here(n, pieces, BLOCK)
    at = tl.arange(0, BLOCK)
    a = tl.load(gate + row * gate_stride + start + at, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(up + row * up_stride + start + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + row * n + start + at, a * tl.sigmoid(a) * b, mask=inside)


@triton.jit
def swiglu_backward(
    grad, gate, up, gate_grad, up_grad, grad_stride, gate_stride, up_stride, n, pieces, BLOCK: tl.constexpr
):
    """With `s = sigmoid(gate)`: `g up s (1 + gate (1 - s))` and `g gate s`."""
    row, start, inside = _here(n, pieces, BLOCK)
    at = tl.arange(0, BLOCK)
    g = tl.load(grad + row * grad_stride + start + at, mask=inside, other=0.0).to(tl.float32)
    a = tl.load(gate + row * gate_stride + start + at, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(up + row * up_stride + start + at, mask=inside, other=0.0).to(tl.float32)
    share = tl.sigmoid(a)
    tl.store(gate_grad + row * n + start + at, g * b * share * (1.0 + a * (1.0 - share)), mask=inside)
    tl.store(up_grad + row * n + start + at, g * a * share, mask=inside)


def _laid_out(*tensors: Tensor) -> tuple[list[Tensor], tuple[int, ...], dict[str, int], tuple[int]]:
    # The tensors as matrices, then the strides of their rows, the length of a row, and the pieces of one; what is in
    # one piece of memory altogether is one long row.
    if all(tensor.is_contiguous() for tensor in tensors):
        flat, rows, n = list(tensors), 1, tensors[0].numel()
        strides = tuple(0 for _ in tensors)
    else:
        flat = [as_rows(tensor) for tensor in tensors]
        rows, n = flat[0].shape
        strides = tuple(matrix.stride(0) for matrix in flat)
    pieces = triton.cdiv(n, BLOCK)
    return flat, strides, {"n": n, "pieces": pieces, "BLOCK": BLOCK, "num_warps": WARPS}, (rows * pieces,)


def gelu(x: Tensor, tanh: bool) -> Tensor:
    """GELU of each number."""
    y = like(x)
    if x.numel():
        (flat,), strides, options, grid = _laid_out(x)
        Launcher(gelu_forward)[grid](flat, y, *strides, TANH=tanh, **options)
    return y


def gelu_grad(grad: Tensor, x: Tensor, tanh: bool) -> Tensor:
    """The gradient of `x`."""
    x_grad = like(x)
    if x.numel():
        (flat_grad, flat), strides, options, grid = _laid_out(grad, x)
        Launcher(gelu_backward)[grid](flat_grad, flat, x_grad, *strides, TANH=tanh, **options)
    return x_grad


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """The gated half."""
    y = like(gate)
    if gate.numel():
        flat, strides, options, grid = _laid_out(gate, up)
        Launcher(swiglu_forward)[grid](*flat, y, *strides, **options)
    return y


def swiglu_grad(grad: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of both halves."""
    gate_grad, up_grad = like(gate), like(up)
    if gate.numel():
        flat, strides, options, grid = _laid_out(grad, gate, up)
        Launcher(swiglu_backward)[grid](*flat, gate_grad, up_grad, *strides, **options)
    return gate_grad, up_grad


def _signatures() -> list[Compilation]:
    found = []
    row, place = "*bf16", {"n": "i32:16", "pieces": "i32"}
    for tanh in (False, True):
        constants, label = {"TANH": tanh, "BLOCK": BLOCK}, "tanh" if tanh else "erf"
        forward = {"x": row, "y": row, "x_stride": "i32:16", **place}
        backward = {"grad": row, "x": row, "x_grad": row, "grad_stride": "i32:16", "x_stride": "i32:16", **place}
        found.append(Compilation(gelu_forward, forward, constants, num_warps=WARPS, label=label))
        found.append(Compilation(gelu_backward, backward, constants, num_warps=WARPS, label=label))
    strides = {"gate_stride": "i32:16", "up_stride": "i32:16", **place}
    forward = {"gate": row, "up": row, "y": row, **strides}
    backward = {
        "grad": row,
        "gate": row,
        "up": row,
        "gate_grad": row,
        "up_grad": row,
        "grad_stride": "i32:16",
        **strides,
    }
    return [
        *found,
        Compilation(swiglu_forward, forward, {"BLOCK": BLOCK}, num_warps=WARPS),
        Compilation(swiglu_backward, backward, {"BLOCK": BLOCK}, num_warps=WARPS),
    ]


SIGNATURES = _signatures()
