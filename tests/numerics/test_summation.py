"""Sums: the additions of NumPy and torch where they have the format, exact sums, and the errors that theory allows."""

import math
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from minigpt.numerics import BF16, FP8_E4M3, FP16, FP32, FP64, Method, total

METHODS = get_args(Method)
EVERY = pytest.mark.parametrize("method", METHODS)
property_test = settings(derandomize=True, deadline=None, max_examples=100)


def exact(values):
    return float(sum(map(Fraction, values.tolist())))


@pytest.mark.parametrize(("form", "dtype"), [(BF16, torch.bfloat16), (FP16, torch.float16), (FP32, torch.float32)])
def test_a_naive_sum_adds_as_torch_does_one_by_one(form, dtype):
    values = torch.rand(200, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = torch.zeros((), dtype=dtype)
    for value in values:
        expected = expected + value
    assert total(values.double().numpy(), form) == expected.double().item()


@property_test
@given(arrays(np.float32, array_shapes(max_dims=3, max_side=9), elements=st.floats(-1e6, 1e6, width=32)))
def test_naive_and_pairwise_sums_of_float32_are_numpys_additions(values):
    expected = np.zeros(values.shape[:-1], np.float32)
    for i in range(values.shape[-1]):
        expected = expected + values[..., i]
    np.testing.assert_array_equal(total(values, FP32), expected)
    rows = list(np.moveaxis(values, -1, 0))
    while len(rows) > 1:
        rows = [a + b for a, b in zip(rows[::2], rows[1::2], strict=False)] + rows[len(rows) // 2 * 2 :]
    np.testing.assert_array_equal(total(values, FP32, "pairwise"), rows[0])


@EVERY
def test_ones_are_counted_exactly_until_the_digits_are_used_up(method):
    assert total(np.ones(256), BF16, method) == 256


def test_one_more_than_256_is_lost_in_bfloat16():
    assert total(np.ones(356), BF16) == 256
    assert [total(np.ones(356), BF16, method) for method in ("pairwise", "kahan", "neumaier")] == [356] * 3
    assert total(np.ones(356), BF16, "blocked") == BF16.round(356)


@property_test
@given(arrays(np.float64, st.integers(0, 60), elements=st.floats(-1e3, 1e3)))
def test_errors_stay_within_the_bounds_of_theory(values):
    values = FP16.round(values)
    u, n, sizes = FP16.epsilon / 2, len(values), abs(values).sum()
    truth = exact(values)
    # Additions have no underflow error; the bounds below leave out terms in u^2 and get twice the room for them.
    for method, bound in {"naive": n * u, "pairwise": math.ceil(math.log2(max(n, 2))) * u, "kahan": 2 * u}.items():
        assert abs(total(values, FP16, method) - truth) <= 2 * bound * sizes + 2 * n * n * u * u * sizes


@EVERY
def test_sums_of_float64(method):
    values = np.random.default_rng(0).uniform(-1, 1, 1000)
    assert total(values, FP64, method) == pytest.approx(math.fsum(values), rel=0, abs=1e-13)


def test_compensation_helps_and_neumaier_where_kahan_does_not():
    values = np.random.default_rng(0).uniform(0, 1, 3000)
    truth = math.fsum(FP16.round(values))
    errors = {method: abs(total(values, FP16, method) - truth) for method in METHODS}
    assert errors["naive"] > 10 * errors["pairwise"]
    assert errors["naive"] > 2 * errors["blocked"] > 2 * errors["pairwise"]
    assert max(errors["kahan"], errors["neumaier"]) <= FP16.spacing(truth)
    values = [1.0, 1e100, 1.0, -1e100]
    assert (total(values, FP64, "kahan"), total(values, FP64, "neumaier")) == (0.0, 2.0)


def test_in_a_short_format_both_corrections_stagnate_and_neumaiers_first():
    values = BF16.round(np.random.default_rng(1).random(4096))
    errors = {method: abs(total(values, BF16, method) / exact(values) - 1) for method in METHODS}
    assert errors["kahan"] < BF16.epsilon
    assert errors["neumaier"] > 0.5
    assert total(np.ones(4096), FP8_E4M3, "kahan") < 4096 / 2


def test_sums_of_no_rows_and_of_no_numbers_are_zeros():
    for method in METHODS:
        assert total(np.zeros((0, 3)), BF16, method).shape == (0,)
        assert total(np.zeros((3, 0)), BF16, method).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="a sum of the single number"):
        total(5.0, BF16)


def test_stochastic_rounding_keeps_the_mean_where_rounding_to_nearest_stands_still():
    values = np.full((400, 1000), 2.0**-6)
    assert (total(values, FP8_E4M3) < 1).all()
    drawn = total(values, FP8_E4M3, rounding="stochastic", generator=np.random.default_rng(0))
    standard_error = drawn.std() / math.sqrt(len(drawn))
    assert abs(drawn.mean() - 1000 * 2.0**-6) < 5 * standard_error


@EVERY
def test_empty_sums_and_shapes(method):
    assert total(np.zeros((2, 3, 0)), FP16, method).tolist() == np.zeros((2, 3)).tolist()
    values = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(total(values, FP32, method, block=3), values.sum(-1))


def test_impossible_arguments_are_rejected():
    with pytest.raises(ValueError, match="method='sorted' is unknown; choose one of 'naive'"):
        total([1.0], FP16, "sorted")
    with pytest.raises(ValueError, match="block=0 must be at least 1"):
        total([1.0], FP16, "blocked", block=0)
    with pytest.raises(ValueError, match="rounding='up'"):
        total([1.0], FP16, rounding="up")
    with pytest.raises(ValueError, match="needs a generator"):
        total([1.0], FP16, rounding="stochastic")
