"""The grouped matmul of a mixture of experts beside a loop of matmuls, and PyTorch's own where it has one."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.gpu.inputs import backward, normal
from benchmarks.gpu.results import Bench
from minigpt.kernels.moe import Routes, grouped_matmul, route

ABOUT = "the grouped matmul beside a loop of matmuls"


def loop(x: Tensor, weights: Tensor, routes: Routes, ends: list[int]) -> Tensor:
    """One product for each expert. It is told where the rows of each end, which a model would have to wait for."""
    sorted_x = x[routes.tokens]
    starts = [0, *ends[:-1]]
    return torch.cat([sorted_x[i:j] @ weight for i, j, weight in zip(starts, ends, weights, strict=True)])


def by_pytorch(x: Tensor, weights: Tensor, routes: Routes) -> Tensor:
    """PyTorch's grouped product of sorted rows."""
    return torch._grouped_mm(x[routes.tokens], weights, offs=routes.ends.to(torch.int32))


def run(bench: Bench) -> None:
    """Each token goes to two of eight experts, and to eight of 64."""
    tokens, width = bench.size(16384, 40), bench.size(4096, 16)
    for n_experts, k, hidden in (
        (8, 2, bench.size(14336, 24)),
        (bench.size(64, 6), bench.size(8, 3), bench.size(2048, 32)),
    ):
        x = normal(bench, tokens, width)
        weights = normal(bench, n_experts, width, hidden, seed=1, scale=width**-0.5)
        scores = normal(bench, tokens, n_experts, seed=2, dtype=torch.float32)
        routes = route(scores.topk(k).indices, n_experts)
        ends, rows = routes.ends.tolist(), tokens * k
        case = f"{tokens} tokens to {k} of {n_experts}, {width} x {hidden}"
        functions = {
            "minigpt": lambda x, w, routes=routes: grouped_matmul(x, w, routes),
            "loop": lambda x, w, routes=routes, ends=ends: loop(x, w, routes, ends),
            "PyTorch, grouped": lambda x, w, routes=routes: by_pytorch(x, w, routes),
        }
        runs = {name: lambda f=f, x=x, w=weights: f(x, w) for name, f in functions.items()}
        runs["minigpt"] = bench.forced(runs["minigpt"])
        flops = 2 * rows * width * hidden
        with torch.no_grad():
            forward = bench.compare("grouped matmul forward", case, x.dtype, runs, flops=flops)
        grad = normal(bench, rows, hidden, seed=3)
        with bench.ours():
            own = backward(functions["minigpt"], [x, weights], [grad])
        others = {
            name: backward(functions[name], [x, weights], [grad])
            for name in list(functions)[1:]
            if name in forward.times
        }
        runs = {"minigpt": bench.forced(own), **others}
        bench.compare("grouped matmul backward", case, x.dtype, runs, flops=2 * flops)
