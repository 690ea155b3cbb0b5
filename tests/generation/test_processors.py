"""Each sampler keeps, on the same logits, what the one of Hugging Face keeps; a draw follows the probabilities."""

import itertools

import pytest
import torch
from transformers import generation as theirs

from minigpt.generation import Sampling, draw, min_p, no_repeat_ngram, repetition_penalty, temperature, top_k, top_p
from minigpt.generation.processors import PADDING


def logits_of(kind: str, seed: int, batch: int = 5, vocab_size: int = 17) -> torch.Tensor:
    """Random logits: smooth, with many ties, with tokens that are ruled out, or with one that is all but certain."""
    logits = 8 * (torch.rand(batch, vocab_size, generator=torch.Generator().manual_seed(seed)) - 0.5)
    match kind:
        case "ties":
            return logits.round()
        case "ruled out":
            return logits.masked_fill(logits < 0, -torch.inf)
        case "certain":
            return logits.index_add(1, torch.tensor([3]), torch.full((batch, 1), 60.0))
    return logits


def ids_of(seed: int, batch: int = 5, time: int = 12, vocab_size: int = 17) -> torch.Tensor:
    """Texts in which a few tokens come again and again."""
    return torch.randint(vocab_size // 4, (batch, time), generator=torch.Generator().manual_seed(seed)) * 4


CASES = list(itertools.product(["smooth", "ties", "ruled out", "certain"], range(20)))


@pytest.mark.parametrize(
    ("ours", "their_class", "values"),
    [
        (temperature, theirs.TemperatureLogitsWarper, [0.1, 0.7, 1.0, 2.5]),
        (top_k, theirs.TopKLogitsWarper, [1, 3, 17, 50]),
        (top_p, theirs.TopPLogitsWarper, [0.0, 0.1, 0.5, 0.9, 0.999, 1.0]),
        (min_p, theirs.MinPLogitsWarper, [0.0, 0.05, 0.3, 1.0]),
    ],
)
def test_what_is_kept_equals_hugging_face(ours, their_class, values):
    for (kind, seed), value in itertools.product(CASES, values):
        logits = logits_of(kind, seed)
        kept, expected = ours(logits, value), their_class(value)(None, logits)
        if (ours, kind) == (top_p, "ties"):
            # Which of two tokens of the same probability falls out is left to chance there (their sort is not stable).
            assert torch.equal(kept[kept > -torch.inf], logits[kept > -torch.inf])
            kept, expected = kept.sort().values, expected.sort().values
        assert torch.equal(kept, expected), (kind, seed, value)


@pytest.mark.parametrize(
    ("ours", "their_class", "values"),
    [
        (repetition_penalty, theirs.RepetitionPenaltyLogitsProcessor, [0.5, 1.0, 1.2, 3.0]),
        (no_repeat_ngram, theirs.NoRepeatNGramLogitsProcessor, [1, 2, 3, 4, 20]),
    ],
)
def test_what_is_penalised_equals_hugging_face(ours, their_class, values):
    for (kind, seed), value in itertools.product(CASES, values):
        logits, ids = logits_of(kind, seed), ids_of(seed)
        assert torch.equal(ours(logits, ids, value), their_class(value)(ids, logits)), (kind, seed, value)


def test_all_together_in_the_order_of_hugging_face():
    settings = {
        "repetition_penalty": 1.3, "no_repeat_ngram": 2, "temperature": 0.7, "top_k": 9, "top_p": 0.8, "min_p": 0.1
    }  # fmt: skip
    processors = [
        theirs.RepetitionPenaltyLogitsProcessor(1.3),
        theirs.NoRepeatNGramLogitsProcessor(2),
        theirs.TemperatureLogitsWarper(0.7),
        theirs.TopKLogitsWarper(9),
        theirs.TopPLogitsWarper(0.8),
        theirs.MinPLogitsWarper(0.1),
    ]
    for kind, seed in CASES:
        logits, ids = logits_of(kind, seed), ids_of(seed)
        if kind != "ties":
            expected = theirs.LogitsProcessorList(processors)(ids, logits)
            assert torch.equal(Sampling(**settings).process(logits, ids), expected)


def test_penalties_do_not_look_at_padding():
    logits, ids = logits_of("smooth", 0), ids_of(0)
    padded = torch.cat([torch.full((5, 4), PADDING), ids], dim=1)
    for penalty in (lambda x: repetition_penalty(logits, x, 1.5), lambda x: no_repeat_ngram(logits, x, 2)):
        assert torch.equal(penalty(padded), penalty(ids))
    short = torch.tensor([[PADDING, PADDING, 1]])
    assert torch.equal(no_repeat_ngram(logits[:1], short, 3), logits[:1])


def test_a_temperature_of_one_changes_nothing_and_others_are_powers_of_the_probabilities():
    logits = logits_of("smooth", 0).double()
    p = logits.softmax(-1)
    assert torch.equal(temperature(logits, 1.0), logits)
    powers = p ** (1 / 0.4)
    torch.testing.assert_close(temperature(logits, 0.4).softmax(-1), powers / powers.sum(-1, keepdim=True))


def test_greedy_takes_the_largest_logit_behind_the_penalties():
    logits = torch.tensor([[1.0, 3.0, 2.9]])
    uniforms = torch.zeros(1, dtype=torch.float64)
    assert Sampling(temperature=0).choose(logits, torch.tensor([[1]]), uniforms).tolist() == [1]
    sampling = Sampling(temperature=0, repetition_penalty=2.0)
    assert sampling.choose(logits, torch.tensor([[1]]), uniforms).tolist() == [2]
    assert sampling.probabilities(logits, torch.tensor([[1]])).tolist() == [[0, 0, 1]]


def test_a_draw_inverts_the_cumulative_distribution():
    logits = torch.tensor([0.5, 0.0, 0.3, 0.2]).log().expand(6, 4)
    uniforms = torch.tensor([0.0, 0.4999, 0.5001, 0.7999, 0.8001, 1 - 2**-53], dtype=torch.float64)
    assert draw(logits, uniforms).tolist() == [0, 0, 2, 2, 3, 3]


def test_a_token_that_is_ruled_out_is_never_drawn():
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]]).expand(1000, 5)
    uniforms = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1]
    assert draw(logits, uniforms).bincount(minlength=5).tolist() == [0, 500, 0, 500, 0]


def test_even_the_rarest_tokens_come_as_often_as_they_should():
    # Half of the probability lies on a million tokens of 5e-7 each: in float32 the sums would lose most of them.
    logits = torch.cat([torch.zeros(1), torch.full((2**20,), 1 / 2**20).log()]).unsqueeze(0)
    uniforms = torch.linspace(0.5, 1, 5, dtype=torch.float64)[1:-1]
    expected = [1 + 2**18, 1 + 2**19, 1 + 3 * 2**18]
    found = [int(draw(logits, u.unsqueeze(0))) for u in uniforms]
    assert all(abs(a - b) <= 1 for a, b in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature=-1.0 must be 0"),
        ({"temperature": float("nan")}, "temperature=nan must be 0"),
        ({"top_k": 0}, "top_k=0 must be at least 1"),
        ({"top_p": 1.5}, "top_p=1.5 is a probability"),
        ({"min_p": -0.1}, "min_p=-0.1 is a share"),
        ({"repetition_penalty": 0.0}, "repetition_penalty=0.0 must be positive"),
        ({"no_repeat_ngram": 0}, "no_repeat_ngram=0 must be at least 1"),
    ],
)
def test_impossible_settings_are_refused_when_they_are_made(settings, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)


@pytest.mark.parametrize("cold", [1e-20, 1e-30, 1e-38, 1e-44, 1e-320])
def test_the_coldest_temperatures_are_the_limit_at_zero(cold):
    logits = torch.tensor([[80.0, 79.0, -torch.inf], [-3.0, -2.0, -2.5], [1.0, 1.0, 0.0]])
    sampling = Sampling(temperature=cold)
    found = sampling.probabilities(logits, torch.zeros(3, 1, dtype=torch.long))
    assert found.tolist() == [[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]]
    ids = sampling.choose(logits, torch.zeros(3, 1, dtype=torch.long), torch.full((3,), 0.4, dtype=torch.float64))
    assert ids.tolist() == [0, 1, 0]


@pytest.mark.parametrize("hot", [1e20, 1e38, 1e300])
def test_the_hottest_temperatures_leave_what_is_ruled_out_ruled_out(hot):
    found = temperature(torch.tensor([[80.0, -5.0, -torch.inf]]), hot).softmax(-1)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.5, 0.0]]))


@pytest.mark.parametrize("penalty", [1e-40, 1e-4, 1e4, 1e300])
def test_a_penalty_beyond_what_logits_can_hold_is_refused(penalty):
    with pytest.raises(ValueError, match=r"repetition_penalty=.* from 0\.001 to 1000"):
        Sampling(repetition_penalty=penalty)


def test_a_temperature_of_zero_is_no_division():
    with pytest.raises(ValueError, match=r"use Sampling\(temperature=0\)"):
        temperature(torch.zeros(1, 2), 0.0)
