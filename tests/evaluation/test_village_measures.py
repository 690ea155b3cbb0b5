"""The village as a measure: the truth has no excess, and knows the answer to every probe and every ending."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from worlds import END, by_hand, model_for, words

from minigpt.evaluation import SEED, about_story, endings, excess, judge, probes, score_probes, spread
from minigpt.village import contradictions, parse, stories, story

TOKENIZER = words()
MODEL = model_for(TOKENIZER, context=160)
TOLD = list(stories(40, SEED, "hamlet"))


def test_excess_is_the_difference_of_two_logarithms_story_by_story():
    found = excess(MODEL, TOKENIZER, TOLD, without_state=True)
    stop = TOKENIZER.special_tokens[END]
    for told, difference in list(zip(TOLD, found.differences, strict=True))[:3]:
        nats = -math.fsum(by_hand(MODEL, [stop, *TOKENIZER.encode(told.text), stop]))
        assert difference == pytest.approx(nats + told.log_prob)
    true = -math.fsum(told.log_prob for told in TOLD)
    assert found.share.mean == pytest.approx((found.loss.nats - true) / true)
    assert found.per_story.mean == pytest.approx((found.loss.nats - true) / len(TOLD))
    assert found.per_token.mean == pytest.approx((found.loss.nats - true) / found.loss.tokens)
    free = -math.fsum(told.log_prob_without_state for told in TOLD)
    assert found.plateau.mean == pytest.approx((free - true) / true)
    assert found.of_plateau.mean == pytest.approx((found.loss.nats - true) / (free - true))
    assert excess(MODEL, TOKENIZER, TOLD[:2]).plateau is None


def test_the_paired_interval_is_narrower_than_that_of_the_loss():
    # The model's loss on a story and the truth's hang together through the story's length.
    found = excess(MODEL, TOKENIZER, TOLD)
    assert found.per_story.half_width < 1.96 * _spread([d.nats for d in found.loss.documents]) / math.sqrt(len(TOLD))


def _spread(values):
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def test_a_tokenizer_that_loses_words_is_refused():
    with pytest.raises(ValueError, match="does not give back"):
        excess(model_for(words(n=1)), words(n=1), TOLD[:3])


def test_stories_are_true_until_a_word_is_changed():
    told = story(3, "hamlet").text
    found = judge([told, told.replace("In the end, the brown", "In the end, the blue"), told[:-20], told], "hamlet")
    assert [(s.is_grammatical, s.is_true) for s in found.stories] == [
        (True, True),
        (True, False),
        (False, False),
        (True, True),
    ]
    assert "blue" in found.stories[1].problem
    assert found.grammatical.estimate == 3 / 4
    assert found.true.estimate == 1 / 2
    assert found.distinct == 3 / 4
    with pytest.raises(ValueError, match="no texts"):
        judge([])


def test_true_stories_are_found_long_before_the_reader_gives_up():
    told = [told.text for told in stories(40, 2, "village")]
    assert judge(told, "village", limit=1000).true.estimate == 1
    assert "no reading found in 5 steps" in judge(told[:1], "village", limit=5).stories[0].problem


@pytest.mark.parametrize(("size", "n"), [("hamlet", 60), ("village", 120)])
def test_probes_put_together_are_stories_and_every_other_word_is_a_contradiction(size, n):
    kinds = Counter()
    for told in stories(n, 11, size):
        for probe in probes(told):
            kinds[probe.kind] += 1
            assert f"{probe.prompt} {probe.answer}{probe.rest}" == told.text
            assert probe.answer not in probe.wrong
            if size == "hamlet":
                for wrong in probe.wrong:
                    assert contradictions(f"{probe.prompt} {wrong}{probe.rest}", size)
    assert {"who", "where", "colour"} <= set(kinds)


def test_probes_agree_with_the_events_of_the_story():
    # Independent of the grammar's own bookkeeping: colours as the events tell them.
    checked = 0
    for told in stories(60, 12, "hamlet"):
        for probe in probes(told):
            if probe.kind == "colour" and probe.rest.startswith(" "):
                thing = probe.rest.split()[0].strip(".,")
                before = parse(told.text, "hamlet")
                tints = {e.args[-1] for e in before if e.kind in ("tint", "paint") and e.args[-2] == thing}
                assert probe.answer in tints
                checked += 1
    assert checked > 30


def test_a_guess_is_a_guess_and_the_scores_are_by_hand():
    asked = spread(TOLD, 5)
    assert max(Counter(probe.kind for probe in asked).values()) == 5
    found = score_probes(MODEL, TOKENIZER, asked)
    stop = TOKENIZER.special_tokens[END]
    probe = asked[0]
    ids = [stop, *TOKENIZER.encode(probe.prompt)]
    values = []
    for word in (probe.answer, *probe.wrong):
        whole = [stop, *TOKENIZER.encode(f"{probe.prompt} {word}")]
        assert whole[: len(ids)] == ids
        values.append(math.fsum(by_hand(MODEL, whole)[len(ids) - 1 :]))
    assert found.nats[0] == pytest.approx(-values[0])
    assert found.shares[0] == pytest.approx(math.exp(values[0]) / math.fsum(map(math.exp, values)))
    assert found.right[0] == (max(values) == values[0])
    uniform = score_probes(model_for(TOKENIZER, context=160, std=0), TOKENIZER, asked)
    where = [probe for probe in asked if probe.kind != "where"]
    known = score_probes(model_for(TOKENIZER, context=160, std=0), TOKENIZER, where)
    accuracy, loss = known.guessing
    assert known.accuracy.estimate == pytest.approx(accuracy)
    assert known.loss.mean == pytest.approx(loss)
    assert len(uniform.of_kind("colour").probes) == 5
    with pytest.raises(ValueError, match="'smell'"):
        found.of_kind("smell")
    with pytest.raises(ValueError, match="no probes"):
        score_probes(MODEL, TOKENIZER, [])


def test_endings_are_right_or_contradict_the_story():
    for told, question in zip(TOLD, endings(TOLD), strict=False):
        if question.context not in told.text:
            continue
        assert question.solved in told.text
        begin = len(question.context) + len(question.joint)
        right = question.choices[question.answer]
        for i, choice in enumerate(question.choices):
            text = told.text[:begin] + choice + told.text[begin + len(right) :]
            assert bool(contradictions(text, "hamlet")) == (i != question.answer)


def test_questions_stand_behind_their_stories_in_an_order_that_the_seed_decides():
    asked = about_story(TOLD, seed=1)
    assert asked == about_story(TOLD, seed=1)
    assert asked != about_story(TOLD, seed=2)
    assert asked[0].context.endswith("?")
    places = Counter(question.answer for question in asked if len(question.choices) == 2)
    assert min(places.values()) > 3
