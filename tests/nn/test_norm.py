"""Norms: the statistics they promise, PyTorch's values, and gradients that finite differences confirm."""

import math

import pytest
import torch
from by_hand import draw
from torch.nn import functional as F

from minigpt.nn import LayerNorm, RMSNorm, rms_norm

EPS32 = torch.finfo(torch.float32).eps


def test_layer_norm_brings_every_vector_to_mean_zero_and_variance_one():
    y = LayerNorm(64, eps=1e-12).double()(5 * draw(10, 64) + 3)
    torch.testing.assert_close(y.mean(-1), torch.zeros(10, dtype=torch.float64), rtol=0, atol=1e-13)
    torch.testing.assert_close(y.var(-1, correction=0), torch.ones(10, dtype=torch.float64), rtol=1e-10, atol=0)


def test_rms_norm_brings_every_vector_to_root_mean_square_one_and_leaves_its_direction():
    x = 5 * draw(10, 64) + 3
    y = RMSNorm(64, eps=1e-12).double()(x)
    torch.testing.assert_close(y.square().mean(-1).sqrt(), torch.ones(10, dtype=torch.float64), rtol=1e-11, atol=0)
    torch.testing.assert_close(F.cosine_similarity(x, y), torch.ones(10, dtype=torch.float64))


def test_layer_norm_forgets_shift_and_scale_rms_norm_only_scale():
    x = draw(3, 16)
    layer, rms = LayerNorm(16, eps=1e-14).double(), RMSNorm(16, eps=1e-14).double()
    torch.testing.assert_close(layer(7 * x + 2), layer(x), rtol=0, atol=1e-11)
    torch.testing.assert_close(rms(7 * x), rms(x), rtol=0, atol=1e-11)
    assert not torch.allclose(rms(x + 2), rms(x), atol=0.1)


def test_rms_norm_of_a_vector_without_mean_is_layer_norm():
    x = draw(3, 16)
    x = x - x.mean(-1, keepdim=True)
    torch.testing.assert_close(RMSNorm(16).double()(x), LayerNorm(16, bias=False).double()(x))


@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm_equals_its_formula(bias):
    norm = LayerNorm(8, eps=1e-3, bias=bias).double()
    norm.weight.data = draw(8, seed=1)
    if bias:
        norm.bias.data = draw(8, seed=2)
    x = draw(4, 8)
    for vector, y in zip(x, norm(x), strict=True):
        mean = sum(vector) / 8
        variance = sum((a - mean) ** 2 for a in vector) / 8
        expected = (vector - mean) / math.sqrt(variance + 1e-3) * norm.weight + (norm.bias if bias else 0)
        torch.testing.assert_close(y, expected)


@pytest.mark.parametrize("shape", [(8,), (4, 8), (2, 3, 8), (0, 8)])
def test_rms_norm_equals_pytorch_with_gradients(shape):
    x, weight = draw(*shape), draw(8, seed=1)
    upstream = draw(*shape, seed=2)
    results = []
    for function in (lambda x, w: rms_norm(x, w, 1e-3), lambda x, w: F.rms_norm(x, (8,), w, 1e-3)):
        leaves = x.clone().requires_grad_(), weight.clone().requires_grad_()
        y = function(*leaves)
        results.append((y, *torch.autograd.grad(y, leaves, upstream)))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)


def test_the_gradient_of_rms_norm_agrees_with_finite_differences():
    x, weight = draw(3, 5).requires_grad_(), draw(5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(rms_norm, (x, weight, 1e-2))


def test_a_second_derivative_of_rms_norm_is_refused_by_name():
    x = draw(3, 5).requires_grad_()
    (gradient,) = torch.autograd.grad(rms_norm(x, torch.ones(5).double()).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("weight_dtype", [torch.float32, None])
def test_rms_norm_of_short_floats_is_calculated_in_float32_and_rounded_once(dtype, weight_dtype):
    x = (100 * draw(6, 32)).to(dtype).requires_grad_()
    weight = draw(32, seed=1).to(weight_dtype or dtype).requires_grad_()
    upstream = draw(6, 32, seed=2).to(dtype)
    wide = x.detach().double().requires_grad_(), weight.detach().double().requires_grad_()
    y, expected = rms_norm(x, weight), F.rms_norm(wide[0], (32,), wide[1], 1e-5)
    assert y.dtype == dtype
    # One rounding is at most half of eps; the steps before it in float32 can tip it over to the neighbour.
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(y.double(), expected, rtol=eps, atol=0)
    y.backward(upstream)
    expected.backward(upstream.double())
    assert (x.grad.dtype, weight.grad.dtype) == (dtype, weight.dtype)
    for short, exact in ((x, wide[0]), (weight, wide[1])):
        torch.testing.assert_close(short.grad.double(), exact.grad, rtol=eps, atol=eps * exact.grad.abs().max().item())


def test_a_vector_of_zeros_gives_zeros_and_finite_gradients():
    for norm in (LayerNorm(4), RMSNorm(4)):
        x = torch.zeros(2, 4, requires_grad=True)
        y = norm(x)
        y.sum().backward()
        assert not y.any()
        assert x.grad.isfinite().all()


def test_large_vectors_do_not_overflow():
    # The sum of squares is 1e36, near the end of float32.
    x = torch.full((1, 100), 1e17)
    torch.testing.assert_close(RMSNorm(100)(x), torch.ones(1, 100), rtol=4 * EPS32, atol=0)


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
def test_impossible_arguments_are_rejected(norm):
    with pytest.raises(ValueError, match="d_model=0 must be at least 1"):
        norm(0)
    for eps in (0.0, -1e-5, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"eps={eps} must be positive, or a vector of zeros divides by zero"):
            norm(4, eps=eps)


def test_modules_say_their_sizes_and_begin_as_plain_norms():
    assert repr(LayerNorm(4, bias=False)) == "LayerNorm(d_model=4, eps=1e-05, bias=False)"
    assert repr(RMSNorm(4, eps=1e-6)) == "RMSNorm(d_model=4, eps=1e-06)"
    assert list(RMSNorm(4).state_dict()) == ["weight"]
    state = LayerNorm(4).state_dict()
    assert state["weight"].eq(1).all()
    assert state["bias"].eq(0).all()
