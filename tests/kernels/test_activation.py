"""GELU and the gate of SwiGLU: as accurate as PyTorch's, from any strides."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from kernels.harness import (
    BOTH,
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
from minigpt.kernels.activation import gelu, swiglu
from minigpt.kernels.dispatch import use

pytestmark = on_every_device


def torch_gelu(x):
    return F.gelu(x)


def torch_gelu_tanh(x):
    return F.gelu(x, approximate="tanh")


def torch_swiglu(gate, up):
    return F.silu(gate) * up


OURS = {torch_gelu: gelu, torch_gelu_tanh: lambda x: gelu(x, "tanh"), torch_swiglu: swiglu}
each = pytest.mark.parametrize("theirs", OURS, ids=lambda function: function.__name__)


def run(function, tensors, grad):
    leaves = [x.detach().requires_grad_() for x in tensors]
    y = function(*leaves)
    return [y.detach(), *torch.autograd.grad(y, leaves, grad)]


def check(theirs, tensors, grad):
    plain = run(theirs, tensors, grad)
    exact = run(theirs, [x.double() for x in tensors], grad.double())
    with guarded(*tensors, grad) as (*tensors, grad):
        ours = run(OURS[theirs], tensors, grad)
    for result, beside, truth in zip(ours, plain, exact, strict=True):
        assert_as_accurate(result, beside, truth)


def drawn(data, theirs, size, dtype):
    x, up, grad = (data.draw(layouts(size, dtype, seed=seed)) for seed in range(3))
    return [x, up] if theirs is torch_swiglu else [x], grad


@each
@given(data=st.data(), rows=counts, n=widths, dtype=dtypes)
@examples
def test_the_reference_agrees_with_torch(theirs, data, rows, n, dtype):
    check(theirs, *drawn(data, theirs, (2, rows, n), dtype))


@needs_triton
@each
@given(data=st.data(), rows=counts, n=widths, dtype=dtypes)
@examples
def test_the_kernel_agrees_with_torch(theirs, data, rows, n, dtype):
    with interpreted():
        check(theirs, *drawn(data, theirs, (2, rows, n), dtype))


@needs_triton
@each
def test_programs_may_run_in_any_order(theirs):
    tensors = [draw(3, 2100, seed=seed) for seed in range(2 if theirs is torch_swiglu else 1)]
    grad = draw(3, 2103, seed=5)[:, 1:-2]
    with interpreted():
        first = run(OURS[theirs], tensors, grad)
        with reversed_programs():
            second = run(OURS[theirs], tensors, grad)
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))


@pytest.mark.parametrize("name", BOTH)
def test_halves_of_one_projection(name):
    both = draw(5, 2, 300)
    with use(name):
        gate, up = both.unbind(1)
        torch.testing.assert_close(swiglu(gate, up), F.silu(gate) * up)


@pytest.mark.parametrize("name", BOTH)
def test_far_out_they_are_zero_or_the_number_itself(name):
    x = torch.tensor([-1e4, -40.0, 0.0, 40.0, 1e4, torch.nan, torch.inf])
    with use(name):
        for form in ("none", "tanh"):
            y = gelu(x, form)
            assert y[:5].tolist() == [0, 0, 0, 40, 1e4]
            assert y[5].isnan()
            assert y[6] == torch.inf
        assert swiglu(x, torch.ones(7))[:5].tolist() == pytest.approx([0, 0, 0, 40, 1e4])


def test_gradients_in_float64():
    x, up = (draw(3, 5, seed=seed, dtype=torch.float64).requires_grad_() for seed in range(2))
    assert torch.autograd.gradcheck(gelu, x)
    assert torch.autograd.gradcheck(lambda x: gelu(x, "tanh"), x)
    assert torch.autograd.gradcheck(swiglu, (x, up))


@pytest.mark.parametrize("name", BOTH)
def test_they_are_operations_of_torch(name):
    x, up = (draw(3, 64, seed=seed).requires_grad_() for seed in range(2))
    with use(name):
        torch.library.opcheck(torch.ops.minigpt.gelu, (x, True))
        torch.library.opcheck(torch.ops.minigpt.swiglu, (x, up))


def test_they_compile_in_one_graph():
    compiled = torch.compile(lambda x, up: swiglu(gelu(x), up).sum(), fullgraph=True, backend="aot_eager")
    x, up = (draw(3, 64, seed=seed) for seed in range(2))
    one = torch.tensor(1.0)
    expected = run(lambda x, up: (F.silu(F.gelu(x)) * up).sum(), [x, up], one)
    for y, other in zip(run(compiled, [x, up], one), expected, strict=True):
        torch.testing.assert_close(y, other)


def test_what_they_do_not_take():
    with pytest.raises(ValueError, match="approximate='erf' is not known"):
        gelu(torch.zeros(2), "erf")
    with pytest.raises(ValueError, match=r"x is torch\.int64"):
        gelu(torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"gate is \(2,\) torch.float32, up is \(3,\)"):
        swiglu(torch.zeros(2), torch.zeros(3))
