"""Softmax: as accurate as PyTorch's, in every shape, by the reference and by the kernel."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels.harness import (
    BOTH,
    DTYPES,
    assert_as_accurate,
    counts,
    draw,
    dtypes,
    examples,
    guarded,
    interpreted,
    layouts,
    needs_triton,
    on_every_device,
    reversed_programs,
    widths,
)
from minigpt.kernels.dispatch import use
from minigpt.kernels.softmax import softmax

pytestmark = on_every_device


def with_gradient(x, grad):
    x = x.detach().requires_grad_()
    y = softmax(x)
    return y.detach(), torch.autograd.grad(y, x, grad)[0]


def check(x, grad):
    """Forward and backward against float64, with bands around all that is read and written."""
    exact = x.double().detach().requires_grad_()
    result = torch.softmax(exact, -1)
    (slope,) = torch.autograd.grad(result, exact, grad.double())
    plain = torch.softmax(x, -1)
    with guarded(x, grad) as (x, grad):
        y, x_grad = with_gradient(x, grad)
    assert_as_accurate(y, plain, result.detach())
    # The gradient is a difference of numbers of the size of `g y`, each of which was rounded.
    rounded = (slope.abs() + result.detach() * grad.abs()).amax() * torch.finfo(x.dtype).eps if x.numel() else 0
    assert ((x_grad.double() - slope).abs() <= 4 * rounded).all()


@given(st.data(), counts, widths, dtypes)
@examples
def test_the_reference_agrees_with_torch(data, rows, n, dtype):
    check(data.draw(layouts((2, rows, n), dtype)), draw(2, rows, n, seed=1, dtype=dtype))


@needs_triton
@given(st.data(), counts, widths, dtypes)
@examples
def test_the_kernel_agrees_with_torch(data, rows, n, dtype):
    with interpreted():
        check(data.draw(layouts((2, rows, n), dtype)), data.draw(layouts((2, rows, n), dtype, seed=1)))


@needs_triton
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rows_longer_than_a_program_holds_are_read_in_pieces(dtype):
    with interpreted():
        check(10 * draw(2, 16385 + 300, dtype=dtype), draw(2, 16385 + 300, seed=1, dtype=dtype))


@needs_triton
def test_a_row_may_be_as_long_as_a_large_vocabulary():
    with interpreted():
        check(10 * draw(1, 128256), draw(1, 128256, seed=1))  # that of Llama 3


@needs_triton
@pytest.mark.parametrize("n", [64, 20000])
def test_programs_may_run_in_any_order(n):
    x, grad = draw(200, n)[: 200 if n < 100 else 3], draw(200, n, seed=1)[: 200 if n < 100 else 3]
    with interpreted():
        first = with_gradient(x, grad)
        with reversed_programs():
            second = with_gradient(x, grad)
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("n", [5, 17000])
def test_infinities_and_nan(name, n):
    x = draw(5, n)
    x[0] = -torch.inf  # nothing may be looked at
    x[1, 1:] = -torch.inf
    x[2, 3] = torch.nan
    x[3, 2] = torch.inf
    x[4] = 3e38  # without the maximum taken out, this would overflow
    with use(name):
        y = softmax(x)
    assert y[0].eq(0).all()
    assert y[1].tolist()[:5] == [1, 0, 0, 0, 0]
    assert y[2].isnan().all()
    torch.testing.assert_close(y[3].isnan(), torch.softmax(x[3], -1).isnan())
    torch.testing.assert_close(y[4], torch.full((n,), 1 / n))


def test_gradients_in_float64():
    assert torch.autograd.gradcheck(softmax, draw(3, 7, dtype=torch.float64).requires_grad_())


@pytest.mark.parametrize("name", BOTH)
def test_it_is_an_operation_of_torch(name):
    with use(name):
        torch.library.opcheck(torch.ops.minigpt.softmax, (draw(3, 64).requires_grad_(),))


def test_it_compiles_in_one_graph():
    compiled = torch.compile(lambda x: softmax(2 * x).square().sum(), fullgraph=True, backend="aot_eager")
    x, y = (draw(3, 64).requires_grad_() for _ in range(2))
    compiled(x).backward()
    torch.softmax(2 * y, -1).square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="takes rows of floats"):
        softmax(torch.tensor(1.0))
    with pytest.raises(ValueError, match=r"torch\.int64"):
        softmax(torch.zeros(3, dtype=torch.int64))
    with use("interpret"), pytest.raises(ValueError, match=r"softmax does not take \(3,\) torch.float64"):
        softmax(torch.zeros(3, dtype=torch.float64))
