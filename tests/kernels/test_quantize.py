"""quantize and scaled_matmul: as near as 8 bits allow, and exact in what they sum."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels.harness import (
    assert_is_product,
    draw,
    dtypes,
    examples,
    few_examples,
    guarded,
    layouts,
    needs_triton,
    on_every_device,
    reversed_programs,
    widths,
)
from minigpt.kernels.dispatch import use
from minigpt.kernels.quantize import _quantize, _scaled_matmul, quantize, scaled_matmul

pytestmark = on_every_device

HOW = ["torch", pytest.param("interpret", marks=needs_triton)]
CODES = [torch.int8, torch.float8_e4m3fn]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("code", CODES)
@examples
@given(st.data(), st.sampled_from([0, 1, 3]), widths, dtypes)
def test_each_number_is_off_by_half_a_step_at_the_most(how, code, data, rows, n, dtype):
    x = data.draw(layouts((rows, n), dtype))
    with use(how), guarded(x) as (x_,):
        codes, scales = quantize(x_, code)
    assert codes.shape == x.shape
    assert codes.dtype == code
    exact, scales = x.double(), scales[:, None].double()
    error = (codes.double() * scales - exact).abs()
    step = scales if code == torch.int8 else torch.maximum(exact.abs() / 8, 2**-9 * scales)
    assert (error <= step / 2 * 1.00001).all()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("code", CODES)
def test_rows_of_zeros_stay_and_nan_does_not_vanish(how, code):
    x = draw(3, 5000)
    x[0], x[1, 4500] = 0, torch.nan
    with use(how):
        codes, scales = quantize(x, code)
    assert not codes[0].float().any()
    assert scales[0] == 1
    assert scales[1].isnan()
    assert codes[2].float().abs().max() == (127 if code == torch.int8 else 448)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(64, 64, 64), (130, 97, 131), (1, 3, 1)], ids=str)
def test_the_product_is_that_of_the_numbers_the_codes_stand_for(how, code, shape):
    m, k, n = shape
    a, a_scales = quantize(draw(m, k), code)
    b, b_scales = quantize(draw(n, k, seed=1), code)
    with use(how), guarded(a, b, a_scales, b_scales) as (a_, b_, a_scales_, b_scales_):
        ours = scaled_matmul(a_, b_.T, a_scales_, b_scales_, torch.float32)
    left, right = a.double() * a_scales[:, None].double(), b.double() * b_scales[:, None].double()
    assert_is_product(ours, left, right.T, code)


@needs_triton
@few_examples
@given(
    st.sampled_from(CODES),
    *(st.sampled_from(sizes) for sizes in ([0, 1, 67], [0, 1, 97], [1, 131])),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
    st.booleans(),
)
def test_the_kernel_takes_every_shape_and_every_stride(code, m, k, n, dtype, gaps):
    a, a_scales = quantize(draw(m, k) / 8, code)
    b, b_scales = quantize(draw(n, k, seed=1) / 8, code)
    if gaps:
        a, b = a.T.contiguous().T, b.repeat_interleave(2, 0)[::2]
    with use("interpret"), guarded(a, b, a_scales, b_scales) as (a_, b_, a_scales_, b_scales_):
        ours = scaled_matmul(a_, b_.T, a_scales_, b_scales_, dtype)
    left, right = a.double() * a_scales[:, None].double(), b.double() * b_scales[:, None].double()
    assert_is_product(ours, left, right.T, code)


@needs_triton
def test_no_program_depends_on_another():
    x, weight = draw(130, 97), draw(140, 97, seed=1)

    def results():
        (codes, scales), (others, other_scales) = quantize(x), quantize(weight)
        return codes, scales, scaled_matmul(codes, others.T, scales, other_scales)

    with use("interpret"):
        forwards = results()
        with reversed_programs():
            assert all(map(torch.equal, results(), forwards))


@pytest.mark.parametrize("how", HOW)
def test_the_operators_are_registered_as_pytorch_wants_them(how):
    x = draw(4, 6)
    with use(how):
        torch.library.opcheck(_quantize, (x, torch.int8))
        codes, scales = quantize(x)
        torch.library.opcheck(_scaled_matmul, (codes, codes.T, scales, scales, torch.bfloat16))


def test_it_compiles_into_one_graph():
    x = draw(4, 6)

    def linear(x):
        codes, scales = quantize(2 * x)
        return scaled_matmul(codes, codes.T, scales, scales, torch.float32)

    compiled = torch.compile(linear, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), 4 * x @ x.T, rtol=0.05, atol=0.3)


def test_it_says_what_does_not_fit():
    codes, scales = quantize(draw(4, 6))
    with pytest.raises(ValueError, match=r"torch.int8 or float8_e4m3fn"):
        quantize(draw(4, 6), torch.int32)
    with pytest.raises(ValueError, match=r"expected \(m, k\) and \(k, n\) of one"):
        scaled_matmul(codes, codes, scales, scales)
    with pytest.raises(ValueError, match=r"expected \(4,\) and \(4,\)"):
        scaled_matmul(codes, codes.T, scales, scales[:1])
