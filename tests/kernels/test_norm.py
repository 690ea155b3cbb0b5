"""Layer norm and RMS norm, with and without the addition: as accurate as the plain formulas in PyTorch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from kernels.harness import (
    BOTH,
    DTYPES,
    assert_as_accurate,
    counts,
    draw,
    dtypes,
    examples,
    few_examples,
    guarded,
    interpreted,
    layouts,
    needs_triton,
    on_every_device,
    reversed_programs,
    widths,
)
from minigpt.kernels.dispatch import use
from minigpt.kernels.norm import add_rms_norm, layer_norm, rms_norm

pytestmark = on_every_device

EPS = 1e-5


def torch_layer_norm(x, weight, bias):
    return (F.layer_norm(x, weight.shape, weight, bias, EPS),)


def torch_rms_norm(x, weight):
    return (F.rms_norm(x, weight.shape, weight, EPS),)


def torch_add_rms_norm(x, residual, weight):
    return F.rms_norm(x + residual, weight.shape, weight, EPS), x + residual


OURS = {
    torch_layer_norm: lambda *tensors: (layer_norm(*tensors),),
    torch_rms_norm: lambda *tensors: (rms_norm(*tensors),),
    torch_add_rms_norm: add_rms_norm,
}


def run(function, tensors, grads):
    """Results and gradients, in this order."""
    leaves = [None if x is None else x.detach().requires_grad_() for x in tensors]
    results = function(*leaves)
    wanted = [x for x in leaves if x is not None]
    return [y.detach() for y in results] + list(torch.autograd.grad(results, wanted, grads))


def check(theirs, tensors, grads):
    """Against PyTorch in float64, with bands around all that is read and written."""
    plain = run(theirs, tensors, grads)
    exact = run(theirs, [None if x is None else x.double() for x in tensors], [g.double() for g in grads])
    with guarded(*tensors, *grads) as copies:
        ours = run(OURS[theirs], copies[: len(tensors)], copies[len(tensors) :])
    for result, beside, truth in zip(ours, plain, exact, strict=True):
        assert_as_accurate(result, beside, truth)


def draw_case(data, theirs, rows, n, dtype):
    size = (2, rows, n)
    x, residual, grad, grad_of_sum = (data.draw(layouts(size, dtype, seed=seed)) for seed in range(4))
    weight, bias = draw(n, seed=4, dtype=dtype), draw(n, seed=5, dtype=dtype)
    if theirs is torch_layer_norm:
        return [x, weight, bias if data.draw(st.booleans()) else None], [grad]
    if theirs is torch_rms_norm:
        return [x, weight], [grad]
    return [x, residual, weight], [grad, grad_of_sum]


@pytest.mark.parametrize("theirs", OURS, ids=lambda function: function.__name__)
@given(data=st.data(), rows=counts, n=widths, dtype=dtypes)
@examples
def test_the_reference_agrees_with_torch(theirs, data, rows, n, dtype):
    check(theirs, *draw_case(data, theirs, rows, n, dtype))


@needs_triton
@pytest.mark.parametrize("theirs", OURS, ids=lambda function: function.__name__)
@given(data=st.data(), rows=counts, n=widths, dtype=dtypes)
@examples
def test_the_kernel_agrees_with_torch(theirs, data, rows, n, dtype):
    with interpreted():
        check(theirs, *draw_case(data, theirs, rows, n, dtype))


@needs_triton
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_weights_may_have_more_digits_than_vectors(dtype):
    x, grad, weight, bias = (
        draw(9, 64, dtype=dtype),
        draw(9, 64, seed=1, dtype=dtype),
        draw(64, seed=2),
        draw(64, seed=3),
    )
    with use("torch"):
        expected = run(OURS[torch_layer_norm], [x, weight, bias], [grad])
    with interpreted():
        ours = run(OURS[torch_layer_norm], [x, weight, bias], [grad])
    assert [y.dtype for y in ours] == [dtype, dtype, torch.float32, torch.float32]
    for y, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(y, other, rtol=torch.finfo(y.dtype).eps, atol=1e-5)


@needs_triton
def test_programs_may_run_in_any_order():
    x, residual, grad, grad_of_sum = (draw(300, 64, seed=seed) for seed in range(4))
    weight = draw(64, seed=4)
    for theirs, tensors, grads in (
        (torch_layer_norm, [x, weight, draw(64, seed=5)], [grad]),
        (torch_add_rms_norm, [x, residual, weight], [grad, grad_of_sum]),
    ):
        with interpreted():
            first = run(OURS[theirs], tensors, grads)
            with reversed_programs():
                second = run(OURS[theirs], tensors, grads)
        assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))


@pytest.mark.parametrize("name", BOTH)
def test_hard_rows(name):
    x = draw(4, 64)
    x[0] = 5.0  # no variance
    x[1, 3], x[2, 3] = torch.nan, torch.inf
    x[3] += 1e4  # a mean far larger than the deviation
    weight = torch.ones(64)
    with use(name):
        y, z = layer_norm(x, weight), rms_norm(x, weight)
    assert y[0].eq(0).all()
    assert y[1:3].isnan().all()
    exact = F.layer_norm(x[3].double(), (64,))
    # float32 knows numbers near 10,000 to 0.0005, and the deviation here is about 1.
    torch.testing.assert_close(y[3].double(), exact, rtol=0, atol=2e-3)
    torch.testing.assert_close(z[0], torch.ones(64))
    assert z[1].isnan().all()
    assert z[2, 3].isnan()
    assert z[2].nan_to_num().eq(0).all()


@needs_triton
@pytest.mark.parametrize("theirs", OURS, ids=lambda function: function.__name__)
@given(data=st.data(), rows=st.sampled_from([0, 1, 5]), n=st.sampled_from([8193, 12288, 16411]), dtype=dtypes)
@few_examples
def test_rows_longer_than_a_program_holds_are_read_in_pieces(theirs, data, rows, n, dtype):
    with interpreted():
        check(theirs, *draw_case(data, theirs, rows, n, dtype))


def test_gradients_in_float64():
    x, residual = (draw(3, 7, seed=seed, dtype=torch.float64).requires_grad_() for seed in range(2))
    weight, bias = (draw(7, seed=seed, dtype=torch.float64).requires_grad_() for seed in (2, 3))
    assert torch.autograd.gradcheck(layer_norm, (x, weight, bias))
    assert torch.autograd.gradcheck(layer_norm, (x, weight))
    assert torch.autograd.gradcheck(rms_norm, (x, weight))
    assert torch.autograd.gradcheck(add_rms_norm, (x, residual, weight))


@pytest.mark.parametrize("name", BOTH)
def test_they_are_operations_of_torch(name):
    x, residual = (draw(3, 64, seed=seed).requires_grad_() for seed in range(2))
    weight, bias = (draw(64, seed=seed).requires_grad_() for seed in (2, 3))
    with use(name):
        torch.library.opcheck(torch.ops.minigpt.layer_norm, (x, weight, bias, EPS))
        torch.library.opcheck(torch.ops.minigpt.layer_norm, (x, weight, None, EPS))
        torch.library.opcheck(torch.ops.minigpt.rms_norm, (x, weight, EPS))
        torch.library.opcheck(torch.ops.minigpt.add_rms_norm, (x, residual, weight, EPS))


def test_they_compile_in_one_graph():
    def model(x, weight, bias):
        y, total = add_rms_norm(layer_norm(x, weight, bias), x, weight)
        return (rms_norm(y, weight) * total).sum()

    given = [draw(3, 64), draw(64, seed=1), draw(64, seed=2)]
    expected = run(lambda *tensors: (model(*tensors),), given, [torch.tensor(1.0)])
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for y, other in zip(run(lambda *tensors: (compiled(*tensors),), given, [torch.tensor(1.0)]), expected, strict=True):
        torch.testing.assert_close(y, other)


def test_what_they_do_not_take():
    with pytest.raises(ValueError, match=r"weight has the shape \(3,\) and x \(2, 4\)"):
        rms_norm(torch.zeros(2, 4), torch.ones(3))
    with pytest.raises(ValueError, match=r"at least 1"):
        layer_norm(torch.zeros(2, 0), torch.ones(0))
    with pytest.raises(ValueError, match=r"bias has the shape \(5,\)"):
        layer_norm(torch.zeros(2, 4), torch.ones(4), torch.ones(5))
    with pytest.raises(ValueError, match=r"eps=0 must be positive"):
        rms_norm(torch.zeros(2, 4), torch.ones(4), eps=0)
    with pytest.raises(ValueError, match=r"residual is \(2, 4\) torch.float64"):
        add_rms_norm(torch.zeros(2, 4), torch.zeros(2, 4).double(), torch.ones(4))


@pytest.mark.parametrize("name", BOTH)
def test_weights_may_have_gaps_or_be_one_number_repeated(name):
    x, gaps, one = draw(3, 64), draw(64, 2, seed=1)[:, 0], draw(1, seed=2).expand(64)
    with use(name):
        torch.testing.assert_close(layer_norm(x, gaps, one), F.layer_norm(x, (64,), gaps, one, EPS))
        torch.testing.assert_close(rms_norm(x, one), F.rms_norm(x, (64,), one, EPS))
