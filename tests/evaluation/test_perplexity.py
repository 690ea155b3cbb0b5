"""Perplexity: the same as loops by hand, as `transformers`, and over windows as token by token."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from worlds import END, TEXTS, by_hand, characters, model_for, pairs, words

from minigpt.evaluation import evaluate_domains, perplexity, windows
from minigpt.interop import hugging_face
from minigpt.village import entropy, stories

TOKENIZER = characters()
MODEL = model_for(TOKENIZER)
STOP = TOKENIZER.special_tokens[END]


def test_documents_by_hand():
    found = perplexity(MODEL, TOKENIZER, TEXTS)
    for text, document in zip(TEXTS, found.documents, strict=True):
        ids = [STOP, *TOKENIZER.encode(text), STOP]
        nats = -math.fsum(by_hand(MODEL, ids))
        assert document.nats == pytest.approx(nats)
        assert document.tokens == len(text) + 1
        assert document.bytes == len(text.encode("utf-8")) + 1
        assert document.perplexity == pytest.approx(math.exp(nats / (len(text) + 1)))
        assert document.bits_per_byte == pytest.approx(nats / math.log(2) / document.bytes)
        assert document.is_exact
    assert found.perplexity == pytest.approx(math.exp(found.nats / found.tokens))
    assert found.loss.mean == pytest.approx(found.nats / found.tokens)
    assert found.tokens == sum(len(text) + 1 for text in TEXTS)


def test_passages_leave_the_end_out():
    (passage,) = perplexity(MODEL, TOKENIZER, ["Mia has"], whole=False).documents
    assert passage.nats == pytest.approx(-math.fsum(by_hand(MODEL, [STOP, *TOKENIZER.encode("Mia has")])))
    assert (passage.tokens, passage.bytes) == (7, 7)


def test_the_loss_of_transformers(tmp_path):
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=TOKENIZER.vocab_size, n_positions=64, n_embd=16, n_layer=2, n_head=2)
    theirs = GPT2LMHeadModel(config).double().eval()
    theirs.save_pretrained(tmp_path)
    ours = hugging_face.load(tmp_path)
    text = TEXTS[2]
    ids = torch.tensor([[STOP, *TOKENIZER.encode(text), STOP]])
    with torch.no_grad():
        expected = theirs(ids, labels=ids).loss.item()
    (document,) = perplexity(ours.double(), TOKENIZER, [text]).documents
    assert document.loss == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 23, 40])
@pytest.mark.parametrize("stride", [1, 3, 8])
def test_windows_score_everything_once_and_are_full(n, stride):
    found = windows(n, context=8, stride=stride)
    scored = [i for w in found for i in range(w.end - w.scored, w.end)]
    assert scored == list(range(n))
    assert all(w.end - w.begin == min(8, n) for w in found)
    seen = [i - w.begin + 1 for w in found[1:] for i in range(w.end - w.scored, w.end)]
    assert min(seen, default=8) >= 8 - stride + 1


def test_a_long_document_with_stride_1_is_token_by_token():
    model = model_for(TOKENIZER, context=10)
    text = TEXTS[2]
    ids = [STOP, *TOKENIZER.encode(text), STOP]
    nats = [-by_hand(model, ids[max(0, t - 10) : t + 1])[-1] for t in range(1, len(ids))]
    (document,) = perplexity(model, TOKENIZER, [text], stride=1).documents
    assert document.nats == pytest.approx(math.fsum(nats))


def test_a_stride_of_the_context_cuts_a_document_into_pieces():
    model = model_for(TOKENIZER, context=10)
    ids = [STOP, *TOKENIZER.encode("Mia has the red ball."), STOP]
    pieces = [ids[0:11], ids[10:21]]
    nats = -math.fsum(x for piece in pieces for x in by_hand(model, piece))
    last = -by_hand(model, ids[12:23])[-2:][0] - by_hand(model, ids[12:23])[-1]
    (document,) = perplexity(model, TOKENIZER, ["Mia has the red ball."], stride=10).documents
    assert document.nats == pytest.approx(nats + last)


def test_bits_per_byte_of_a_uniform_model_depend_on_tokens_and_loss_alone():
    text = "Mia has the red ball."
    for tokenizer in (characters(), pairs()):
        model = model_for(tokenizer, std=0)
        (document,) = perplexity(model, tokenizer, [text]).documents
        assert document.perplexity == pytest.approx(tokenizer.vocab_size)
        n = len(tokenizer.encode(text)) + 1
        assert document.bits_per_byte == pytest.approx(n * math.log2(tokenizer.vocab_size) / (len(text) + 1))


def test_an_unknown_word_is_reported():
    tokenizer = words()
    found = perplexity(model_for(tokenizer), tokenizer, ["Mia was in the garden.", "Mia was in Timbuktu."])
    assert found.inexact == 1
    assert [document.is_exact for document in found.documents] == [True, False]


def test_the_end_counts_as_in_the_entropy_of_the_village():
    told = list(stories(20, 5, "hamlet"))
    tokenizer = words()
    found = perplexity(model_for(tokenizer, context=128), tokenizer, [story.text for story in told])
    exact = entropy("hamlet", 20, 5, count_tokens=lambda text: len(tokenizer.encode(text)) + 1)
    nats = -math.fsum(story.log_prob for story in told)
    assert found.bytes == pytest.approx(nats / exact.per_byte.mean)
    assert found.tokens == pytest.approx(nats / exact.per_token.mean)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="no texts"):
        perplexity(MODEL, TOKENIZER, [])
    with pytest.raises(ValueError, match="text 1 is empty"):
        perplexity(MODEL, TOKENIZER, ["a", ""], whole=False)
    with pytest.raises(ValueError, match="stride=0"):
        windows(5, 8, 0)
    with pytest.raises(ValueError, match="stride=9"):
        windows(5, 8, 9)


def test_domains_count_alike_however_long_they_are():
    named = {"short": ["a"], "long": [TEXTS[2]] * 3}
    found = evaluate_domains(MODEL, TOKENIZER, named)
    losses = [perplexity(MODEL, TOKENIZER, texts) for texts in named.values()]
    assert found.macro_perplexity == pytest.approx((losses[0].perplexity + losses[1].perplexity) / 2)
    assert found.macro_loss == pytest.approx((losses[0].loss.mean + losses[1].loss.mean) / 2)
    assert found.macro_bits_per_byte == pytest.approx((losses[0].bits_per_byte.mean + losses[1].bits_per_byte.mean) / 2)
    assert found.pooled.tokens == losses[0].tokens + losses[1].tokens
    with pytest.raises(ValueError, match="domain 'empty'"):
        evaluate_domains(MODEL, TOKENIZER, {"empty": []})
    with pytest.raises(ValueError, match="no domains"):
        evaluate_domains(MODEL, TOKENIZER, {})
