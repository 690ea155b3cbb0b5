"""Blocks with a common scale: what fits exactly, how large the error can be, and what a long tail costs."""

import math

import ml_dtypes
import numpy as np
import pytest

from minigpt.numerics import E8M0, FP4_E2M1, FP8_E4M3, MX_ELEMENTS, encode_blocks

ELEMENTS = pytest.mark.parametrize("element", MX_ELEMENTS.values(), ids=repr)


@ELEMENTS
def test_every_number_of_an_element_times_a_scale_is_exact(element):
    values = element.numbers()
    largest = np.full(len(values), element.largest)
    pairs = np.stack([values, largest], 1)
    for power in (-20, 0, 31):
        blocks = encode_blocks(np.ldexp(pairs, power), element, block=2)
        np.testing.assert_array_equal(blocks.decode(), np.ldexp(pairs, power))
        assert (E8M0.decode(blocks.scales) == 2.0**power).all()


@ELEMENTS
def test_each_block_is_the_element_of_ml_dtypes_under_the_scale_of_the_standard(element):
    dtype = {8: "float8_", 6: "float6_", 4: "float4_"}[element.bits] + element.name.split()[1].lower()
    dtype = getattr(ml_dtypes, dtype if "e5m2" in dtype else dtype + "fn")
    values = np.random.default_rng(0).normal(size=(3, 5, 64)) * 10.0 ** np.arange(-3, 2)[:, None]
    blocks = encode_blocks(values, element)
    assert blocks.codes.shape == (3, 5, 2, 32)
    for where in np.ndindex(3, 5, 2):
        group = values[where[:2]].reshape(2, 32)[where[2]]
        scale = 2.0 ** (math.floor(math.log2(abs(group).max())) - math.floor(math.log2(element.largest)))
        share = (group / scale).astype(np.float32).clip(-element.largest, element.largest)
        np.testing.assert_array_equal(blocks.decode()[where[:2]].reshape(2, 32)[where[2]], share.astype(dtype) * scale)


@ELEMENTS
def test_the_error_is_at_most_half_a_step_of_the_top_binade_but_for_saturation(element):
    values = np.random.default_rng(1).uniform(-1, 1, size=(100, 32))
    top = abs(values).max(-1, keepdims=True)
    scale = 2.0 ** np.floor(np.log2(top)) / 2.0**element.largest_exponent
    error = abs(encode_blocks(values, element).decode() - values)
    saturated = abs(values) > element.largest * scale
    assert (
        error
        <= np.where(saturated, abs(values) - element.largest * scale, element.spacing(element.largest) * scale / 2)
    ).all()


def test_length_shape_and_storage():
    blocks = encode_blocks(np.arange(70.0), FP4_E2M1)
    assert blocks.codes.shape == (3, 32)
    assert blocks.decode().shape == (70,)
    assert blocks.bits_per_value == 4.25
    assert encode_blocks(np.zeros((2, 0)), FP4_E2M1).decode().shape == (2, 0)
    assert encode_blocks(np.zeros((0, 5)), FP4_E2M1).decode().shape == (0, 5)


def test_zeros_outliers_and_what_is_no_number():
    assert not encode_blocks(np.zeros(32), FP8_E4M3).decode().any()
    values = np.full(64, 0.01)
    values[0] = 1000.0
    decoded = encode_blocks(values, FP4_E2M1).decode()
    assert not decoded[1:32].any(), "beside an outlier the small ones are lost"
    np.testing.assert_allclose(decoded[32:], 0.01, rtol=0.25)
    values[0] = math.inf
    decoded = encode_blocks(values, FP8_E4M3).decode()
    assert np.isnan(decoded[:32]).all()
    assert np.isfinite(decoded[32:]).all()


def test_very_small_and_very_large_blocks_keep_a_scale_that_there_is():
    assert encode_blocks(np.full(32, 1e-300), FP4_E2M1).decode().tolist() == [0.0] * 32
    assert encode_blocks(np.full(32, 1e300), FP4_E2M1).decode().tolist() == [6 * 2.0**127] * 32


def test_impossible_arguments_are_rejected():
    with pytest.raises(ValueError, match=r"values of shape \(\) in blocks of 32"):
        encode_blocks(1.0, FP4_E2M1)
    with pytest.raises(ValueError, match="blocks of 0"):
        encode_blocks([1.0], FP4_E2M1, block=0)
