"""The helpers catch what they are to catch."""

import pytest
import torch

from kernels.harness import assert_as_accurate, guarded, interpreted, reversed_programs
from minigpt.kernels.dispatch import choice

triton = pytest.importorskip("triton", reason="Triton has wheels for Linux alone")

import triton.language as tl  # noqa: E402

from minigpt.kernels.interpret import Launcher  # noqa: E402


@triton.jit
def copy_kernel(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n, other=0.0), mask=at < n)


@triton.jit
def racing_kernel(x, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x + at + BLOCK, tl.load(x + at) + 1)


def test_a_write_beside_a_tensor_is_caught():
    with pytest.raises(AssertionError, match="28 elements beside"), guarded(torch.ones(100)) as (x,):
        Launcher(copy_kernel)[(1,)](x, torch.empty(100), 128, BLOCK=128)


def test_a_read_beside_a_tensor_gives_nan():
    with guarded(torch.ones(100)) as (x,):
        y = torch.empty(128)
        Launcher(copy_kernel)[(1,)](x, y, 128, BLOCK=128)
    assert y[:100].eq(1).all()
    assert y[100:].isnan().all()


def test_what_a_kernel_leaves_out_is_nan():
    with guarded(torch.ones(100)) as (x,):
        y = torch.empty_like(x)
        Launcher(copy_kernel)[(1,)](x, y, 90, BLOCK=128)
    assert y[90:].isnan().all()


def test_a_guarded_tensor_keeps_strides_and_values():
    x = torch.arange(24.0).view(4, 6)[:, 1:4].requires_grad_()
    with guarded(x) as (copy,):
        assert torch.equal(copy, x)
        assert copy.stride() == x.stride()
        assert copy.requires_grad
        assert torch.zeros(2, 3).tolist() == [[0.0] * 3] * 2
    with pytest.raises(AssertionError, match="elements beside"), guarded(x) as (copy,):
        copy.detach().as_strided((4, 6), (6, 1)).zero_()


def test_a_race_shows_in_reverse_order():
    results = []
    for order in (interpreted, reversed_programs):
        x = torch.zeros(4 * 64)
        with order():
            Launcher(racing_kernel)[(3,)](x, BLOCK=64)
        results.append(x)
    assert not torch.equal(*results)


def test_interpreted_asks_for_the_interpreter():
    with interpreted():
        assert choice() == "interpret"


def test_a_result_with_too_large_an_error_is_refused():
    exact = torch.ones(3, dtype=torch.float64)
    assert_as_accurate(exact.float(), exact.float(), exact)
    with pytest.raises(AssertionError, match="is allowed"):
        assert_as_accurate(exact.float() + 1e-6, exact.float(), exact)
