"""What stands behind an encoder: each head by hand."""

import copy

import pytest
import torch
from small import config_of, ids_of, with_biases
from torch.nn import functional as F

from minigpt.models import BERT, MaskedLanguageModel, SequenceClassifier, TokenClassifier


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def encoder() -> BERT:
    config = config_of(norm_first=False, activation="gelu", n_segments=2, head_bias=True)
    return BERT(config, generator=seeded())


INPUTS = {
    "is_token": torch.tensor([[True] * 6, [True] * 4 + [False] * 2]),
    "segments": torch.tensor([[0, 0, 0, 1, 1, 1]] * 2),
}


def test_hidden_words_are_read_off_the_embedding_table(encoder):
    model = with_biases(MaskedLanguageModel(encoder, generator=seeded(1)))
    x = encoder(ids_of(2, 6), **INPUTS)
    x = F.gelu(x @ model.transform.weight.T + model.transform.bias)
    x = F.layer_norm(x, (16,), model.norm.weight, model.norm.bias)
    expected = x @ encoder.embedding.weight.T + model.head.bias
    torch.testing.assert_close(model(ids_of(2, 6), **INPUTS), expected)
    assert model.head.weight is encoder.embedding.weight
    copied = copy.deepcopy(model)
    assert copied.head.weight is copied.encoder.embedding.weight


def test_the_table_can_be_another():
    model = MaskedLanguageModel(BERT(config_of(tied=False), generator=seeded()), generator=seeded(1))
    assert model.head.weight is not model.encoder.embedding.weight
    assert model.head.bias is None


def test_each_token_gets_a_class(encoder):
    model = with_biases(TokenClassifier(encoder, 5, generator=seeded(1)))
    expected = encoder(ids_of(2, 6), **INPUTS) @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(ids_of(2, 6), **INPUTS), expected)
    assert expected.shape == (2, 6, 5)


@pytest.mark.parametrize("n_classes", [1, 3])
def test_a_text_gets_a_class_or_a_number(encoder, n_classes):
    model = with_biases(SequenceClassifier(encoder, n_classes, generator=seeded(1)))
    first = encoder(ids_of(2, 6), **INPUTS)[:, 0]
    pooled = torch.tanh(first @ model.pooler.weight.T + model.pooler.bias)
    expected = pooled @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(ids_of(2, 6), **INPUTS), expected)
    assert expected.shape == (2, n_classes)


@pytest.mark.parametrize(
    "make", [MaskedLanguageModel, lambda e: TokenClassifier(e, 3), lambda e: SequenceClassifier(e, 3)]
)
def test_the_encoder_trains_along(encoder, make):
    model = make(encoder)
    logits = model(ids_of(4, 12), segments=ids_of(4, 12) % 2)
    F.cross_entropy(logits.flatten(0, -2), ids_of(logits.shape[:-1].numel(), seed=1) % 3).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("make", [MaskedLanguageModel, lambda e, **g: SequenceClassifier(e, 3, **g)])
def test_the_same_seed_gives_the_same_weights(make):
    def build(seed):
        return make(BERT(config_of(), generator=seeded(seed)), generator=seeded(seed + 1)).state_dict()

    first, second, other = build(0), build(0), build(1)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_classifier_needs_a_class(encoder):
    with pytest.raises(ValueError, match="d_in=16 and d_out=0 must both be at least 1"):
        TokenClassifier(encoder, 0)
