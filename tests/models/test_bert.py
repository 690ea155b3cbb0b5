"""BERT: every position sees every other, padding is not seen, and embeddings are summed and normalised."""

import pytest
import torch
from small import config_of, ids_of, with_biases

from minigpt.models import BERT, TransformerConfig


def bert_of(variant: str = "gpt-1", **changes: object) -> BERT:
    """A small BERT, with norms behind sums unless something else is asked for."""
    return with_biases(BERT(config_of(variant, **changes), generator=torch.Generator().manual_seed(0)))


def test_by_hand():
    model, ids = bert_of(n_segments=2), ids_of(2, 6)
    segments = torch.tensor([[0, 0, 0, 1, 1, 1]] * 2)
    x = model.embedding.weight[ids] + model.positions.weight[:6] + model.segments.weight[segments]
    x = torch.nn.functional.layer_norm(x, (16,), model.embedding_norm.weight, model.embedding_norm.bias)
    for block in model.blocks:
        x = block.attention_norm(x + block.attention(x))
        x = block.feed_forward_norm(x + block.feed_forward(x))
    torch.testing.assert_close(model(ids, segments=segments), x)


def test_with_norms_first_the_last_sum_is_normalised():
    model, ids = bert_of("gpt-2"), ids_of(2, 6)
    x = model.embedding.weight[ids] + model.positions.weight[:6]
    for block in model.blocks:
        x = x + block.attention(block.attention_norm(x))
        x = x + block.feed_forward(block.feed_forward_norm(x))
    torch.testing.assert_close(model(ids), model.norm(x))


def test_every_position_depends_on_every_other():
    model, ids = bert_of(), ids_of(1, 6)
    embedded = model.embedding.weight[ids].detach().requires_grad_()
    model.embedding.forward = lambda ids: embedded
    y = model(ids)
    for i in range(6):
        (gradient,) = torch.autograd.grad(y[0, i, 0], embedded, retain_graph=True)
        assert gradient[0].any(-1).all()


def test_padding_is_not_seen(variant):
    model, ids = bert_of(variant), ids_of(2, 7)
    is_token = torch.tensor([[True] * 4 + [False] * 3, [True] * 7])
    whole = model(ids, is_token=is_token)
    torch.testing.assert_close(whole[0, :4], model(ids[:1, :4])[0])
    torch.testing.assert_close(whole[1], model(ids[1:])[0])


def test_without_positions_a_permutation_of_the_tokens_permutes_the_vectors():
    model, ids = bert_of("no positions"), ids_of(1, 7)
    order = torch.tensor([3, 1, 6, 0, 2, 5, 4])
    torch.testing.assert_close(model(ids[:, order]), model(ids)[:, order])
    ordered = bert_of()
    assert not torch.allclose(ordered(ids[:, order]), ordered(ids)[:, order])


def test_a_window_is_for_decoders():
    model, ids = bert_of("mistral"), ids_of(1, 9)
    other = ids.clone()
    other[0, 0] = (other[0, 0] + 1) % 13
    assert not torch.equal(model(other)[0, -1], model(ids)[0, -1])


def test_without_segments_all_tokens_are_of_the_first():
    model, ids = bert_of(n_segments=2), ids_of(2, 5)
    assert torch.equal(model(ids), model(ids, segments=torch.zeros_like(ids)))
    assert not torch.allclose(model(ids), model(ids, segments=torch.ones_like(ids)))


def test_segments_for_a_model_without_are_an_error():
    with pytest.raises(ValueError, match="this model has no embeddings of segments"):
        bert_of()(ids_of(1, 3), segments=torch.zeros(1, 3, dtype=torch.int64))


def test_a_text_longer_than_the_context_is_an_error():
    with pytest.raises(ValueError, match="shorten the text, or build the module with a larger n_positions"):
        bert_of()(ids_of(1, 13))


def test_every_parameter_gets_a_gradient(variant):
    model = bert_of(variant, n_segments=1, head_bias=False)
    (model(ids_of(4, 12)) * torch.rand(16, generator=torch.Generator().manual_seed(1))).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_building_on_the_meta_device_allocates_nothing():
    with torch.device("meta"):
        model = BERT(TransformerConfig(vocab_size=30522, n_layers=12, d_model=768, n_heads=12, n_segments=2))
    assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
