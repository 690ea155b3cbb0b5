"""The village's central promise: one derivation a text, and probabilities that sum to one."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from minigpt.village import SIZES, derivations, log_prob, stories, story
from minigpt.village.derivations import Search
from minigpt.village.generator import Generator
from minigpt.village.grammar import (
    Choice,
    Grammar,
    GrammarError,
    Line,
    Node,
    Series,
    maybe,
    one_of,
    repeat,
    say,
    then,
    walk,
)
from minigpt.village.plots import hamlet
from minigpt.village.plots.market import ERRAND, SWAPS
from minigpt.village.plots.outdoors import BET, STORM
from minigpt.village.plots.rounds import CONTEST, FARM, STALLS
from minigpt.village.plots.village import PLOTS, VILLAGE
from minigpt.village.stories import grammar


def few(classes, n):
    """The classes cut to their first `n` words."""
    return {name: items[:n] for name, items in classes.items()}


def total_of_all_texts(reduced: Grammar) -> tuple[float, int, int]:
    """Sum of the probabilities of all texts, their number, and the number of derivations."""
    found = list(Search(reduced).texts())
    return math.fsum(math.exp(derivation.log_prob) for derivation in found), len({d.text for d in found}), len(found)


def thinned(node: Node, keep: int) -> Node:
    """The plot with the first way to say each line, and at most `keep` branches at other choices without a guard."""
    match node:
        case Choice(weights, guards, branches):
            said = all(isinstance(branch, Line) for branch in branches)
            n = len(branches) if any(guards) else 1 if said else keep
            return Choice(weights[:n], guards[:n], tuple(thinned(branch, keep) for branch in branches[:n]))
        case Series(parts):
            return Series(tuple(thinned(part, keep) for part in parts))
        case Line(body, effects):
            return Line(thinned(body, 1), effects)
    return node


def test_all_texts_of_a_reduced_hamlet_sum_to_one_and_none_has_two_derivations():
    meeting, hands, _ = hamlet.OPENING.parts
    plot = then(thinned(meeting, 1), thinned(hands, 2), *[thinned(hamlet.STEP, 1)] * 2, thinned(hamlet.ENDING, 2))
    words = few(hamlet.HAMLET.classes, 2) | {"colour": hamlet.COLOURS[:4], "time": hamlet.TIMES[:1]}
    sum_of_probabilities, texts, found = total_of_all_texts(Grammar("reduced", plot, words))
    assert texts > 10_000
    assert found == texts
    assert sum_of_probabilities == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("number", range(len(PLOTS)))
def test_all_texts_of_each_thinned_plot_sum_to_one(number):
    lengths = {
        "child": 3,
        "toy": 3,
        "colour": 3,
        "outdoors": 2,
        "spot": 2,
        "nook": 2,
        "number": 2,
        "act": 4,
        "trade": 4,
    }
    lengths |= {"animal": 4, "fruit": 2, "cover": 2, "verb": 2, "numeral": 24}
    words = {name: items[: lengths.get(name, 1)] for name, items in VILLAGE.classes.items()}
    words["child"] = VILLAGE.classes["child"][14:17]
    plot = thinned(PLOTS[number], 1 if PLOTS[number] in (SWAPS, ERRAND, STORM, STALLS, FARM, BET, CONTEST) else 2)
    sum_of_probabilities, texts, found = total_of_all_texts(Grammar("thinned", plot, words))
    assert texts >= 8
    assert found == texts
    assert sum_of_probabilities == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("size", "n"), [("hamlet", 1000), ("village", 250), ("town", 15)])
def test_every_story_has_one_derivation_with_the_same_probability_and_events(size, n):
    for told in stories(n, seed=1, size=size):
        [found] = derivations(told.text, size)
        assert found.log_prob == pytest.approx(told.log_prob, abs=1e-9)
        assert [(kind, tuple(item.text for item in items)) for kind, items in found.events] == list(told.events)


def test_the_search_counts_every_derivation_of_an_ambiguous_grammar():
    hello = say("Hello.")
    twice = Grammar("ambiguous", then(maybe(0.5, hello), maybe(0.25, hello)), {})
    found = list(Search(twice).derivations("Hello."))
    assert sorted(math.exp(d.log_prob) for d in found) == pytest.approx([0.125, 0.375])


def test_a_sampler_agrees_with_its_probabilities():
    # Chi-square over the 2**2 * 3 texts of a small grammar; 32.9 is the 99.9 % point for 12 - 1 degrees of freedom plus
    # a margin for the fixed seeds.
    lines = [one_of((3, say(f"Line {i}.")), (1, say(f"Row {i}."))) for i in range(2)]
    small = Grammar("small", then(*lines, repeat(say("More."), 0, 2)), {})
    generator, n = Generator(small), 6000
    drawn = Counter("".join(generator.tell(seed).out) for seed in range(n))
    expected = {d.text: n * math.exp(d.log_prob) for d in Search(small).texts()}
    assert set(drawn) == set(expected)
    assert len(expected) == 12
    assert sum((drawn[text] - mean) ** 2 / mean for text, mean in expected.items()) < 32.9


def test_a_text_that_is_no_story_has_probability_zero():
    told = story(0, "hamlet")
    assert log_prob(told.text, "hamlet") == pytest.approx(told.log_prob, abs=1e-9)
    for other in (told.text + " ", told.text[:-1], "", told.text.replace(" had ", " has ", 1)):
        assert log_prob(other, "hamlet") == -math.inf


@pytest.mark.parametrize("size", SIZES)
def test_nothing_but_guards_and_weights_decides_a_choice(size):
    for node in walk(grammar(size).root):
        for weight in getattr(node, "weights", ()):
            assert weight > 0


def test_a_plot_without_a_way_to_go_on_says_so():
    empty = Grammar("empty", say("{A:child} came."), {"child": ()})
    with pytest.raises(GrammarError, match="nothing left to draw"):
        Generator(empty).tell(0)
    stuck = Grammar("stuck", one_of((1, "holders", say("Somebody has something."))), {})
    with pytest.raises(GrammarError, match="guarded parts"):
        Generator(stuck).tell(0)


@pytest.mark.parametrize("text", ["{A", "{:child}", "[one|two", "one]", "{A:child B:child}", "{in nowhere(A)}"])
def test_a_line_that_is_not_in_the_notation_is_refused(text):
    with pytest.raises(GrammarError):
        Generator(Grammar("wrong", say(text), {"child": hamlet.CHILDREN}))


def test_an_unknown_event_is_refused():
    with pytest.raises(GrammarError, match="no event 'fly'"):
        say("{A:child} flew.", do="fly A")
