"""Blocks: the order of norm, part and residual connection, by hand."""

import pytest
import torch
from by_hand import draw, seeded
from torch import nn

from minigpt.nn import (
    Attention,
    Block,
    CrossBlock,
    FeedForward,
    GatedFeedForward,
    LayerCache,
    LayerNorm,
    PostNormBlock,
    PostNormCrossBlock,
    RMSNorm,
    Rotary,
    padding_mask,
)


def norm(seed: int) -> nn.Module:
    """A layer norm with weights and biases that can be told from another's."""
    made = LayerNorm(8)
    made.weight.data, made.bias.data = 1 + draw(8, seed=seed) / 2, draw(8, seed=seed + 1)
    return made


def make(kind: type[Block], *, causal: bool = True, dropout: float = 0.0) -> Block:
    attention = Attention(8, 2, causal=causal, std=0.4, generator=seeded(1))
    network = FeedForward(8, 12, std=0.4, generator=seeded(2))
    return kind(attention, network, norm(10), norm(20), dropout=dropout).double()


def make_cross(kind: type[CrossBlock]) -> CrossBlock:
    block = make(PostNormBlock if kind is PostNormCrossBlock else Block)
    return kind(block, Attention(8, 2, std=0.4, generator=seeded(3)), norm(30)).double()


def test_pre_norm_by_hand():
    block, x = make(Block), draw(2, 5, 8)
    middle = x + block.attention(block.attention_norm(x))
    expected = middle + block.feed_forward(block.feed_forward_norm(middle))
    torch.testing.assert_close(block(x), expected)


def test_post_norm_by_hand():
    block, x = make(PostNormBlock), draw(2, 5, 8)
    middle = block.attention_norm(x + block.attention(x))
    expected = block.feed_forward_norm(middle + block.feed_forward(middle))
    torch.testing.assert_close(block(x), expected)


def test_pre_norm_equals_pytorch():
    """`torch.nn.TransformerEncoderLayer` with the same weights."""
    block = make(Block, causal=False)
    assert_equals_pytorch(block, norm_first=True)


def test_post_norm_equals_pytorch():
    block = make(PostNormBlock, causal=False)
    assert_equals_pytorch(block, norm_first=False)


def assert_equals_pytorch(block: Block, *, norm_first: bool) -> None:
    activation = nn.GELU(approximate="tanh")
    theirs = nn.TransformerEncoderLayer(8, 2, 12, 0.0, activation, batch_first=True, norm_first=norm_first).double()
    parts = {
        "self_attn.in_proj_": block.attention.qkv,
        "self_attn.out_proj.": block.attention.output,
        "linear1.": block.feed_forward.up,
        "linear2.": block.feed_forward.down,
        "norm1.": block.attention_norm,
        "norm2.": block.feed_forward_norm,
    }
    theirs.load_state_dict(
        {name + key: value for name, part in parts.items() for key, value in part.state_dict().items()}
    )
    x = draw(2, 5, 8)
    is_token = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    ours = block(x, mask=padding_mask(is_token))
    expected = theirs(x, src_key_padding_mask=~is_token)
    torch.testing.assert_close(ours[is_token], expected[is_token])


def test_a_pre_norm_block_whose_parts_give_zero_is_the_identity():
    block, x = make(Block), draw(2, 5, 8)
    for linear in (block.attention.output, block.feed_forward.down):
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    assert torch.equal(block(x), x)


def test_cross_attention_stands_between_the_other_two():
    x, memory = draw(2, 4, 8), draw(2, 6, 8, seed=1)
    block = make_cross(CrossBlock)
    a = x + block.attention(block.attention_norm(x))
    b = a + block.cross_attention.cross(block.cross_norm(a), memory)
    torch.testing.assert_close(block(x, memory), b + block.feed_forward(block.feed_forward_norm(b)))

    block = make_cross(PostNormCrossBlock)
    a = block.attention_norm(x + block.attention(x))
    b = block.cross_norm(a + block.cross_attention.cross(a, memory))
    torch.testing.assert_close(block(x, memory), block.feed_forward_norm(b + block.feed_forward(b)))


@pytest.mark.parametrize("kind", [CrossBlock, PostNormCrossBlock])
def test_a_decoder_block_reads_token_by_token(kind):
    block, x, memory = make_cross(kind), draw(2, 5, 8), draw(2, 6, 8, seed=1)
    mask = padding_mask(torch.tensor([[True] * 6, [True] * 4 + [False] * 2]))
    cache, memory_cache = LayerCache(5), LayerCache(6)
    steps = []
    for i in range(5):
        given = memory if i == 0 else None
        steps.append(block(x[:, i : i + 1], given, memory_mask=mask, cache=cache, memory_cache=memory_cache))
    torch.testing.assert_close(torch.cat(steps, dim=1), block(x, memory, memory_mask=mask))


@pytest.mark.parametrize("kind", [Block, PostNormBlock])
def test_mask_positions_and_cache_reach_attention(kind):
    block, x = make(kind), draw(2, 5, 8)
    block.attention.rotary = Rotary(4, 40).double()
    mask = padding_mask(torch.tensor([[True] * 5, [False] + [True] * 4]))
    cache = LayerCache(5)
    steps = [block(x[:, i : i + 1], mask=mask[..., : i + 1], cache=cache) for i in range(5)]
    whole = block(x, mask=mask)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)
    assert not torch.allclose(whole, block(x))
    assert not torch.allclose(block(x, positions=torch.tensor([[0, 5, 7, 20, 39]])), block(x))


def test_dropout_acts_on_what_each_part_adds():
    block, x = make(Block, dropout=0.5), draw(2, 5, 8)
    torch.manual_seed(0)
    nn.init.zeros_(block.feed_forward.down.weight)
    added = block(x) - x
    whole = block.attention(block.attention_norm(x))
    kept = added != 0
    assert 0.25 < kept.double().mean() < 0.75
    torch.testing.assert_close(added[kept], 2 * whole[kept])
    torch.testing.assert_close(block.eval()(x), x + whole)


def test_any_norm_and_network_of_the_same_width_fits():
    network = GatedFeedForward(8, 12, generator=seeded())
    block = Block(Attention(8, 2, generator=seeded()), network, RMSNorm(8), RMSNorm(8))
    assert block(draw(2, 5, 8, dtype=torch.float32)).shape == (2, 5, 8)


@pytest.mark.parametrize("kind", [Block, PostNormBlock])
def test_gradients_agree_with_finite_differences(kind):
    assert torch.autograd.gradcheck(make(kind), (draw(1, 3, 8).requires_grad_(),))
