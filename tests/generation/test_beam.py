"""Beam search finds what trying everything finds, and what Hugging Face's finds."""

import itertools

import pytest
import torch
from small import gpt_of
from transformers import GPT2Config, GPT2LMHeadModel

from minigpt.generation import GREEDY, beam_search, generate, power, wu
from minigpt.interop.hugging_face import load

END = 3


def everything(model, prompt, n_tokens, normalisation):
    """Every text of up to `n_tokens` tokens that ends with END or is that long, with its score; the best first."""
    found = []
    for length in range(1, n_tokens + 1):
        for ids in itertools.product(range(4), repeat=length):
            if END in ids[:-1] or (length < n_tokens and ids[-1] != END):
                continue
            logits = model(torch.tensor([[*prompt, *ids]]))[0, len(prompt) - 1 : -1]
            log_prob = logits.log_softmax(-1)[range(length), ids].sum().item()
            found.append((ids, log_prob, log_prob / normalisation(length)))
    return sorted(found, key=lambda item: -item[2])


@pytest.mark.parametrize("normalisation", [power(0), power(1), power(0.6), power(-0.5), wu(0.7)])
def test_a_beam_that_holds_everything_equals_exhaustive_search(normalisation):
    model = gpt_of(vocab_size=4)
    expected = everything(model, [1, 2], 4, normalisation)[:20]
    found = beam_search(model, [1, 2], 4, n_beams=256, n_best=20, end={END}, normalisation=normalisation)
    assert [hypothesis.ids for hypothesis in found] == [ids for ids, _, _ in expected]
    for hypothesis, (_, log_prob, score) in zip(found, expected, strict=True):
        assert hypothesis.log_prob == pytest.approx(log_prob, rel=1e-12)
        assert hypothesis.score == pytest.approx(score, rel=1e-12)


def test_one_beam_is_greedy_decoding():
    model = gpt_of("llama")
    (found,) = beam_search(model, [1, 2], 9, n_beams=1, normalisation=power(0))
    assert [list(found.ids)] == generate(model, [[1, 2]], 9, sampling=GREEDY)


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=30, n_positions=32, n_embd=24, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        model.transformer.wte.weight.mul_(20)
    return model


@pytest.mark.parametrize("n_beams", [2, 3, 5])
@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("n_gram", [None, 2])
def test_it_equals_hugging_face(theirs, n_beams, alpha, n_gram):
    for first in range(1, 8):
        ids = torch.tensor([[first, 2, 5]])
        # Their rule for stopping that loses nothing is called "never".
        result = theirs.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, num_beams=n_beams,
            num_return_sequences=n_beams, length_penalty=alpha, early_stopping="never", pad_token_id=29,
            no_repeat_ngram_size=n_gram or 0, return_dict_in_generate=True, output_scores=True,
        )  # fmt: skip
        found = beam_search(
            load(theirs), ids[0].tolist(), 12, n_beams=n_beams, n_best=n_beams, end={0}, normalisation=power(alpha),
            no_repeat_ngram=n_gram,
        )  # fmt: skip
        assert len(found) == n_beams
        for hypothesis, row, score in zip(found, result.sequences, result.sequences_scores, strict=True):
            length = len(hypothesis.ids)
            assert row[3 : 3 + length].tolist() == list(hypothesis.ids)
            assert hypothesis.score == pytest.approx(score.item(), rel=1e-4)


def test_normalisations_are_the_published_ones():
    assert power(0.0)(7) == 1
    assert power(1.0)(7) == 7
    for alpha in (50, -50):
        assert power(alpha)(10**6) > 0
        assert wu(alpha)(10**6) < float("inf")
    assert wu(0.6)(7) == pytest.approx((12 / 6) ** 0.6)


def test_mistakes_are_explained():
    for normalisation in (power, wu):
        with pytest.raises(ValueError, match="alpha=400 must be from -50 to 50"):
            normalisation(400)
    with pytest.raises(ValueError, match="n_best=3 must be from 1 to n_beams=2"):
        beam_search(gpt_of(), [1], 3, n_beams=2, n_best=3)
    with pytest.raises(ValueError, match="a prompt of 1 tokens and 20 new ones do not fit"):
        beam_search(gpt_of(), [1], 20, n_beams=2)
