"""Every kernel that the memory bounds, forward and backward, beside a copy of as many bytes and `torch.compile`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.inputs import backward, copy, integers, normal
from benchmarks.gpu.results import Bench, Comparison
from minigpt.kernels.activation import gelu, swiglu
from minigpt.kernels.adamw import adamw
from minigpt.kernels.loss import cross_entropy
from minigpt.kernels.norm import add_rms_norm, layer_norm, rms_norm
from minigpt.kernels.quantize import quantize
from minigpt.kernels.reference import adamw as adamw_formula
from minigpt.kernels.rotary import rotary
from minigpt.kernels.softmax import softmax

ABOUT = "kernels that the memory bounds, beside a copy of as many bytes and torch.compile"
SETTINGS = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}


@dataclass(frozen=True)
class Operation:
    """An operation, ours and written in PyTorch.

    Args:
        name: of it.
        ours: from the large tensors, and those beside them, to one result or some.
        plain: the same for `torch.compile`.
        large: how many large tensors it reads.
        forward: how many it reads and writes.
        backward: how many its backward pass reads and writes.
        price: operations for each number, as `minigpt.scaling` counts them; twice as many backward.
        beside: how many small tensors there are, which have gradients too.
    """

    name: str
    ours: Callable[..., Tensor | tuple[Tensor, ...]]
    plain: Callable[..., Tensor | tuple[Tensor, ...]]
    large: int
    forward: int
    backward: int
    price: int
    beside: int = 0


def plain_add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The addition between two layers, and the norm."""
    total = x + residual
    return F.rms_norm(total, weight.shape, weight, 1e-5), total


ROWS = (
    Operation("softmax", softmax, lambda x: x.softmax(-1), 1, 2, 3, 5),
    Operation("layer norm", layer_norm, lambda x, w, b: F.layer_norm(x, w.shape, w, b, 1e-5), 1, 2, 3, 8, 2),
    Operation("RMS norm", rms_norm, lambda x, w: F.rms_norm(x, w.shape, w, 1e-5), 1, 2, 3, 4, 1),
    Operation("addition and RMS norm", add_rms_norm, plain_add_rms_norm, 2, 4, 4, 5, 1),
    Operation("GELU", gelu, lambda x: F.gelu(x), 1, 2, 3, 8),
    Operation("GELU by tanh", lambda x: gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh"), 1, 2, 3, 8),
    Operation("SwiGLU", swiglu, lambda gate, up: F.silu(gate) * up, 2, 3, 5, 9),
)


def run(bench: Bench) -> None:
    """All of them."""
    for operation in ROWS:
        rows(bench, operation)
    rotated(bench)
    losses(bench)
    quantised(bench)
    optimiser(bench)


def goals(bench: Bench, name: str, found: Comparison) -> None:
    """What every one of them is to reach."""
    bench.goal(f"{name}, share of a copy's bandwidth", found.ratio("copy"), 0.9)
    bench.goal(f"{name}, beside torch.compile", found.ratio("torch.compile"), 1.0)


def passes(
    bench: Bench,
    name: str,
    case: str,
    ours: Callable,
    plain: Callable,
    leaves: list[Tensor],
    sizes: tuple[int, int],
    flops: int,
) -> None:
    """Compare the forward passes, then the backward passes.

    Args:
        bench: the benchmark.
        name: of the operation.
        case: its shape.
        ours: our function of the leaves.
        plain: the same in PyTorch.
        leaves: its arguments, of which gradients are wanted.
        sizes: bytes that each pass reads and writes.
        flops: operations of the forward pass.
    """
    compiled = bench.compiled(plain)
    with torch.no_grad():
        forward = bench.compare(
            f"{name} forward",
            case,
            leaves[0].dtype,
            {
                "minigpt": bench.forced(lambda: ours(*leaves)),
                "copy": copy(bench, sizes[0]),
                "torch.compile": lambda: compiled(*leaves),
                "PyTorch": lambda: plain(*leaves),
            },
            flops=flops,
            size=sizes[0],
        )
    goals(bench, f"{name} forward", forward)
    results = plain(*leaves)
    results = results if isinstance(results, tuple) else (results,)
    grads = [normal(bench, *y.shape, seed=7 + i, dtype=y.dtype) for i, y in enumerate(results)]
    del results
    with bench.ours():
        own = backward(ours, leaves, grads)
    back = bench.compare(
        f"{name} backward",
        case,
        leaves[0].dtype,
        {
            "minigpt": bench.forced(own),
            "copy": copy(bench, sizes[1]),
            "torch.compile": backward(compiled, leaves, grads),
            "PyTorch": backward(plain, leaves, grads),
        },
        flops=2 * flops,
        size=sizes[1],
    )
    goals(bench, f"{name} backward", back)


def rows(bench: Bench, operation: Operation) -> None:
    """One of the operations over rows."""
    m, n = bench.size(65536, 5), bench.size(4096, 24)
    large = [normal(bench, m, n, seed=seed) for seed in range(operation.large)]
    beside = [normal(bench, n, seed=9 + seed) for seed in range(operation.beside)]
    each = m * n * large[0].element_size()
    sizes = operation.forward * each, operation.backward * each
    passes(
        bench,
        operation.name,
        f"{m} x {n}",
        operation.ours,
        operation.plain,
        [*large, *beside],
        sizes,
        operation.price * m * n,
    )


def rotated(bench: Bench) -> None:
    """Rotary positions of the queries of many tokens, in both layouts."""
    batch, time, heads, width = bench.size(16, 2), bench.size(4096, 3), bench.size(32, 2), bench.size(128, 8)
    x = normal(bench, batch, time, heads, width)
    angles = normal(bench, 1, time, width // 2, seed=1, dtype=torch.float32, scale=3.0)
    cosine, sine = angles.cos(), angles.sin()

    def halves(x: Tensor) -> Tensor:
        first, second = x.float().chunk(2, -1)
        cos, sin = cosine[:, :, None], sine[:, :, None]
        return torch.cat((first * cos - second * sin, second * cos + first * sin), -1).to(x.dtype)

    def neighbours(x: Tensor) -> Tensor:
        first, second = x.float().unflatten(-1, (-1, 2)).unbind(-1)
        cos, sin = cosine[:, :, None], sine[:, :, None]
        return torch.stack((first * cos - second * sin, second * cos + first * sin), -1).flatten(-2).to(x.dtype)

    size = 2 * x.numel() * x.element_size() + 2 * angles.numel() * angles.element_size()
    for layout, plain in (("half", halves), ("interleaved", neighbours)):
        passes(
            bench,
            f"rotary, {layout}",
            f"{batch} x {time} x {heads} x {width}",
            lambda x, layout=layout: rotary(x, cosine, sine, layout),
            plain,
            [x],
            (size, size),
            3 * x.numel(),
        )


def losses(bench: Bench) -> None:
    """Cross-entropy of the logits of Llama 3's vocabulary."""
    tokens, vocabulary = bench.size(8192, 5), bench.size(128256, 90)
    logits, targets = normal(bench, tokens, vocabulary), integers(bench, tokens, below=vocabulary)
    size = logits.numel() * logits.element_size()
    passes(
        bench,
        "cross-entropy",
        f"{tokens} x {vocabulary}",
        lambda logits: cross_entropy(logits, targets),
        lambda logits: F.cross_entropy(logits.float(), targets),
        [logits],
        (size, 2 * size),
        5 * logits.numel(),
    )


def quantised(bench: Bench) -> None:
    """Rows to 8 bits."""
    m, n = bench.size(65536, 5), bench.size(4096, 24)
    x = normal(bench, m, n)
    for dtype in (torch.int8, torch.float8_e4m3fn):
        largest = 127.0 if dtype == torch.int8 else 448.0

        def plain(x: Tensor, dtype: torch.dtype = dtype, largest: float = largest) -> tuple[Tensor, Tensor]:
            wide = x.float()
            scales = wide.abs().amax(-1).clamp(min=1e-30) / largest
            codes = wide / scales[:, None]
            return (codes.round() if dtype == torch.int8 else codes).to(dtype), scales

        compiled = bench.compiled(plain)
        size = x.numel() * (x.element_size() + 1)
        name = f"quantise to {str(dtype).removeprefix('torch.')}"
        found = bench.compare(
            name,
            f"{m} x {n}",
            x.dtype,
            {
                "minigpt": bench.forced(lambda dtype=dtype: quantize(x, dtype)),
                "copy": copy(bench, size),
                "torch.compile": lambda compiled=compiled: compiled(x),
            },
            flops=3 * x.numel(),
            size=size,
        )
        goals(bench, name, found)


def optimiser(bench: Bench) -> None:
    """A step of AdamW for the matrices and vectors of some layers, with everything in float32."""
    n, layers = bench.size(4096, 12), bench.size(12, 2)
    sizes = [(n, n), (n,)] * layers

    def tensors(seed: int) -> list[Tensor]:
        return [normal(bench, *size, seed=seed + i, dtype=torch.float32) for i, size in enumerate(sizes)]

    params, grads = tensors(0), tensors(100)
    means, squares = tensors(200), [x.square() for x in tensors(300)]
    theirs = [p.clone().requires_grad_() for p in params]
    for p, grad in zip(theirs, grads, strict=True):
        p.grad = grad
    optimizer = torch.optim.AdamW(theirs, **SETTINGS, fused=bench.device.type == "cuda")
    settings = (10, SETTINGS["lr"], *SETTINGS["betas"], SETTINGS["eps"], SETTINGS["weight_decay"])
    plain = bench.compiled(lambda p, g, m, v: adamw_formula.adamw(p, g, m, v, *settings))
    copies = [[x.clone() for x in group] for group in (params, means, squares)]
    size = 7 * sum(p.numel() for p in params) * 4  # four read, three written
    found = bench.compare(
        "AdamW",
        f"{layers} matrices of {n} x {n}, {layers} vectors",
        torch.float32,
        {
            "minigpt": bench.forced(lambda: adamw(params, grads, means, squares, step=10, **SETTINGS)),
            "copy": copy(bench, size),
            "torch.compile": lambda: plain(copies[0], grads, copies[1], copies[2]),
            "PyTorch, fused": optimizer.step,
        },
        flops=12 * sum(p.numel() for p in params),
        size=size,
    )
    goals(bench, "AdamW", found)
