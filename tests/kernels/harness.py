"""What the tests of kernels share: guard bands around every buffer, programs in reverse order, tolerances, shapes.

Triton's interpreter reads and writes wherever a pointer points, and runs programs one after the other. So it sees
neither an overrun nor a race; these helpers make them visible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import pytest
import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._dynamo.trace_rules import get_torch_obj_rule_map

from minigpt.kernels.dispatch import has_triton, use

# `torch.compile` makes its list of PyTorch's functions once: before a guard puts others in the place of some.
get_torch_obj_rule_map()

needs_triton = pytest.mark.skipif(not has_triton(), reason="Triton is not installed (there are wheels for Linux alone)")

on_every_device = pytest.mark.usefixtures("device")
"""A test that runs on a CPU and, where there is one, on a GPU; see `conftest.py`."""

BOTH = ["torch", pytest.param("interpret", marks=needs_triton)]
"""What runs on a CPU: the reference, and the kernel in the interpreter; on a GPU the compiled kernel."""

examples = settings(
    derandomize=True,
    deadline=None,
    max_examples=12,
    database=None,
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # all examples of a test run on one device
)
"""For `@given`: a dozen examples, the same in every run."""

few_examples = settings(examples, max_examples=4)
"""The same for tensors that are large."""

BAND = 512
"""Elements before and behind a guarded tensor: as far as a block reaches beyond a row in the tests."""

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def poison(dtype: torch.dtype, number: int) -> tuple[torch.dtype, int]:
    """What stands in the guard bands of a buffer, as an integer type and its value: a NaN, else a large number.

    The bits of that NaN differ from buffer to buffer, so that NaN copied from one band to another is seen.
    """
    if dtype == torch.bool:
        return torch.uint8, 1
    bits = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    if not dtype.is_floating_point:
        return bits, torch.iinfo(bits).max - number % 64
    if dtype.itemsize == 1:
        return bits, 0x7F
    nan = torch.tensor(math.nan, dtype=dtype).view(bits).item()
    return bits, nan + 1 + number % 62


class Guards:
    """Tensors that lie within poisoned memory, which is to stay as it is."""

    def __init__(self) -> None:
        self.buffers: list[tuple[Tensor, Tensor, int]] = []

    def buffer(
        self, size: tuple[int, ...], stride: tuple[int, ...], dtype: torch.dtype, device: torch.device | str | None
    ) -> Tensor:
        """A tensor, all poison, with bands around it and poison between its elements where its strides leave gaps."""
        extent = 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if math.prod(size) else 0
        bits, value = poison(dtype, len(self.buffers))
        memory = torch.full((extent + 2 * BAND,), value, dtype=bits, device=device)
        outside = torch.ones(len(memory), dtype=torch.bool, device=device)
        outside.as_strided(size, stride, BAND).fill_(False)
        self.buffers.append((memory, outside, value))
        return memory.view(dtype).as_strided(size, stride, BAND)

    def copy(self, x: Tensor) -> Tensor:
        """The same values, strides and need of a gradient, within bands."""
        copy = self.buffer(tuple(x.shape), x.stride(), x.dtype, x.device)
        copy.copy_(x.detach())
        return copy.requires_grad_(x.requires_grad)

    def check(self) -> None:
        """Fail if something was written beside a tensor."""
        for memory, outside, value in self.buffers:
            changed = memory[outside] != value
            assert not changed.any(), f"{changed.sum()} elements beside a tensor of {(~outside).sum()} were written"


_empty_like = torch.empty_like


@contextmanager
def guarded(*tensors: Tensor | None) -> Iterator[list[Tensor | None]]:
    """Copies of tensors within poisoned memory; at the end of the block, that memory must be as it was.

    Within the block, what `torch.empty`, `torch.empty_like`, `torch.zeros` and `torch.zeros_like` give has bands too,
    and empty tensors hold NaN: so a kernel that reads or writes outside of a tensor, or leaves a part of its result
    unwritten, is caught.
    """
    guards = Guards()

    def size_of(size) -> tuple[int, ...]:
        return tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else tuple(size)

    def empty(*size, dtype=None, device=None, **_) -> Tensor:
        size = size_of(size)
        strides = tuple(math.prod(size[i + 1 :]) for i in range(len(size)))
        return guards.buffer(size, strides, dtype or torch.get_default_dtype(), device)

    def empty_like(x, *, dtype=None, **named) -> Tensor:
        like = _empty_like(x, dtype=dtype, **named)
        return guards.buffer(tuple(like.shape), like.stride(), like.dtype, like.device)

    changed: dict[str, Callable[..., Tensor]] = {
        "empty": empty,
        "empty_like": empty_like,
        "zeros": lambda *size, **named: empty(*size, **named).zero_(),
        "zeros_like": lambda x, **named: empty_like(x, **named).zero_(),
    }
    with ExitStack() as stack:
        copies = [None if x is None else guards.copy(x) for x in tensors]
        for name, function in changed.items():
            stack.enter_context(mock.patch.object(torch, name, function))
        yield copies
    guards.check()


@contextmanager
def interpreted() -> Iterator[None]:
    """Run the Triton kernels: on a CPU in the interpreter."""
    with use("interpret"):
        yield


@contextmanager
def reversed_programs() -> Iterator[None]:
    """Run the programs of each interpreted kernel from the last to the first: a GPU promises no order."""
    from minigpt.kernels.interpret import program_order

    with program_order(reversed):
        yield


def tolerance(dtype: torch.dtype, terms: int = 1) -> dict[str, float]:
    """`rtol` and `atol` for `torch.testing.assert_close`, for numbers of about 1.

    Args:
        dtype: of the result. float32 is what is calculated in, so that narrower types are rounded once at the end.
        terms: length of the longest sum; its error grows like the root of it.
    """
    unit = torch.finfo(dtype).eps / 2
    single = torch.finfo(torch.float32).eps / 2
    atol = 8 * single * math.sqrt(terms) + (unit if unit > single else 0)
    return {"rtol": 2 * unit + 8 * single, "atol": atol}


def assert_as_accurate(ours: Tensor, plain: Tensor, exact: Tensor) -> None:
    """Our result errs at most twice as much as the plain formula in PyTorch in the same type, and one rounding.

    Args:
        ours: what a kernel gave.
        plain: what PyTorch gives in that type.
        exact: the same in float64.
    """
    assert ours.dtype == plain.dtype
    assert ours.shape == plain.shape == exact.shape
    if not exact.numel():
        return
    error = (ours.double() - exact).abs().max()
    allowed = 2 * (plain.double() - exact).abs().max() + torch.finfo(ours.dtype).eps * exact.abs().max()
    assert error <= allowed, f"error {error:.2e} where {allowed:.2e} is allowed"


def assert_is_product(ours: Tensor, left: Tensor, right: Tensor, code: torch.dtype) -> None:
    """Our result is the product of two matrices in float64, of numbers that were stored in 8 bits.

    On a GPU, sums of 8-bit floats may have no more than 14 bits (Hopper), which is allowed for.
    """
    slack = 2**-12 if ours.is_cuda and code.is_floating_point else 2**-22
    error, eps = (ours.double() - left @ right).abs(), torch.finfo(ours.dtype).eps
    assert (error <= slack * (left.abs() @ right.abs()) + eps * (left @ right).abs() + 1e-7).all()


def generator(seed: int) -> torch.Generator:
    """What draws numbers on the device of the test."""
    return torch.Generator(torch.get_default_device()).manual_seed(seed)


def draw(*size: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers from -2 to 2; on a CPU the same on every machine."""
    return (torch.rand(size, generator=generator(seed)) * 4 - 2).to(dtype)


widths = st.one_of(st.sampled_from([1, 2, 3, 31, 64, 97, 128, 257]), st.integers(1, 300))
"""Lengths of rows: 1, primes, powers of two, and those beside them."""

counts = st.sampled_from([0, 1, 2, 5])
"""Numbers of rows; none is among them."""

dtypes = st.sampled_from(DTYPES)


@st.composite
def layouts(draw_from, size: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    """A tensor of a shape: in one piece, or a part of a wider one, so that its rows have gaps between them."""
    if not draw_from(st.booleans()) or not size:
        return draw(*size, seed=seed, dtype=dtype)
    return draw(*size[:-1], size[-1] + 3, seed=seed, dtype=dtype)[..., 1:-2]
