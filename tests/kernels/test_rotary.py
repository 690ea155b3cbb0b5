"""Rotary positions: a rotation, by the formula with complex numbers, in both layouts and from any strides."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels.harness import (
    BOTH,
    assert_as_accurate,
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
from minigpt.kernels.rotary import rotary
from minigpt.nn import Rotary

pytestmark = on_every_device

LAYOUTS = ["half", "interleaved"]


def by_complex_numbers(x, cosine, sine, layout):
    """A pair of coordinates as a complex number, times a number on the unit circle."""
    first, second = x.chunk(2, -1) if layout == "half" else (x[..., 0::2], x[..., 1::2])
    turned = torch.complex(first, second) * torch.complex(cosine, sine).unsqueeze(-2)
    parts = turned.real, turned.imag
    return torch.cat(parts, -1) if layout == "half" else torch.stack(parts, -1).flatten(-2)


def tables(batch, time, half):
    angles = 10 * draw(batch, time, half, seed=7, dtype=torch.float64)
    return angles.cos(), angles.sin()


def check(x, grad, layout, of_each=False):
    cosine, sine = tables(x.shape[0] if of_each else 1, x.shape[1], x.shape[-1] // 2)
    expected = by_complex_numbers(x.double(), cosine, sine, layout)
    back = by_complex_numbers(grad.double(), cosine, -sine, layout)
    plain, plain_back = expected.to(x.dtype), back.to(x.dtype)
    with guarded(x, grad, cosine.float(), sine.float()) as (x, grad, cosine, sine):
        x.requires_grad_()
        y = rotary(x, cosine, sine, layout)
        (x_grad,) = torch.autograd.grad(y, x, grad)
    assert_as_accurate(y.detach(), plain, expected)
    assert_as_accurate(x_grad, plain_back, back)


cases = given(
    data=st.data(),
    size=st.tuples(st.sampled_from([0, 1, 2]), st.integers(1, 5), st.integers(1, 3)),
    half=st.sampled_from([1, 3, 8, 32, 65]),
    layout=st.sampled_from(LAYOUTS),
    dtype=dtypes,
    of_each=st.booleans(),
)


@cases
@examples
def test_the_reference_turns_complex_numbers(data, size, half, layout, dtype, of_each):
    check(data.draw(layouts((*size, 2 * half), dtype)), draw(*size, 2 * half, seed=1, dtype=dtype), layout, of_each)


@needs_triton
@cases
@examples
def test_the_kernel_turns_complex_numbers(data, size, half, layout, dtype, of_each):
    x, grad = (data.draw(layouts((*size, 2 * half), dtype, seed=seed)) for seed in range(2))
    with interpreted():
        check(x, grad, layout, of_each)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_part_of_a_projection_is_turned_where_it_lies(name, layout):
    together = draw(2, 5, 3, 4, 16)  # queries, keys and values beside one another
    module = Rotary(16, 5, layout=layout)
    with use(name):
        for x in together.unbind(2):
            y = rotary(x, module.cosine[None], module.sine[None], layout)
            torch.testing.assert_close(y, module(x))
            torch.testing.assert_close(y.norm(dim=-1), x.norm(dim=-1))


@needs_triton
def test_programs_may_run_in_any_order():
    x = draw(2, 40, 4, 64)
    cosine, sine = (table.float() for table in tables(1, 40, 32))
    with interpreted():
        first = rotary(x, cosine, sine)
        with reversed_programs():
            assert torch.equal(rotary(x, cosine, sine), first)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_nan_and_infinity_stay_in_their_pair(name, layout):
    x = draw(1, 3, 2, 8)
    x[0, 1, 0, 2], x[0, 2, 1, 5] = torch.nan, torch.inf
    cosine, sine = (table.float() for table in tables(1, 3, 4))
    with use(name):
        broken = ~rotary(x, cosine, sine, layout).isfinite()
    pairs = [(2, 6), (1, 5)] if layout == "half" else [(2, 3), (4, 5)]
    expected = [[0, 1, 0, i] for i in pairs[0]] + [[0, 2, 1, i] for i in pairs[1]]
    assert broken.nonzero().tolist() == expected


def test_gradients_in_float64():
    x = draw(2, 3, 2, 6, dtype=torch.float64).requires_grad_()
    for layout in LAYOUTS:
        assert torch.autograd.gradcheck(lambda x, layout=layout: rotary(x, *tables(2, 3, 3), layout), x)
        assert torch.autograd.gradgradcheck(lambda x, layout=layout: rotary(x, *tables(2, 3, 3), layout), x)


@pytest.mark.parametrize("name", BOTH)
def test_it_is_an_operation_of_torch(name):
    cosine, sine = (table.float() for table in tables(1, 3, 32))
    with use(name):
        torch.library.opcheck(torch.ops.minigpt.rotary, (draw(2, 3, 2, 64).requires_grad_(), cosine, sine, True, False))


def test_it_compiles_in_one_graph():
    cosine, sine = (table.float() for table in tables(1, 3, 32))
    compiled = torch.compile(lambda x: rotary(2 * x, cosine, sine).square().sum(), fullgraph=True, backend="aot_eager")
    x = draw(2, 3, 2, 64).requires_grad_()
    compiled(x).backward()
    torch.testing.assert_close(x.grad, 8 * x.detach())  # a rotation keeps lengths


def test_what_it_does_not_take():
    x, table = torch.zeros(2, 3, 1, 4), torch.zeros(1, 3, 2)
    with pytest.raises(ValueError, match="layout='quarter' is not known"):
        rotary(x, table, table, "quarter")
    with pytest.raises(ValueError, match="an even width"):
        rotary(x[..., :3], table, table)
    with pytest.raises(ValueError, match=r"both must be \(1, 3, 2\) or \(2, 3, 2\)"):
        rotary(x, table[:, :2], table[:, :2])
