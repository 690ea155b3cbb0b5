"""Rotary positions: multiplication by complex numbers of length 1, so that only differences of positions count."""

import math

import pytest
import torch
from by_hand import draw, seeded

from minigpt.nn import Attention, LinearScaling, Llama3Scaling, Rotary, frequencies
from minigpt.nn.rotary import reorder

LAYOUTS = ["half", "interleaved"]


def turned_as_complex_numbers(x, layout, base=10000.0):
    """Pair `(a, b)` of frequency `w` at position `p` is `(a + bi) exp(i p w)`."""
    d_head = x.shape[-1]
    if layout == "interleaved":
        pairs = torch.complex(x[..., 0::2], x[..., 1::2])
    else:
        pairs = torch.complex(x[..., : d_head // 2], x[..., d_head // 2 :])
    w = torch.tensor([base ** (-2 * i / d_head) for i in range(d_head // 2)], dtype=torch.float64)
    angles = torch.arange(x.shape[1]).unsqueeze(-1) * w
    pairs = pairs * torch.exp(1j * angles)[:, None, :]
    if layout == "interleaved":
        return torch.view_as_real(pairs).flatten(-2)
    return torch.cat([pairs.real, pairs.imag], dim=-1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_turning_is_multiplication_by_complex_numbers(layout):
    rotary = Rotary(8, 30, base=100.0, layout=layout).double()
    x = draw(2, 30, 3, 8)
    # The table was rounded to float32 when it was made.
    eps = torch.finfo(torch.float32).eps
    torch.testing.assert_close(rotary(x), turned_as_complex_numbers(x, layout, 100.0), rtol=0, atol=2 * eps)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_dot_product_depends_on_the_offset_only(layout):
    rotary = exact(Rotary(16, 2000, layout=layout))
    q, k = draw(1, 1, 1, 16), draw(1, 1, 1, 16, seed=1)
    for offset in (0, 1, 7, 400):
        products = [(rotary(q, p + offset) * rotary(k, p)).sum().item() for p in (0, 1, 50, 1500)]
        assert products == pytest.approx([products[0]] * 4, abs=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_lengths_stay_and_position_zero_turns_nothing(layout):
    rotary = exact(Rotary(16, 50, layout=layout))
    x = draw(2, 50, 3, 16)
    torch.testing.assert_close(rotary(x).norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(rotary(x)[:, 0], x[:, 0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_gradient_is_the_rotation_back(layout):
    rotary = exact(Rotary(6, 5, layout=layout))
    x = draw(1, 5, 2, 6).requires_grad_()
    assert torch.autograd.gradcheck(rotary, (x,))
    rotary(x).backward(rotary(x).detach())
    torch.testing.assert_close(x.grad, x.detach())


def test_positions_can_be_given_or_counted_from_a_start():
    rotary = Rotary(8, 20)
    x = draw(2, 4, 3, 8, dtype=torch.float32)
    whole = rotary(x.repeat(1, 5, 1, 1))
    assert torch.equal(rotary(x, 8), whole[:, 8:12])
    assert torch.equal(rotary(x, positions=torch.arange(8, 12).unsqueeze(0)), whole[:, 8:12])
    given = rotary(x, positions=torch.tensor([[8, 9, 10, 11], [0, 1, 2, 3]]))
    assert torch.equal(given[0], whole[0, 8:12])
    assert torch.equal(given[1], whole[1, :4])


def test_a_position_without_a_row_is_an_error():
    rotary = Rotary(8, 20)
    with pytest.raises(ValueError, match=r"4 tokens from position 17 .* rows 0 to 19; shorten the text"):
        rotary(torch.zeros(1, 4, 1, 8), 17)
    with pytest.raises(IndexError):
        rotary(torch.zeros(1, 1, 1, 8), positions=torch.tensor([[20]]))


def test_the_layouts_are_the_same_up_to_the_order_of_coordinates():
    half, interleaved = Rotary(8, 10, layout="half"), Rotary(8, 10, layout="interleaved")
    x = draw(2, 10, 3, 8, dtype=torch.float32)
    order = reorder(torch.arange(8).float(), 8, "half").long()
    assert order.tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    assert torch.equal(half(x[..., order]), interleaved(x)[..., order])


def test_reordered_weights_give_the_same_attention_in_the_other_layout():
    def attention(layout):
        rotary = Rotary(8, 12, layout=layout)
        return Attention(16, 4, n_kv_heads=2, d_head=8, rotary=rotary, causal=True, generator=seeded(), std=0.3)

    interleaved, half = attention("interleaved"), attention("half")
    n_turned = (4 + 2) * 8
    for name in ("weight", "bias"):
        parameter = getattr(half.qkv, name).data
        parameter[:n_turned] = reorder(parameter[:n_turned].clone(), 8, "half")
    x = draw(2, 12, 16, dtype=torch.float32)
    # A sum of 8 products in another order: a few units in the last place.
    torch.testing.assert_close(half(x), interleaved(x), rtol=1e-5, atol=1e-6)
    assert torch.equal(reorder(half.qkv.weight[:n_turned], 8, "interleaved"), interleaved.qkv.weight[:n_turned])


def test_reorder_wants_whole_heads_of_even_width():
    for rows, d_head in ((10, 4), (9, 3), (4, 0)):
        with pytest.raises(ValueError, match=f"{rows} rows are not heads of an even width d_head={d_head}"):
            reorder(torch.zeros(rows, 2), d_head, "half")


def test_linear_scaling_puts_position_p_where_p_over_the_factor_was():
    plain, scaled = exact(Rotary(8, 10)), exact(Rotary(8, 40, scaling=LinearScaling(4.0)))
    x = draw(1, 1, 2, 8)
    torch.testing.assert_close(scaled(x, 36), plain(x, 9))


@pytest.mark.parametrize("factor", [8.0, 32.0])
@pytest.mark.parametrize("d_head", [64, 128])
def test_llama_3_scaling_equals_transformers(factor, d_head):
    rope = pytest.importorskip("transformers.modeling_rope_utils")
    config = pytest.importorskip("transformers.models.llama").LlamaConfig(
        hidden_size=d_head,
        num_attention_heads=1,
        max_position_embeddings=131072,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": factor,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    )
    theirs, scale = rope.ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    assert scale == 1
    ours = Llama3Scaling(factor=factor)(frequencies(d_head, 500000.0))
    torch.testing.assert_close(ours.float(), theirs, rtol=1e-6, atol=0)  # theirs are calculated in float32


def test_llama_3_scaling_keeps_fast_pairs_and_slows_slow_ones():
    w = frequencies(128, 500000.0)
    ratio = Llama3Scaling()(w) / w
    turns = 8192 * w / (2 * math.pi)
    assert ratio[turns > 4].eq(1).all()
    assert ratio[turns < 1].eq(1 / 8).all()
    assert ratio.diff().le(0).all()


def test_the_table_is_no_parameter_and_in_no_checkpoint():
    rotary = Rotary(8, 20)
    assert not list(rotary.parameters())
    assert not rotary.state_dict()
    assert repr(rotary) == "Rotary(d_head=8, n_positions=20, base=10000, layout='half')"


def test_the_table_is_calculated_in_float64_and_rounded_once():
    rotary = Rotary(64, 100_001)
    for i, w in enumerate(frequencies(64).tolist()):
        assert rotary.cosine[-1, i].item() == pytest.approx(math.cos(100_000 * w), abs=2**-25)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_dtype_of_the_input_is_kept(dtype):
    assert Rotary(4, 5)(torch.zeros(1, 5, 1, 4, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rotary(7, 10), "d_model=7 must be even"),
        (lambda: Rotary(8, 0), "n_positions=0 must be at least 1"),
        (lambda: Rotary(8, 10, layout="split"), "layout='split' is not known; use 'half' or 'interleaved'"),
        (lambda: Rotary(8, 10, base=1.0), "base=1.0 must be larger than 1"),
        (lambda: LinearScaling(0.5), "factor=0.5 must be a number of at least 1"),
        (lambda: Llama3Scaling(factor=math.inf), "factor=inf must be a number of at least 1"),
        (lambda: Llama3Scaling(low=4.0, high=4.0), "low=4.0 and high=4.0: low must be positive, and high larger"),
        (lambda: Llama3Scaling(original_context=0), "original_context=0 must be at least 1"),
    ],
)
def test_impossible_values_are_rejected(make, message, without_shape_checks):
    with pytest.raises(ValueError, match=message):
        make()


def exact(rotary: Rotary) -> Rotary:
    """The same with a table in float64."""
    w = frequencies(2 * rotary.cosine.shape[1], rotary.base)
    if rotary.scaling is not None:
        w = rotary.scaling(w)
    angles = torch.outer(torch.arange(len(rotary.cosine), dtype=torch.float64), w)
    rotary.cosine, rotary.sine = angles.cos(), angles.sin()
    return rotary
