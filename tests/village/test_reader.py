"""The reader without the state: a proper distribution that is worse than the truth, by what the state is worth."""

from __future__ import annotations

import math

import pytest

from minigpt.village import SIZES, derivations, entropy, log_prob_without_state, stories, story
from minigpt.village.reader import count, counts, fingerprint, score
from minigpt.village.stories import grammar


@pytest.mark.parametrize("size", SIZES)
def test_stored_counts_belong_to_the_grammar(size):
    assert counts(size)
    assert len(fingerprint(grammar(size))) == 16


def test_stored_counts_are_those_of_the_command():
    from minigpt.village.count import SEED

    few = count(derivations(told.text, "hamlet")[0] for told in stories(50, SEED, "hamlet"))
    stored = counts("hamlet")
    for place, symbols in few.items():
        for symbol, number in symbols.items():
            assert stored[place][symbol] >= number


def test_a_story_knows_both_probabilities():
    told = story(11, "hamlet")
    assert told.log_prob_without_state == log_prob_without_state(told.text, "hamlet")
    assert told.log_prob_without_state < told.log_prob


def test_the_state_is_worth_about_a_fifth_of_the_hamlets_entropy():
    measured = entropy("hamlet", 500, seed=6, without_state=True)
    excess = measured.without_state.per_story.mean / measured.per_story.mean - 1
    assert 0.15 < excess < 0.25


def test_without_choices_that_hang_on_the_state_both_readers_agree():
    [found] = derivations(story(3, "hamlet").text, "hamlet")
    assert score(found._replace(guesses=()), {}) == found.log_prob_free


def test_unseen_symbols_share_half_a_count():
    [found] = derivations(story(3, "hamlet").text, "hamlet")
    one = found._replace(guesses=found.guesses[:1])
    place, symbol, _ = one.guesses[0]
    assert score(one, {place: {symbol: 1}}) - found.log_prob_free == pytest.approx(math.log(1.5 / 2))
    assert score(one, {place: {"other": 1}}) - found.log_prob_free == pytest.approx(math.log(0.5 / 2))


def test_another_text_is_refused():
    with pytest.raises(ValueError, match="no story of the hamlet"):
        log_prob_without_state("Hello.", "hamlet")


def test_grammars_that_share_plots_do_not_disturb_each_other():
    alone = log_prob_without_state(story(5).text)
    grammar("town")
    assert log_prob_without_state(story(5).text) == alone
    measured = entropy("town", 20, without_state=True)
    assert 1 < measured.without_state.per_story.mean / measured.per_story.mean < 1.4
