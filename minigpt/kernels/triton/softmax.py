"""Softmax of rows, forward and backward: a row stays in registers between its three passes."""

from __future__ import annotations

import triton
import triton.language as tl

from minigpt.kernels.check.table import Compilation


@triton.jit
def softmax_forward(x, y, x_stride, n, BLOCK: tl.constexpr):
    """One program a row: `y = exp(x - max) / sum`, and zeros where all of a row is minus infinity."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * x_stride + at, mask=at < n, other=float("-inf")).to(tl.float32)
    largest = tl.max(values, 0)
    largest = tl.where(largest == float("-inf"), 0.0, largest)
    powers = tl.exp(values - largest)
    total = tl.sum(powers, 0)
    tl.store(y + row * n + at, powers / tl.where(total == 0.0, 1.0, total), mask=at < n)


SIGNATURES = [
    Compilation(
        softmax_forward, {"x": "*bf16", "y": "*bf16", "x_stride": "i32:16", "n": "i32:16"}, {"BLOCK": 4096}, num_warps=8
    )
]
