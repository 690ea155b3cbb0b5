"""Watched kernels: their bytes are counted, and overruns and races are seen that the interpreter lets pass."""

from functools import partial

import pytest
import torch

from kernels.harness import draw, interpreted

triton = pytest.importorskip("triton", reason="Triton has wheels for Linux alone")

import triton.language as tl  # noqa: E402

from minigpt.kernels.activation import gelu, swiglu  # noqa: E402
from minigpt.kernels.attention import attention, decode_attention  # noqa: E402
from minigpt.kernels.interpret import Launcher  # noqa: E402
from minigpt.kernels.loss import cross_entropy, linear_cross_entropy  # noqa: E402
from minigpt.kernels.matmul import matmul  # noqa: E402
from minigpt.kernels.moe import grouped_matmul, route  # noqa: E402
from minigpt.kernels.norm import add_rms_norm, layer_norm, rms_norm  # noqa: E402
from minigpt.kernels.quantize import quantize, scaled_matmul  # noqa: E402
from minigpt.kernels.quantize_blocks import WEIGHTS, block_scaled_matmul, quantize_blocks  # noqa: E402
from minigpt.kernels.rotary import rotary  # noqa: E402
from minigpt.kernels.softmax import softmax  # noqa: E402
from minigpt.kernels.watch import extent, watch  # noqa: E402


@triton.jit
def copy_kernel(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n, other=0.0), mask=at < n)


@triton.jit
def shift_kernel(x, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x + at + BLOCK, tl.load(x + at) + 1)


@triton.jit
def one_place_kernel(x):
    tl.store(x, tl.program_id(0))


@triton.jit
def add_kernel(total, x, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.atomic_add(total + at * 0, tl.load(x + at))


def test_bytes_are_those_that_the_mask_lets_through():
    x, y = torch.ones(100), torch.empty(100)
    with watch() as seen:
        Launcher(copy_kernel)[(2,)](x, y, 100, BLOCK=64)
    assert (seen.loaded, seen.stored, seen.products) == (400, 400, 0)
    assert seen.overruns == seen.races == []
    assert torch.equal(y, x)


def test_an_overrun_is_recorded_and_not_done():
    memory = torch.zeros(128)
    with watch() as seen:
        Launcher(copy_kernel)[(1,)](torch.ones(128), memory[:100], 128, BLOCK=128)
    assert seen.overruns == ["copy_kernel, program (0, 0, 0): 28 of 128 places of a store lie in no tensor"]
    assert memory.sum() == 100
    with watch() as seen:
        Launcher(copy_kernel)[(1,)](torch.ones(128)[:100], torch.empty(128), 128, BLOCK=128)
    assert seen.overruns == ["copy_kernel, program (0, 0, 0): 28 of 128 places of a load lie in no tensor"]


def test_a_program_that_loads_what_another_one_stores_is_a_race():
    with watch() as seen:
        Launcher(shift_kernel)[(3,)](torch.zeros(4 * 64), BLOCK=64)
    assert seen.races == ["shift_kernel: 128 places that a program loads are stored by another one"]


def test_two_programs_that_store_to_one_place_are_a_race():
    with watch() as seen:
        Launcher(one_place_kernel)[(3,)](torch.zeros(1))
    assert seen.races == ["one_place_kernel: 1 places are stored by several programs"]


def test_atomic_additions_are_no_race():
    total = torch.zeros(1)
    with watch() as seen:
        Launcher(add_kernel)[(3,)](total, torch.ones(48), BLOCK=16)
    assert seen.races == []
    assert total == 48


def test_the_extent_of_a_strided_tensor_ends_with_its_last_element():
    x = torch.zeros(10, 7)[2:5, 1:3]
    start, end = extent(x)
    assert (end - start) // 4 == 2 * 7 + 2
    start, end = extent(x[:0])
    assert start == end


def test_operations_of_products_are_counted():
    with interpreted(), watch() as seen:
        matmul(draw(64, 64), draw(64, 64))
    assert seen.products == 2 * 64**3


def calls():
    heads = [draw(1, 2, 65, 24, seed=seed).requires_grad_() for seed in range(3)]
    x, weight, targets = draw(33, 24).requires_grad_(), draw(65, 24, seed=1).requires_grad_(), torch.arange(33)
    return {
        "attention": lambda: attention(*heads, causal=True).sum().backward(),
        "attention in a window": lambda: attention(*heads, causal=True, window=20).sum().backward(),
        "matmul": lambda: matmul(x, weight.T, activation="gelu").sum().backward(),
        "layer_norm": lambda: layer_norm(x, weight[0], weight[1]).sum().backward(),
        "rms_norm": lambda: rms_norm(x, weight[0]).sum().backward(),
        "swiglu": lambda: swiglu(x, x.flip(0)).sum().backward(),
        "decode_attention": lambda: decode_attention(heads[0][:, :, 0], *heads[1:]),
        "softmax": lambda: softmax(x).sum().backward(),
        "cross_entropy": lambda: cross_entropy(x, targets % 24).backward(),
        "linear_cross_entropy": lambda: linear_cross_entropy(x, weight, targets, chunk=16).backward(),
        "gelu": lambda: gelu(x).sum().backward(),
        "softmax of long rows": lambda: softmax(draw(2, 16385).requires_grad_()).sum().backward(),
        "layer_norm of long rows": lambda: layer_norm(*wide()).sum().backward(),
        "rms_norm of long rows": lambda: rms_norm(*wide()[:2]).sum().backward(),
        "rotary": lambda: rotary(heads[0], draw(1, 2, 12), draw(1, 2, 12, seed=1)).sum().backward(),
        "add_rms_norm": lambda: sum(add_rms_norm(x, x.flip(0), weight[0])).sum().backward(),
        "grouped_matmul": lambda: grouped_matmul(x, draw(3, 24, 40), route(targets[:, None] % 3, 3)).sum().backward(),
        "scaled_matmul": lambda: scaled_matmul(*in_codes(quantize, quantize)),
        "block_scaled_matmul": lambda: block_scaled_matmul(
            *in_codes(quantize_blocks, partial(quantize_blocks, block=WEIGHTS))
        ),
    }


def wide():
    return draw(2, 8193).requires_grad_(), draw(8193, seed=1), draw(8193, seed=2)


def in_codes(of_rows, of_weights):
    (a, a_scales), (b, b_scales) = of_rows(draw(33, 40)), of_weights(draw(24, 40, seed=1))
    return a, b.T, a_scales, b_scales.T if b_scales.ndim > 1 else b_scales


@pytest.mark.parametrize("name", calls())
def test_no_kernel_of_the_package_overruns_or_races(name):
    # Not that of AdamW: it finds its tensors by a list of addresses, so that their ends are not known.
    with interpreted(), watch() as seen:
        calls()[name]()
    assert seen.loaded > 0
    assert seen.overruns == seen.races == []
