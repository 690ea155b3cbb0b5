"""Products of int8 and of fp8 with a scale for each row and column, beside PyTorch's."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.gpu.inputs import normal
from benchmarks.gpu.results import Bench
from minigpt.kernels.quantize import quantize, scaled_matmul

ABOUT = "products of int8 and of fp8 with scales, beside PyTorch's"


def by_pytorch(a: Tensor, b: Tensor, a_scales: Tensor, b_scales: Tensor) -> Tensor:
    """The same by cuBLAS: with fp8 the scales are part of it, with int8 they come after."""
    if a.dtype == torch.int8:
        return (torch._int_mm(a, b) * a_scales[:, None] * b_scales).bfloat16()
    scales = a_scales[:, None], b_scales[None, :]
    return torch._scaled_mm(a, b, *scales, out_dtype=torch.bfloat16)


def run(bench: Bench) -> None:
    """Square products of both kinds, and beside them the same in bfloat16."""
    n = bench.size(8192, 32)
    x, y = (normal(bench, n, n, seed=seed) for seed in range(2))
    for dtype in (torch.int8, torch.float8_e4m3fn):
        (a, a_scales), (b, b_scales) = quantize(x, dtype), quantize(y, dtype)
        given = (a, b.T, a_scales, b_scales)
        compiled = bench.compiled(by_pytorch)
        bench.compare(
            "scaled matmul",
            f"{n} x {n} x {n}",
            dtype,
            {
                "minigpt": bench.forced(lambda given=given: scaled_matmul(*given)),
                "PyTorch": lambda given=given: by_pytorch(*given),
                "PyTorch, torch.compile": lambda given=given, compiled=compiled: compiled(*given),
                "bfloat16, cuBLAS": lambda: x @ y.T,
            },
            flops=2 * n**3,
        )
