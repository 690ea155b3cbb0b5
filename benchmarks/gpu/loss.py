"""The linear map to the vocabulary with cross-entropy, fused and not: time and memory of both passes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.inputs import integers, normal
from benchmarks.gpu.results import Bench
from benchmarks.gpu.timing import Run
from minigpt.kernels.loss import linear_cross_entropy

ABOUT = "the fused linear cross-entropy beside the unfused one: time and memory"


def step(function, x: Tensor, weight: Tensor, targets: Tensor) -> Run:
    """A forward pass and a backward pass."""
    x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()

    def run() -> tuple[Tensor, ...]:
        return torch.autograd.grad(function(x, weight, targets), (x, weight))

    return run


def unfused(x: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """As one writes it: all logits, then their loss."""
    return F.cross_entropy(x @ weight.T, targets)


def run(bench: Bench) -> None:
    """A small model with GPT-2's vocabulary, and a large one with Llama 3's."""
    for rows, width, vocabulary in (
        (bench.size(32768, 40), bench.size(1024, 16), bench.size(50304, 70)),
        (bench.size(16384, 24), bench.size(4096, 24), bench.size(128256, 130)),
    ):
        x, weight = normal(bench, rows, width), normal(bench, vocabulary, width, seed=1, scale=width**-0.5)
        targets = integers(bench, rows, below=vocabulary)
        case = f"{rows} tokens, width {width}, vocabulary {vocabulary}"
        found = bench.compare(
            "linear cross-entropy",
            case,
            x.dtype,
            {
                "minigpt": bench.forced(step(linear_cross_entropy, x, weight, targets)),
                "unfused": step(unfused, x, weight, targets),
                "unfused, torch.compile": step(bench.compiled(unfused), x, weight, targets),
            },
            flops=6 * rows * width * vocabulary,
            memory=True,
        )
        ratio = found.ratio("unfused")
        bench.goal(f"linear cross-entropy, {case}, time of the unfused", ratio and 1 / ratio, 1.05, at="most")
        peaks = {row["implementation"]: row.get("peak_mb") for row in bench.rows if row["case"] == case}
        ours, theirs = peaks.get("minigpt"), peaks.get("unfused")
        share = ours / theirs if ours and theirs else None
        bench.goal(f"linear cross-entropy, {case}, memory of the unfused", share, 0.25, at="most")
