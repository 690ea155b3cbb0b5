"""Formats: every code of 8 and 16 bits as torch and ml_dtypes read it, and every rounding against exact fractions."""

import math
import warnings
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minigpt.numerics import (
    BF16,
    E8M0,
    FORMATS,
    FP4_E2M1,
    FP6_E2M3,
    FP6_E3M2,
    FP8_E4M3,
    FP8_E5M2,
    FP16,
    FP32,
    FP64,
    TF32,
    Format,
)

THEIRS = {
    FP16: np.float16,
    BF16: ml_dtypes.bfloat16,
    FP8_E4M3: ml_dtypes.float8_e4m3fn,
    FP8_E5M2: ml_dtypes.float8_e5m2,
    FP6_E2M3: ml_dtypes.float6_e2m3fn,
    FP6_E3M2: ml_dtypes.float6_e3m2fn,
    FP4_E2M1: ml_dtypes.float4_e2m1fn,
    E8M0: ml_dtypes.float8_e8m0fnu,
}
# From version 2.12 on PyTorch saturates what is too large for E4M3; before, it made NaN of it, as ml_dtypes does.
E4M3_POLICY = "saturate" if torch.tensor(1e6).to(torch.float8_e4m3fn).item() == 448 else "nan"
TORCH = {
    FP16: torch.float16,
    BF16: torch.bfloat16,
    FP8_E4M3: torch.float8_e4m3fn,
    FP8_E5M2: torch.float8_e5m2,
    E8M0: torch.float8_e8m0fnu,
}
SHORT = [form for form in THEIRS if form is not E8M0]
names = {"ids": repr}
property_test = settings(derandomize=True, deadline=None, max_examples=200)
floats32 = arrays(np.float32, 40, elements=st.floats(width=32))


def codes_of(form):
    return np.arange(2**form.bits, dtype=form.dtype)


def as_theirs(values, form):
    """Values in the other library's type, and what it holds, as float64."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(values, np.float32).astype(THEIRS[form])


def as_torch(values, form):
    return torch.from_numpy(np.asarray(values, np.float32)).to(TORCH[form])


def midpoints(form):
    values = form.numbers()
    return (values[1:] + values[:-1]) / 2  # exact in float64, and in float32


@pytest.mark.parametrize("form", THEIRS, **names)
def test_every_code_decodes_as_in_ml_dtypes_and_numpy(form):
    with np.errstate(invalid="ignore"):  # the cast of a NaN
        theirs = codes_of(form).view(THEIRS[form]).astype(np.float64)
    np.testing.assert_array_equal(form.decode(codes_of(form)), theirs)
    np.testing.assert_array_equal(
        np.signbit(form.decode(codes_of(form)))[~np.isnan(theirs)], np.signbit(theirs)[~np.isnan(theirs)]
    )


@pytest.mark.parametrize("form", TORCH, **names)
def test_every_code_decodes_as_in_torch(form):
    codes = torch.from_numpy(codes_of(form).view(f"i{form.dtype.itemsize}")).view(TORCH[form])
    np.testing.assert_array_equal(form.decode(codes_of(form)), codes.double().numpy())


@pytest.mark.parametrize("form", THEIRS, **names)
def test_every_number_encodes_to_its_own_code(form):
    values = form.decode(codes_of(form))
    kept = ~np.isnan(values)
    np.testing.assert_array_equal(form.encode(values[kept]), codes_of(form)[kept])
    if form.has_nan:
        assert np.isnan(form.decode(form.encode([math.nan]))).all()


@pytest.mark.parametrize("form", SHORT, **names)
def test_all_midpoints_and_the_float32_values_beside_them_round_as_elsewhere(form):
    middle = midpoints(form).astype(np.float32)
    beside = [np.nextafter(middle, np.float32(to)) for to in (-np.inf, np.inf)]
    for values in (middle, *beside):
        ours = form.encode(values)
        np.testing.assert_array_equal(ours, as_theirs(values, form).view(form.dtype))
        if form in TORCH:
            np.testing.assert_array_equal(ours, as_torch(values, form).view(getattr(torch, f"uint{form.bits}")).numpy())


@pytest.mark.parametrize("form", SHORT, **names)
@property_test
@given(floats32)
def test_any_float32_rounds_as_elsewhere(form, values):
    values = values if form.has_nan else values[~np.isnan(values)]
    np.testing.assert_array_equal(form.round(values), as_theirs(values, form).astype(np.float64))
    if form in TORCH:
        policy = E4M3_POLICY if form is FP8_E4M3 else None
        np.testing.assert_array_equal(form.round(values, overflow=policy), as_torch(values, form).double().numpy())


def test_scales_round_as_elsewhere_from_the_first_binade_of_normal_float32():
    # Below 2^-126 float32 is subnormal, and both libraries round all above 2^-127 up; ours goes to the nearest.
    sizes = np.ldexp(1 + np.linspace(0, 1, 64, endpoint=False)[:, None], np.arange(-126, 128)).ravel()
    ours = E8M0.encode(sizes)
    np.testing.assert_array_equal(ours, as_theirs(sizes, E8M0).view(np.uint8))
    np.testing.assert_array_equal(ours, as_torch(sizes, E8M0).view(torch.uint8).numpy())
    assert E8M0.round([2.0**-127 * 1.4, 0.0, 2.0**-140]).tolist() == [2.0**-127] * 3
    assert np.isnan(E8M0.round([-1.0, math.inf, math.nan])).all()


@property_test
@given(arrays(np.float64, 40, elements=st.floats()))
def test_float64_rounds_to_float32_and_itself_as_in_numpy(values):
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(FP32.round(values), values.astype(np.float32).astype(np.float64))
    kept = values[~np.isnan(values)]
    np.testing.assert_array_equal(FP64.encode(kept), kept.view(np.uint64))
    np.testing.assert_array_equal(FP64.decode(values.view(np.uint64)), values)


@property_test
@given(floats32)
def test_float32_codes_are_its_bits(values):
    kept = values[~np.isnan(values)]
    np.testing.assert_array_equal(FP32.encode(kept), kept.view(np.uint32))
    np.testing.assert_array_equal(FP32.decode(values.view(np.uint32)), values.astype(np.float64))


@property_test
@given(floats32)
def test_tf32_is_float32_without_its_last_13_bits(values):
    assert (TF32.bits, TF32.dtype) == (19, np.uint32)
    cut = (values.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    kept = ~np.isnan(values)
    np.testing.assert_array_equal(TF32.round(values[kept], "toward zero"), cut[kept].astype(np.float64))


def exact(value, form, rounding):
    """The rule of each rounding, spelled out with fractions over the list of numbers."""
    numbers = form.numbers()
    at = int(np.searchsorted(numbers, value))
    if at < len(numbers) and numbers[at] == value:
        return value
    low, high = numbers[at - 1], numbers[at]
    to_low, to_high = Fraction(value) - Fraction(low), Fraction(high) - Fraction(value)
    even = low if int(form.encode(abs(low)).item()) % 2 == 0 else high
    away = high if value > 0 else low
    return {
        "nearest even": low if to_low < to_high else high if to_high < to_low else even,
        "nearest away": low if to_low < to_high else high if to_high < to_low else away,
        "toward zero": low if value > 0 else high,
        "up": high,
        "down": low,
    }[rounding]


@pytest.mark.parametrize("rounding", ["nearest even", "nearest away", "toward zero", "up", "down"])
@pytest.mark.parametrize("form", [FP8_E4M3, FP8_E5M2, FP6_E2M3, FP6_E3M2, FP4_E2M1], **names)
def test_every_direction_between_all_neighbours_of_short_formats(form, rounding):
    values, middle = form.numbers(), midpoints(form)
    quarter = (values[:-1] + middle) / 2
    for value in np.concatenate([middle, quarter, np.nextafter(middle, 0), np.nextafter(middle, np.inf)]):
        assert form.round(value, rounding) == exact(value, form, rounding), f"{value} in {form}"


@pytest.mark.parametrize("rounding", ["nearest even", "nearest away", "toward zero", "up", "down"])
@property_test
@given(st.floats(-65504, 65504))
def test_every_direction_on_random_numbers_in_half_precision(rounding, value):
    assert FP16.round(value, rounding) == exact(value, FP16, rounding)


@pytest.mark.parametrize("form", [FP16, BF16, FP8_E4M3], **names)
def test_stochastic_rounding_goes_to_a_neighbour_and_is_right_on_average(form):
    value, n = 1 + 0.3 * form.epsilon, 40_000
    drawn = form.round(np.full(n, value), "stochastic", generator=np.random.default_rng(0))
    assert set(drawn) == {1.0, 1 + form.epsilon}
    # Five standard deviations of the mean of n draws that are 0 or epsilon.
    assert abs(drawn.mean() - value) < 5 * form.epsilon * math.sqrt(0.3 * 0.7 / n)
    kept = form.numbers()
    np.testing.assert_array_equal(form.round(kept, "stochastic", generator=np.random.default_rng(1)), kept)
    again = form.round(np.full(n, value), "stochastic", generator=np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, again)


def test_overflow_is_a_policy():
    assert np.isnan(FP8_E4M3.round(1e6))
    assert FP8_E4M3.round(1e6, overflow="saturate") == 448
    assert FP8_E4M3.round([464.0, 463.0]).tolist() == [448, 448]
    assert FP8_E5M2.round(1e6) == math.inf
    assert FP8_E5M2.round(-1e6, overflow="saturate") == -57344
    assert FP16.round([65519.99, 65520.0]).tolist() == [65504, math.inf]
    assert FP4_E2M1.round([100.0, -100.0, math.inf]).tolist() == [6, -6, 6]
    # Rounding toward zero never reaches infinity, and directed rounding only on its own side.
    assert FP16.round([1e6, -1e6], "toward zero").tolist() == [65504, -65504]
    assert FP16.round([1e6, -1e6], "up").tolist() == [math.inf, -65504]
    assert FP16.round([1e6, -1e6], "down").tolist() == [65504, -math.inf]
    assert FP16.round(math.inf, "toward zero") == math.inf


@pytest.mark.parametrize(
    ("form", "dtype"), [(FP64, torch.float64), (FP32, torch.float32), *TORCH.items()], ids=lambda x: str(x)
)
def test_the_limits_are_those_of_torch(form, dtype):
    info = torch.finfo(dtype)
    assert (form.bits, form.largest, form.epsilon) == (info.bits, info.max, info.eps)
    assert form.smallest_normal == info.smallest_normal


@pytest.mark.parametrize("form", SHORT, **names)
def test_smallest_and_spacing_follow_from_the_list_of_numbers(form):
    values = form.numbers()
    positive = values[values >= 0]
    assert (positive[1], positive[-1]) == (form.smallest, form.largest)
    np.testing.assert_array_equal(np.diff(positive), form.spacing(positive[:-1]))


def test_limits_of_the_formats_without_a_torch_type():
    assert (FP6_E2M3.largest, FP6_E3M2.largest, FP4_E2M1.largest) == (7.5, 28.0, 6.0)
    assert (TF32.epsilon, TF32.largest) == (FP16.epsilon, (2 - 2.0**-10) * 2.0**127)
    assert (E8M0.smallest, E8M0.largest) == (2.0**-127, 2.0**127)
    assert len({form.name for form in FORMATS}) == len(FORMATS) == 11


def test_shapes_stay_and_signs_of_zero_too():
    assert FP16.round(np.zeros((2, 0, 3))).shape == (2, 0, 3)
    assert FP16.encode(-0.0) == 0x8000
    assert FP16.encode([-1e-10], "nearest even").tolist() == [0x8000]


def test_impossible_arguments_are_rejected():
    with pytest.raises(ValueError, match="12 exponent bits and 3 fraction bits; expected 1 to 11 and 0 to 52"):
        Format("x", 12, 3)
    with pytest.raises(ValueError, match="with a bias of 2000 the numbers of x do not fit"):
        Format("x", 4, 3, bias=2000)
    with pytest.raises(ValueError, match="one exponent bit, and with specials='ieee' no normal number is left"):
        Format("x", 1, 3)
    with pytest.raises(ValueError, match="specials='inf' is unknown"):
        Format("x", 4, 3, specials="inf")
    with pytest.raises(ValueError, match="rounding='even' is unknown; choose one of 'nearest even'"):
        FP16.round(1.0, "even")
    with pytest.raises(ValueError, match="stochastic rounding needs a generator"):
        FP16.round(1.0, "stochastic")
    with pytest.raises(ValueError, match="overflow='wrap' is unknown"):
        FP16.round(1.0, overflow="wrap")
    with pytest.raises(ValueError, match="overflow='infinity', but FP8 E4M3 has no such code; choose 'saturate'"):
        FP8_E4M3.round(1.0, overflow="infinity")
    with pytest.raises(ValueError, match="FP4 E2M1 has no code for NaN"):
        FP4_E2M1.encode([1.0, math.nan])
    with pytest.raises(ValueError, match="codes from 0 to 256; FP8 E4M3 has 0 to 255"):
        FP8_E4M3.decode([0, 256])
    with pytest.raises(ValueError, match="expected whole numbers, the bits of FP16"):
        FP16.decode([1.5])
    with pytest.raises(ValueError, match="FP32 has 2\\^32 codes"):
        FP32.numbers()
