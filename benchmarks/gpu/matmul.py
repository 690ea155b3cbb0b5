"""Products of matrices beside cuBLAS, with what follows them too."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from benchmarks.gpu.inputs import normal
from benchmarks.gpu.results import Bench
from minigpt.kernels.matmul import matmul

ABOUT = "products of matrices beside cuBLAS"
DTYPES = (torch.bfloat16, torch.float16)


def run(bench: Bench) -> None:
    """Square ones, those of a linear map, and one with bias, GELU and residual."""
    side = bench.size(8192, 32)
    for n, dtype in [(side, torch.bfloat16), (side, torch.float16), (bench.size(4096, 16), torch.bfloat16)]:
        a, b = (normal(bench, n, n, seed=seed, dtype=dtype) for seed in range(2))
        found = bench.compare(
            "matmul",
            f"{n} x {n} x {n}",
            dtype,
            {
                "minigpt": bench.forced(lambda a=a, b=b: matmul(a, b)),
                "cuBLAS": lambda a=a, b=b: a @ b,
            },
            flops=2 * n**3,
            size=3 * n * n * dtype.itemsize,
        )
        if n == side and dtype == torch.bfloat16:
            bench.goal(f"matmul {n} x {n} x {n} in bfloat16, beside cuBLAS", found.ratio("cuBLAS"), 0.95)
    linear(bench)


def linear(bench: Bench) -> None:
    """Linear maps of a model: the weight lies the other way, and bias, GELU and residual follow."""
    rows, width, hidden = bench.size(16384, 16), bench.size(4096, 32), bench.size(16384, 48)
    x, weight = normal(bench, rows, width), normal(bench, hidden, width, seed=1, scale=width**-0.5)
    bias, residual = normal(bench, hidden, seed=2), normal(bench, rows, hidden, seed=3)
    plain = bench.compiled(lambda x: F.gelu(F.linear(x, weight, bias), approximate="tanh") + residual)
    flops, case = 2 * rows * width * hidden, f"{rows} x {width} x {hidden}"
    bench.compare(
        "linear",
        case,
        x.dtype,
        {"minigpt": bench.forced(lambda: matmul(x, weight.T)), "cuBLAS": lambda: F.linear(x, weight)},
        flops=flops,
    )
    bench.compare(
        "linear, bias, GELU, residual",
        case,
        x.dtype,
        {
            "minigpt": bench.forced(lambda: matmul(x, weight.T, bias=bias, residual=residual, activation="gelu_tanh")),
            "cuBLAS and torch.compile": lambda: plain(x),
        },
        flops=flops,
    )
