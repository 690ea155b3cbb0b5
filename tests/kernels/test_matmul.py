"""matmul: the product and what follows it, against PyTorch in float64, by pointers and by descriptors."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from kernels.harness import (
    BOTH,
    DTYPES,
    assert_as_accurate,
    draw,
    examples,
    guarded,
    interpreted,
    needs_triton,
    on_every_device,
    reversed_programs,
)
from minigpt.kernels.dispatch import use
from minigpt.kernels.matmul import _matmul, matmul

pytestmark = on_every_device


def by_hand(a, b, bias=None, residual=None, activation=None):
    y = a @ b if bias is None else a @ b + bias
    if activation is not None:
        y = F.gelu(y, approximate="tanh" if activation == "gelu_tanh" else "none")
    return y if residual is None else y + residual


def test_a_linear_map_with_bias_is_pytorchs():
    x, weight, bias = draw(2, 5, 8), draw(3, 8, seed=1), draw(3, seed=2)
    torch.testing.assert_close(matmul(x, weight.T, bias=bias), F.linear(x, weight, bias))


@needs_triton
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(64, 64, 64), (130, 72, 264), (1, 7, 3), (67, 33, 5)], ids=str)
def test_the_kernel_is_as_accurate_as_pytorch(shape, dtype):
    (m, k, n), scale = shape, 0.25
    a, b = draw(m, k, dtype=dtype) * scale, draw(k, n, seed=1, dtype=dtype) * scale
    bias, residual = draw(n, seed=2, dtype=dtype), draw(m, n, seed=3, dtype=dtype)
    with interpreted(), guarded(a, b, bias, residual) as (a_, b_, bias_, residual_):
        ours = matmul(a_, b_, bias=bias_, residual=residual_, activation="gelu")
    exact = by_hand(*(x.double() for x in (a, b, bias, residual)), "gelu")
    assert_as_accurate(ours, by_hand(a, b, bias, residual, "gelu"), exact)


@needs_triton
@examples
@given(
    m=st.sampled_from([0, 1, 31, 64]),
    k=st.sampled_from([0, 1, 64, 97]),
    n=st.sampled_from([0, 1, 31, 64]),
    left=st.booleans(),
    right=st.booleans(),
    gaps=st.booleans(),
)
def test_the_kernel_takes_every_shape_and_every_stride(m, k, n, left, right, gaps):
    a, b = draw(k, m).T if left else draw(m, k), draw(n, k, seed=1).T if right else draw(k, n, seed=1)
    if gaps:
        a, b = a.repeat_interleave(2, 0)[::2], b.repeat_interleave(2, 1)[:, ::2]
    with interpreted(), guarded(a, b) as (a_, b_):
        ours = matmul(a_, b_)
    assert_as_accurate(ours, a @ b, a.double() @ b.double())


@needs_triton
@pytest.mark.parametrize("transposed", [False, True])
def test_operands_that_a_descriptor_fetches_may_be_transposed(transposed):
    a, b = draw(72, 64, dtype=torch.bfloat16), draw(64, 72, seed=1, dtype=torch.bfloat16)
    if transposed:
        a, b = a.T.contiguous().T, b.T.contiguous().T
    with interpreted(), guarded(a, b) as (a_, b_):
        ours = matmul(a_, b_)
    assert_as_accurate(ours, a @ b, a.double() @ b.double())


@needs_triton
@pytest.mark.parametrize("activation", [None, "gelu", "gelu_tanh"])
def test_gradients_of_the_kernel_are_those_of_the_formula(activation):
    shapes = [(2, 20, 70), (70, 66), (66,), (2, 20, 66)]
    inputs = [draw(*shape, seed=i) / 4 for i, shape in enumerate(shapes)]
    upstream = draw(2, 20, 66, seed=9)
    gradients = []
    for run, dtype in ((matmul, torch.float32), (matmul, torch.float64)):
        leaves = [x.to(dtype).requires_grad_() for x in inputs]
        a, b, bias, residual = leaves
        with use("interpret" if dtype == torch.float32 else "torch"):
            y = run(a, b, bias=bias, residual=residual, activation=activation)
            gradients.append(torch.autograd.grad(y, leaves, upstream.to(dtype)))
    leaves = [x.double().requires_grad_() for x in inputs]
    plain = torch.autograd.grad(by_hand(*leaves, activation), leaves, upstream.double())
    for ours, reference, exact in zip(*gradients, plain, strict=True):
        torch.testing.assert_close(reference, exact)
        torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-5)


@needs_triton
def test_no_tile_depends_on_another():
    a, b = draw(130, 64), draw(64, 130, seed=1)
    with interpreted():
        forwards = matmul(a, b)
        with reversed_programs():
            assert torch.equal(matmul(a, b), forwards)


@needs_triton
def test_infinity_and_nan_stay_in_their_rows():
    a, b = draw(64, 64), draw(64, 64, seed=1)
    a[3, 5], a[7, 0] = torch.inf, torch.nan
    with interpreted():
        y = matmul(a, b)
    assert not y[3].isfinite().any()
    assert y[7].isnan().all()
    others = [i for i in range(64) if i not in (3, 7)]
    assert y[others].isfinite().all()


@pytest.mark.parametrize("activation", [None, "gelu", "gelu_tanh"])
def test_finite_differences_confirm_the_gradients(activation):
    shapes = [(2, 3, 4), (4, 5), (5,), (2, 3, 5)]
    inputs = [draw(*shape, seed=i, dtype=torch.float64).requires_grad_() for i, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(
        lambda a, b, bias, residual: matmul(a, b, bias=bias, residual=residual, activation=activation), inputs
    )


@pytest.mark.parametrize("how", BOTH)
def test_the_operator_is_registered_as_pytorch_wants_it(how):
    a, b = draw(4, 3).requires_grad_(), draw(3, 5, seed=1).requires_grad_()
    with use(how):
        torch.library.opcheck(_matmul, (a, b, draw(5, seed=2), None, "gelu", True))


def test_it_compiles_into_one_graph():
    a, b = draw(4, 3), draw(3, 5, seed=1)
    compiled = torch.compile(
        lambda a, b: matmul(a * 2, b, activation="gelu").sin(), fullgraph=True, backend="aot_eager"
    )
    torch.testing.assert_close(compiled(a, b), F.gelu(2 * a @ b).sin())


def test_it_says_what_does_not_fit():
    with pytest.raises(ValueError, match=r"expected \(\.\.\., m, k\) and \(k, n\)"):
        matmul(draw(2, 3), draw(4, 5))
    with pytest.raises(ValueError, match=r"bias is \(4,\), expected \(5,\)"):
        matmul(draw(2, 3), draw(3, 5), bias=draw(4))
    with pytest.raises(ValueError, match="convert to one type"):
        matmul(draw(2, 3), draw(3, 5, dtype=torch.float16))
    with pytest.raises(ValueError, match="'relu' is not known"):
        matmul(draw(2, 3), draw(3, 5), activation="relu")
