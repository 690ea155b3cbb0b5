"""The rungs of the ladder in CUDA C++, as they stand in the package, beside PyTorch's and cuBLAS's."""

from __future__ import annotations

import torch

from benchmarks.gpu.inputs import copy, normal
from benchmarks.gpu.results import Bench
from minigpt.kernels.cuda import rungs
from minigpt.kernels.cuda.sources import TYPES, signatures

ABOUT = "the rungs of the ladder in CUDA C++, beside PyTorch and cuBLAS"


def named(start: str) -> list[str]:
    """The rungs whose name begins so, from the bottom up."""
    return [name for name in rungs.RUNGS if name.startswith(start)]


def takes(name: str) -> torch.dtype:
    """The type of what a rung multiplies or adds."""
    return TYPES[signatures(rungs.source(name))[name].parameters[0].type]


def run(bench: Bench) -> None:
    """All of the ladder."""
    vectors(bench)
    products(bench)


def vectors(bench: Bench) -> None:
    """Addition, sum and softmax."""
    n = bench.size(2**28, 1000)
    a, b = (normal(bench, n, seed=seed, dtype=torch.float32) for seed in range(2))
    bench.compare(
        "vector addition",
        f"{n}",
        a.dtype,
        {"vector_add": lambda: rungs.vector_add(a, b), "PyTorch": lambda: a + b, "copy": copy(bench, 12 * n)},
        size=12 * n,
        ours=["vector_add"],
    )
    sums = {name: lambda name=name: rungs.total(a, name) for name in named("sum_")}
    bench.compare("sum", f"{n}", a.dtype, sums | {"PyTorch": a.sum}, size=4 * n, ours=list(sums))
    x = a.view(-1, bench.size(4096, 100))
    softmaxes = {name: lambda name=name: rungs.softmax(x, name) for name in named("softmax_")}
    peers = {"PyTorch": lambda: x.softmax(-1), "copy": copy(bench, 8 * n)}
    case = f"{x.shape[0]} x {x.shape[1]}"
    bench.compare("softmax", case, a.dtype, softmaxes | peers, size=8 * n, ours=list(softmaxes))


def products(bench: Bench) -> None:
    """Matmuls, in float32 and on tensor cores; TF32 stays off, so that cuBLAS too calculates in float32."""
    assert not torch.backends.cuda.matmul.allow_tf32
    n = bench.size(4096, 36)
    for dtype in (torch.float32, torch.float16):
        names = [name for name in named("matmul_") if takes(name) == dtype]
        a, b = (normal(bench, n, n, seed=seed, dtype=dtype) for seed in range(2))
        runs = {name: lambda name=name, a=a, b=b: rungs.matmul(a, b, name) for name in names}
        found = bench.compare(
            "matmul ladder",
            f"{n} x {n} x {n}",
            dtype,
            runs | {"cuBLAS": lambda a=a, b=b: a @ b},
            flops=2 * n**3,
            ours=names,
        )
        if dtype == torch.float32:
            goal = f"the end of the ladder, {names[-1]}, {n} x {n} x {n} in float32, beside cuBLAS"
            bench.goal(goal, found.ratio("cuBLAS", ours=names[-1]), 0.9)
