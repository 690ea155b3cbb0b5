"""A step of AdamW: PyTorch's own, for many tensors at once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels.harness import BOTH, draw, examples, guarded, interpreted, needs_triton, on_every_device, reversed_programs
from minigpt.kernels.adamw import adamw
from minigpt.kernels.dispatch import use

pytestmark = on_every_device

SIZES = [(3, 5), (1,), (0, 4), (2048,), (70, 61), ()]
SETTINGS = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.3}


def state(dtype=torch.float32, of_averages=torch.float32, sizes=SIZES):
    params = [draw(*size, seed=i, dtype=dtype) for i, size in enumerate(sizes)]
    averages = [[torch.zeros(size, dtype=of_averages) for size in sizes] for _ in range(2)]
    return params, averages


def gradients(step, dtype=torch.float32, sizes=SIZES):
    return [draw(*size, seed=100 * step + i, dtype=dtype) for i, size in enumerate(sizes)]


@pytest.mark.parametrize("name", BOTH)
def test_it_makes_the_steps_of_torch(name):
    params, averages = state()
    theirs = [p.double().requires_grad_() for p in params]
    optimizer = torch.optim.AdamW(theirs, **SETTINGS)
    for step in range(1, 4):
        grads = gradients(step)
        for p, grad in zip(theirs, grads, strict=True):
            p.grad = grad.double()
        optimizer.step()
        with use(name):
            adamw(params, grads, *averages, step=step, **SETTINGS)
    for p, other in zip(params, theirs, strict=True):
        torch.testing.assert_close(p.double(), other.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_as_many_digits_are_rounded_once_a_step(name, dtype):
    params, averages = state(dtype)
    exact, exact_averages = state(torch.float64, torch.float64)
    for p, start in zip(exact, params, strict=True):
        p.copy_(start)
    grads = gradients(1, dtype)
    with use(name):
        adamw(params, grads, *averages, step=1, **SETTINGS)
    with use("torch"):
        adamw(exact, [grad.double() for grad in grads], *exact_averages, step=1, **SETTINGS)
    for p, other in zip(params, exact, strict=True):
        torch.testing.assert_close(p.double(), other, rtol=0.51 * torch.finfo(dtype).eps, atol=1e-6)


@needs_triton
def test_nothing_beside_the_tensors_is_touched_and_programs_run_in_any_order():
    results = []
    for order in (interpreted, reversed_programs):
        params, (means, squares) = state()
        with guarded(*params, *gradients(1), *means, *squares) as copies, use("interpret"), order():
            p, g, m, v = (copies[i * len(SIZES) : (i + 1) * len(SIZES)] for i in range(4))
            adamw(p, g, m, v, step=1, **SETTINGS)
        results.append(p)
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))


@needs_triton
@examples
@given(sizes=st.lists(st.lists(st.sampled_from([0, 1, 3, 31, 64, 97]), max_size=2).map(tuple), min_size=1, max_size=5))
def test_the_kernel_takes_any_number_of_tensors_of_any_shape(sizes):
    results = []
    for name in ("torch", "interpret"):
        params, (means, squares) = state(sizes=sizes)
        with use(name), guarded(*params, *gradients(1, sizes=sizes), *means, *squares) as copies:
            p, g, m, v = (copies[i * len(sizes) : (i + 1) * len(sizes)] for i in range(4))
            adamw(p, g, m, v, step=1, **SETTINGS)
        results.append([*p, *m, *v])
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", BOTH)
def test_nan_and_infinity_in_a_gradient_touch_their_own_number_alone(name):
    params, averages = state(sizes=[(2, 3)])
    (grad,) = gradients(1, sizes=[(2, 3)])
    grad[0, 1], grad[1, 2] = torch.nan, torch.inf
    with use(name):
        adamw(params, [grad], *averages, step=1, **SETTINGS)
    assert params[0].isfinite().tolist() == [[True, False, True], [True, True, False]]


@pytest.mark.parametrize("name", BOTH)
def test_a_gradient_may_lie_otherwise_in_memory(name):
    params, averages = state(sizes=[(3, 5)])
    others, other_averages = state(sizes=[(3, 5)])
    (grad,) = gradients(1, sizes=[(3, 5)])
    with use(name):
        adamw(params, [grad.T.contiguous().T], *averages, step=1, **SETTINGS)
        adamw(others, [grad], *other_averages, step=1, **SETTINGS)
    assert torch.equal(params[0], others[0])


@pytest.mark.parametrize("name", BOTH)
def test_it_is_an_operation_of_torch(name):
    params, averages = state()
    with use(name):
        torch.library.opcheck(torch.ops.minigpt.adamw, (params, gradients(1), *averages, 1, 0.1, 0.8, 0.95, 1e-6, 0.3))


def test_it_compiles_in_one_graph():
    params, averages = state()
    others, other_averages = state()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def step(params, grads, means, squares):
        adamw(params, [2 * grad for grad in grads], means, squares, step=1, **SETTINGS)

    step(params, gradients(1), *averages)
    adamw(others, [2 * grad for grad in gradients(1)], *other_averages, step=1, **SETTINGS)
    assert all(torch.equal(*pair) for pair in zip(params, others, strict=True))


def test_no_parameters_are_no_work():
    adamw([], [], [], [], step=1, lr=0.1)


def test_what_it_does_not_take():
    params, averages = state(sizes=[(3, 5), (2,)])
    grads = gradients(1, sizes=[(3, 5), (2,)])
    with pytest.raises(ValueError, match="step=0"):
        adamw(params, grads, *averages, step=0, lr=0.1)
    with pytest.raises(ValueError, match=r"lists of \[2, 1, 2, 2\] tensors"):
        adamw(params, grads[:1], *averages, step=1, lr=0.1)
    with pytest.raises(ValueError, match=r"parameter 0: .* shape \(3, 5\)"):
        adamw(params, grads[::-1], *averages, step=1, lr=0.1)
    with pytest.raises(ValueError, match=r"parameter 0 .* in one piece"):
        adamw([params[0].T.contiguous().T, params[1]], grads, *averages, step=1, lr=0.1)
    with pytest.raises(ValueError, match="params are of several types"):
        adamw([params[0], params[1].bfloat16()], grads, *averages, step=1, lr=0.1)


@pytest.mark.parametrize("name", BOTH)
def test_parameters_may_be_parts_of_one_buffer_that_begin_anywhere(name):
    memory = [draw(140, seed=seed) for seed in range(2)] + [torch.zeros(140) for _ in range(2)]
    parts = [[flat[1:70], flat[71:]] for flat in memory]
    whole = [[flat.clone()] for flat in memory]
    with use(name):
        adamw(*parts, step=1, **SETTINGS)
        adamw(*whole, step=1, **SETTINGS)
    assert torch.equal(memory[0][1:70], whole[0][0][1:70])
    assert torch.equal(memory[0][71:], whole[0][0][71:])
    assert memory[0][70] != whole[0][0][70]
