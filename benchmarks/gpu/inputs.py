"""Random tensors for the benchmarks: never zeros, on which a GPU may be faster than on real data."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.gpu.results import Bench
from benchmarks.gpu.timing import Run


def normal(bench: Bench, *size: int, seed: int = 0, dtype: torch.dtype = torch.bfloat16, scale: float = 1.0) -> Tensor:
    """Normal numbers on the device of a benchmark.

    Args:
        bench: says the device.
        size: shape.
        seed: other numbers for another one.
        dtype: of the result.
        scale: standard deviation.
    """
    generator = torch.Generator(bench.device.type).manual_seed(seed)
    return (torch.randn(size, generator=generator, device=bench.device.type) * scale).to(dtype)


def integers(bench: Bench, *size: int, below: int, seed: int = 0) -> Tensor:
    """Whole numbers from 0.

    Args:
        bench: says the device.
        size: shape.
        below: what they stay below.
        seed: other numbers for another one.
    """
    generator = torch.Generator(bench.device.type).manual_seed(seed)
    return torch.randint(below, size, generator=generator, device=bench.device.type)


def copy(bench: Bench, size: int) -> Run:
    """Copies memory, so that as many bytes are read and written together.

    Args:
        bench: says the device.
        size: bytes read and written.
    """
    half = max(size // 2 // 16 * 16, 16)
    source = integers(bench, half // 4, below=2**31 - 1).to(torch.int32)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def backward(function: Callable[..., Tensor | tuple[Tensor, ...]], leaves: list[Tensor], grads: list[Tensor]) -> Run:
    """The backward pass alone, of a forward pass that is run now.

    Args:
        function: gives one tensor or some.
        leaves: its arguments, of which the gradients are wanted.
        grads: gradients of its results.
    """
    leaves = [x.detach().requires_grad_() for x in leaves]
    with torch.enable_grad():
        results = function(*leaves)
    return lambda: torch.autograd.grad(results, leaves, grads, retain_graph=True)
