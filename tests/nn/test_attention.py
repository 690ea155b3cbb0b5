"""Attention: equal to loops over queries and keys, in all its forms, with gradients, with and without a cache."""

import math

import pytest
import torch
from by_hand import attention_by_loops, draw, seeded

from minigpt.nn import Attention, LayerCache, Rotary, attention_reference, padding_mask

KV_HEADS = {"multi-head": 4, "grouped-query": 2, "multi-query": 1}


def make(n_kv_heads: int = 4, **arguments) -> Attention:
    """Attention of 4 heads of width 6 in a model of width 10, in float64, with weights and biases of ordinary size."""
    arguments = {"d_head": 6, "std": 0.4, "generator": seeded(), **arguments}
    attention = Attention(10, 4, n_kv_heads=n_kv_heads, **arguments).double()
    for seed, linear in enumerate((attention.qkv, attention.output)):
        if linear.bias is not None:
            linear.bias.data = draw(*linear.bias.shape, seed=seed + 50)
    return attention


def by_loops(attention: Attention, x, allowed=None, memory=None):
    """What `forward` or `cross` should give: three maps of their own, and attention by loops."""
    weight, bias = attention.qkv.weight, attention.qkv.bias
    memory = x if memory is None else memory
    heads, start = [], 0
    for source, n in ((x, attention.n_heads), (memory, attention.n_kv_heads), (memory, attention.n_kv_heads)):
        stop = start + n * attention.d_head
        y = source @ weight[start:stop].T + (0 if bias is None else bias[start:stop])
        heads.append(torch.stack(y.split(attention.d_head, dim=-1), dim=1))
        start = stop
    mixed = attention_by_loops(*heads, allowed)
    return torch.cat(list(mixed.unbind(1)), dim=-1) @ attention.output.weight.T + (
        0 if attention.output.bias is None else attention.output.bias
    )


def assert_same_with_gradients(attention, ours, theirs, *inputs):
    """Both give the same numbers, and the same gradients in every parameter and input."""
    leaves = [*inputs, *attention.parameters()]
    upstream = draw(*ours.shape, seed=99)
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)
    gradients = [torch.autograd.grad(y, leaves, upstream) for y in (ours, theirs)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("n_kv_heads", KV_HEADS.values(), ids=KV_HEADS)
@pytest.mark.parametrize("masked", [False, True])
def test_the_reference_equals_loops(n_kv_heads, masked):
    q, k, v = draw(2, 4, 3, 5), draw(2, n_kv_heads, 6, 5, seed=1), draw(2, n_kv_heads, 6, 7, seed=2)
    mask = draw(2, 1, 3, 6, seed=3) > 0 if masked else None
    output, weights = attention_reference(q, k, v, mask)
    allowed = None if mask is None else lambda b, i, j: mask[b, 0, i, j]
    torch.testing.assert_close(output, attention_by_loops(q, k, v, allowed))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 3, dtype=torch.float64))
    assert weights.min() >= 0
    if masked:
        assert not weights[~mask.expand_as(weights)].any()


@pytest.mark.parametrize("n_kv_heads", KV_HEADS.values(), ids=KV_HEADS)
@pytest.mark.parametrize("bias", [True, False])
def test_self_attention_equals_loops_with_gradients(n_kv_heads, bias):
    attention = make(n_kv_heads, bias=bias)
    x = draw(2, 5, 10, seed=1).requires_grad_()
    assert_same_with_gradients(attention, attention(x), by_loops(attention, x), x)


@pytest.mark.parametrize("n_kv_heads", KV_HEADS.values(), ids=KV_HEADS)
@pytest.mark.parametrize("window", [None, 1, 3, 5, 20])
def test_masked_self_attention_equals_loops_with_gradients(n_kv_heads, window):
    attention = make(n_kv_heads, causal=True, window=window)
    x = draw(2, 6, 10, seed=1).requires_grad_()
    reach = 6 if window is None else window
    expected = by_loops(attention, x, lambda b, i, j: i - reach < j <= i)
    assert_same_with_gradients(attention, attention(x), expected, x)


@pytest.mark.parametrize("causal", [False, True])
def test_padding_is_not_looked_at(causal):
    attention = make(2, causal=causal)
    x = draw(2, 5, 10, seed=1).requires_grad_()
    is_token = torch.tensor([[True, True, True, False, False], [True] * 5])
    expected = by_loops(attention, x, lambda b, i, j: is_token[b, j] and (j <= i or not causal))
    ours = attention(x, mask=padding_mask(is_token))
    assert_same_with_gradients(attention, ours, expected, x)
    alone = attention(x[:1, :3])
    torch.testing.assert_close(ours[:1, :3], alone, rtol=1e-12, atol=1e-13)


def test_every_head_can_have_a_mask_of_its_own():
    attention = make(2)
    x = draw(1, 4, 10, seed=1)
    mask = (draw(1, 4, 4, 4, seed=2) > -0.5) | torch.eye(4, dtype=torch.bool)
    weights = attention.weights(x, mask=mask)
    assert torch.equal(weights > 0, mask)
    _, _, v = attention.project(x)
    mixed = torch.einsum("bhqk,bhkd->bqhd", weights, v.repeat_interleave(2, dim=1)).flatten(2)
    torch.testing.assert_close(attention(x, mask=mask), attention.output(mixed))


@pytest.mark.parametrize("n_kv_heads", KV_HEADS.values(), ids=KV_HEADS)
@pytest.mark.parametrize("bias", [True, False])
def test_cross_attention_equals_loops_with_gradients(n_kv_heads, bias):
    attention = make(n_kv_heads, bias=bias)
    x, memory = draw(2, 3, 10, seed=1).requires_grad_(), draw(2, 5, 10, seed=2).requires_grad_()
    is_token = torch.tensor([[True, True, False, False, False], [True] * 5])
    expected = by_loops(attention, x, lambda b, i, j: is_token[b, j], memory)
    ours = attention.cross(x, memory, mask=padding_mask(is_token))
    assert_same_with_gradients(attention, ours, expected, x, memory)


def test_cross_attention_keeps_keys_and_values_in_a_cache():
    attention = make(2)
    x, memory = draw(2, 3, 10, seed=1), draw(2, 5, 10, seed=2)
    cache = LayerCache(5)
    expected = attention.cross(x, memory)
    assert torch.equal(attention.cross(x, memory, cache=cache), expected)
    assert cache.length == 5
    assert torch.equal(attention.cross(x, None, cache=cache), expected)
    assert cache.length == 5
    with pytest.raises(ValueError, match="there is no memory to look at, and no cache that holds its keys and values"):
        attention.cross(x, None, cache=LayerCache(5))


def test_a_query_that_sees_nothing_gets_zeros_and_finite_gradients():
    attention = make(2, bias=False)
    x = draw(2, 4, 10, seed=1).requires_grad_()
    mask = torch.ones(2, 1, 4, 4, dtype=torch.bool)
    mask[1, 0, 2] = False
    q, k, v = attention.project(x)
    for y in (attention(x, mask=mask), attention_reference(q, k, v, mask)[0].transpose(1, 2).flatten(2)):
        assert not y[1, 2].any()
        assert y[1, 1].all()
        for gradient in torch.autograd.grad(y.sum(), [x, attention.qkv.weight], retain_graph=True):
            assert gradient.isfinite().all()


def test_causality_the_gradient_from_a_position_to_a_later_one_is_exactly_zero():
    attention = make(2, causal=True, rotary=Rotary(6, 8))
    x = draw(1, 8, 10, seed=1).requires_grad_()
    y = attention(x)
    for i in range(8):
        (gradient,) = torch.autograd.grad(y[0, i].sum(), x, retain_graph=True)
        assert gradient[0, : i + 1].ne(0).any(-1).all()
        assert not gradient[0, i + 1 :].any()


def test_without_positions_a_permutation_of_the_input_permutes_the_output():
    attention = make(2)
    x = draw(1, 7, 10, seed=1)
    order = torch.randperm(7, generator=seeded(2))
    torch.testing.assert_close(attention(x[:, order]), attention(x)[:, order])
    turned = make(2, rotary=Rotary(6, 7))
    assert not torch.allclose(turned(x[:, order]), turned(x)[:, order], atol=1e-3)


def test_with_rotary_positions_only_differences_count():
    attention = make(2, causal=True, rotary=Rotary(6, 100))
    x = draw(2, 5, 10, seed=1)
    here = attention(x)
    for positions in (torch.arange(60, 65).unsqueeze(0), torch.tensor([[0, 1, 2, 3, 4], [90, 91, 92, 93, 94]])):
        # The table was rounded to float32 when it was made.
        torch.testing.assert_close(attention(x, positions=positions), here, rtol=0, atol=1e-5)
    assert not torch.allclose(attention(x, positions=2 * torch.arange(5).unsqueeze(0)), here, atol=1e-3)


@pytest.mark.parametrize("chunks", [[1] * 9, [4, 5], [3, 1, 1, 4], [9]], ids=str)
@pytest.mark.parametrize("window", [None, 1, 4])
@pytest.mark.parametrize("rotary", [None, Rotary(6, 9)], ids=["plain", "rotary"])
def test_with_a_cache_pieces_equal_the_whole(chunks, window, rotary):
    attention = make(2, causal=True, window=window, rotary=rotary)
    x = draw(2, 9, 10, seed=1)
    cache = LayerCache(9)
    pieces = [attention(piece, cache=cache) for piece in x.split(chunks, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), attention(x), rtol=1e-12, atol=1e-13)


def test_a_cache_that_is_too_small_is_an_error():
    attention, cache = make(causal=True), LayerCache(4)
    attention(draw(1, 3, 10), cache=cache)
    with pytest.raises(ValueError, match="2 more positions do not fit: the cache holds 3 of 4"):
        attention(draw(1, 2, 10), cache=cache)


def test_padding_on_the_left_with_a_cache():
    attention = make(2, causal=True, rotary=Rotary(6, 6))
    x = draw(1, 4, 10, seed=1)
    padded = torch.cat([draw(1, 2, 10, seed=2), x], dim=1)
    is_token, positions = torch.tensor([[False] * 2 + [True] * 4]), torch.tensor([[0, 0, 0, 1, 2, 3]])
    cache = LayerCache(6)
    for i in range(6):
        seen = padding_mask(is_token[:, : i + 1])
        y = attention(padded[:, i : i + 1], mask=seen, positions=positions[:, i : i + 1], cache=cache)
    torch.testing.assert_close(y, attention(x)[:, -1:], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("causal", [False, True])
def test_the_weights_to_look_at_are_those_in_use(causal):
    attention = make(2, causal=causal, window=3 if causal else None, rotary=Rotary(6, 5))
    x = draw(2, 5, 10, seed=1)
    mask = padding_mask(torch.tensor([[True] * 4 + [False], [True] * 5]))
    weights = attention.weights(x, mask=mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 5, dtype=torch.float64))
    v = attention.project(x)[2].repeat_interleave(2, dim=1)
    torch.testing.assert_close(attention.output((weights @ v).transpose(1, 2).flatten(2)), attention(x, mask=mask))


def test_the_weights_of_cross_attention():
    attention = make(2)
    x, memory = draw(2, 3, 10, seed=1), draw(2, 5, 10, seed=2)
    weights = attention.weights(x, memory)
    assert weights.shape == (2, 4, 3, 5)
    v = attention.keys_values(memory)[1].repeat_interleave(2, dim=1)
    torch.testing.assert_close(attention.output((weights @ v).transpose(1, 2).flatten(2)), attention.cross(x, memory))


def test_outputs_are_convex_combinations_of_the_values():
    q, k, v = draw(1, 2, 5, 3), draw(1, 2, 6, 3, seed=1), draw(1, 2, 6, 4, seed=2)
    output, _ = attention_reference(q, k, v)
    assert (output <= v.amax(2, keepdim=True)).all()
    assert (output >= v.amin(2, keepdim=True)).all()


def test_float32_stays_within_its_rounding_of_float64():
    attention = Attention(64, 4, causal=True, std=0.1, generator=seeded())
    x = draw(2, 32, 64, dtype=torch.float32)
    short = attention(x)
    exact = attention.double()(x.double())
    # Sums of up to 64 products, three in a row; errors grow with the root of their number.
    tolerance = 3 * math.sqrt(64) * torch.finfo(torch.float32).eps
    torch.testing.assert_close(short.double(), exact, rtol=0, atol=tolerance * exact.abs().max().item())


def test_gradients_agree_with_finite_differences():
    attention = make(2, causal=True, window=2, rotary=Rotary(6, 4))
    assert torch.autograd.gradcheck(attention, (draw(1, 4, 10, seed=1).requires_grad_(),))


def test_dropout_acts_in_training_only():
    attention = make(dropout=0.5)
    x = draw(1, 5, 10, seed=1)
    assert not torch.allclose(attention(x), by_loops(attention, x))
    torch.testing.assert_close(attention.eval()(x), by_loops(attention, x))


def test_one_rotary_serves_all_layers():
    rotary = Rotary(6, 8)
    assert make(rotary=rotary).rotary is make(rotary=rotary).rotary


def test_parameters_are_those_of_the_four_maps():
    # Four maps of d x h d_h, of which grouping shrinks two: 2 (h + k) d_h d, and a bias for each output.
    for n_kv_heads in KV_HEADS.values():
        attention = make(n_kv_heads)
        expected = 2 * (4 + n_kv_heads) * 6 * 10 + (4 + 2 * n_kv_heads) * 6 + 10
        assert sum(p.numel() for p in attention.parameters()) == expected
    assert make(bias=True, bias_out=False).output.bias is None
    assert make(bias=False).output.bias is None


def test_the_map_back_can_begin_smaller():
    attention = Attention(128, 4, std=0.02, std_out=0.005, generator=seeded())
    assert attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert attention.output.weight.std().item() == pytest.approx(0.005, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_heads": 3}, "d_model=8 is not divisible by n_heads=3; choose others, or give d_head"),
        ({"n_heads": 4, "n_kv_heads": 3}, "n_heads=4 is not a multiple of n_kv_heads=3"),
        ({"n_heads": 4, "n_kv_heads": 8}, "n_heads=4 is not a multiple of n_kv_heads=8"),
        ({"n_heads": 4, "n_kv_heads": 0}, "n_heads=4 is not a multiple of n_kv_heads=0"),
        ({"n_heads": 4, "window": 3}, "window=3 needs causal=True: it says how far back a position sees"),
        ({"n_heads": 4, "dropout": 1.0}, "dropout=1.0 is a share; it must be from 0 to below 1"),
    ],
)
def test_sizes_that_do_not_fit_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        Attention(8, **arguments)


def test_it_says_its_sizes():
    said = repr(make(2, causal=True, window=3)).splitlines()[1].strip()
    assert said == "n_heads=4, n_kv_heads=2, d_head=6, causal=True, window=3"


def test_under_autocast_on_a_cpu_the_maps_are_in_half_precision_and_attention_is_not():
    attention = Attention(16, 4, causal=True, generator=torch.Generator().manual_seed(0))
    x = torch.rand(2, 9, 16)
    with torch.autocast("cpu", torch.bfloat16):
        half = attention(x)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), attention(x), atol=4e-3, rtol=0)
