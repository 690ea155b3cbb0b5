"""quantize_blocks and block_scaled_matmul: each block in its own units, and products exact in what they sum."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels.harness import (
    BOTH,
    assert_is_product,
    draw,
    dtypes,
    examples,
    guarded,
    interpreted,
    layouts,
    needs_triton,
    on_every_device,
    reversed_programs,
)
from minigpt.kernels.dispatch import use
from minigpt.kernels.quantize import quantize, scaled_matmul
from minigpt.kernels.quantize_blocks import (
    ACTIVATIONS,
    WEIGHTS,
    _block_scaled_matmul,
    _quantize_blocks,
    block_scaled_matmul,
    quantize_blocks,
)

pytestmark = on_every_device

CODES = [torch.int8, torch.float8_e4m3fn]


def spread(scales, block, shape):
    """The scale of each number."""
    return scales.double().repeat_interleave(block[0], 0).repeat_interleave(block[1], 1)[: shape[0], : shape[1]]


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("code", CODES)
@examples
@given(
    data=st.data(),
    shape=st.tuples(st.sampled_from([0, 1, 3, 97, 130]), st.sampled_from([0, 1, 31, 128, 257])),
    block=st.sampled_from([ACTIVATIONS, WEIGHTS, (4, 32), (1, 1)]),
    dtype=dtypes,
)
def test_each_number_is_off_by_half_a_step_of_its_block_at_the_most(how, code, data, shape, block, dtype):
    x = data.draw(layouts(shape, dtype))
    with use(how), guarded(x) as (x_,):
        codes, scales = quantize_blocks(x_, code, block)
    assert codes.shape == shape
    assert scales.shape == tuple(-(-size // part) for size, part in zip(shape, block, strict=True))
    exact, units = x.double(), spread(scales, block, shape)
    step = units if code == torch.int8 else torch.maximum(exact.abs() / 8, 2**-9 * units)
    assert ((codes.double() * units - exact).abs() <= step / 2 * 1.00001).all()


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("code", CODES)
def test_blocks_of_a_row_are_the_rows_of_quantize(how, code):
    x = draw(5, 384)
    with use(how):
        codes, scales = quantize_blocks(x, code, (1, 128))
        rows, row_scales = quantize(x.view(5, 3, 128), code)
    assert torch.equal(codes.float(), rows.view(5, 384).float())
    assert torch.equal(scales, row_scales)


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("code", CODES)
def test_zeros_nan_and_infinity_stay_in_their_block(how, code):
    x = draw(256, 384)
    x[:128, :128], x[130, 5], x[200, 300] = 0, torch.nan, torch.inf
    with use(how):
        codes, scales = quantize_blocks(x, code, WEIGHTS)
    assert not codes[:128, :128].float().any()
    assert scales[0, 0] == 1
    assert scales.isfinite().tolist() == [[True, True, True], [False, True, False]]


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(64, 256, 128), (130, 97, 257), (1, 300, 1), (0, 5, 3), (3, 0, 5)], ids=str)
def test_the_product_is_that_of_the_numbers_the_codes_stand_for(how, code, shape):
    m, k, n = shape
    a, a_scales = quantize_blocks(draw(m, k), code)
    weight, weight_scales = quantize_blocks(draw(n, k, seed=1), code, WEIGHTS)
    with use(how), guarded(a, weight, a_scales, weight_scales) as (a_, weight_, a_scales_, weight_scales_):
        ours = block_scaled_matmul(a_, weight_.T, a_scales_, weight_scales_.T, torch.float32)
    left = a.double() * spread(a_scales, ACTIVATIONS, a.shape)
    right = weight.double() * spread(weight_scales, WEIGHTS, weight.shape)
    assert_is_product(ours, left, right.T, code)


def test_an_outlier_spoils_its_block_and_not_the_row():
    x, weight = draw(8, 512), draw(16, 512, seed=1)
    x[:, 7] = 1000
    exact = x.double() @ weight.double().T
    codes, scales = quantize(x, torch.int8)
    weight_codes, weight_scales = quantize(weight, torch.int8)
    by_row = scaled_matmul(codes, weight_codes.T, scales, weight_scales, torch.float32)
    codes, scales = quantize_blocks(x, torch.int8)
    weight_codes, weight_scales = quantize_blocks(weight, torch.int8, WEIGHTS)
    by_block = block_scaled_matmul(codes, weight_codes.T, scales, weight_scales.T, torch.float32)
    # Three of four blocks have no outlier: what is left is the error of the one, a quarter of the sum of squares.
    assert (by_block - exact).square().mean() < 0.5 * (by_row - exact).square().mean()


@needs_triton
def test_no_program_depends_on_another():
    x, weight = draw(130, 257), draw(140, 257, seed=1)

    def results():
        codes, scales = quantize_blocks(x, torch.int8)
        weight_codes, weight_scales = quantize_blocks(weight, torch.int8, WEIGHTS)
        return codes, scales, block_scaled_matmul(codes, weight_codes.T, scales, weight_scales.T)

    with interpreted():
        forwards = results()
        with reversed_programs():
            assert all(map(torch.equal, results(), forwards))


@pytest.mark.parametrize("how", BOTH)
def test_the_operators_are_registered_as_pytorch_wants_them(how):
    with use(how):
        torch.library.opcheck(_quantize_blocks, (draw(4, 130), torch.int8, 1, 128))
        codes, scales = quantize_blocks(draw(4, 130), torch.int8)
        torch.library.opcheck(_block_scaled_matmul, (codes, codes.T, scales, scales[:1].T, torch.bfloat16))


def test_it_compiles_into_one_graph():
    def linear(x, weight):
        codes, scales = quantize_blocks(2 * x, torch.int8)
        weight_codes, weight_scales = quantize_blocks(weight, torch.int8, WEIGHTS)
        return block_scaled_matmul(codes, weight_codes.T, scales, weight_scales.T, torch.float32)

    x, weight = draw(4, 130), draw(5, 130, seed=1)
    compiled = torch.compile(linear, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, weight), linear(x, weight))


def test_it_says_what_does_not_fit():
    codes, scales = quantize_blocks(draw(4, 130), torch.int8)
    with pytest.raises(ValueError, match=r"expected a matrix, and torch.int8"):
        quantize_blocks(draw(2, 3, 4))
    with pytest.raises(ValueError, match=r"block=\(1, 100\); .* powers of two up to 128"):
        quantize_blocks(draw(4, 6), torch.int8, (1, 100))
    with pytest.raises(ValueError, match=r"expected \(m, k\) and \(k, n\) of one"):
        block_scaled_matmul(codes, codes, scales, scales)
    with pytest.raises(ValueError, match=r"expected \(4, 2\), .*, and \(2, 1\), one for every 128 by 128"):
        block_scaled_matmul(codes, codes.T, scales, scales.T)
    with pytest.raises(ValueError, match=r"dtype=torch.int32 of the result"):
        block_scaled_matmul(codes, codes.T, scales, scales[:1].T, torch.int32)
