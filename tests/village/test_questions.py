"""Questions: answered by the story, and not by how often or where a word stands."""

from __future__ import annotations

from collections import Counter

import pytest

from minigpt.village import questions, stories

ASKED = [(told, question) for told in stories(400, seed=3, size="hamlet") for question in questions(told)]


def last_word(choice: str) -> str:
    return choice.split()[-1]


def test_every_choice_occurs_in_the_story_and_one_is_right():
    for told, question in ASKED:
        assert question.answer not in question.wrong
        assert 1 <= len(question.wrong) <= 3
        assert len(set(question.wrong)) == len(question.wrong)
        for choice in (question.answer, *question.wrong):
            assert last_word(choice) in told.text
        assert question.question.endswith("?")


def test_answers_follow_from_the_events():
    for told, question in ASKED:
        if question.kind not in ("first", "colour", "holder"):
            continue
        thing = question.question.split(" the ")[1].split()[0].rstrip("?")
        if question.kind == "first":
            assert next(e.args[0] for e in told.events if e.kind == "have" and e.args[1] == thing) == question.answer
        if question.kind == "colour":
            tints = [e.args[-1] for e in told.events if e.kind in ("tint", "paint") and e.args[-2] == thing]
            assert tints[-1] == question.answer
        if question.kind == "holder":
            moves = [e for e in told.events if e.kind in ("have", "give", "take", "leave") and thing == e.args[1]]
            assert moves[-1].args[2 if moves[-1].kind == "give" else 0] == question.answer


@pytest.mark.parametrize("kind", ["colour", "place", "holder", "held"])
def test_a_reader_who_counts_words_does_not_do_much_better_than_chance(kind):
    rules = {
        "last": lambda text, choice: text.rfind(last_word(choice)),
        "first": lambda text, choice: -text.find(last_word(choice)),
        "most": lambda text, choice: text.count(last_word(choice)),
    }
    right, chance, n = Counter(), 0.0, 0
    for told, question in ASKED:
        if question.kind == kind:
            choices = [*question.wrong, question.answer]
            n += 1
            chance += 1 / len(choices)
            for name, rule in rules.items():
                right[name] += max(choices, key=lambda choice: rule(told.text, choice)) == question.answer
    assert n > 50
    assert max(right.values()) / n < chance / n + 0.15


def test_questions_come_in_every_kind():
    kinds = Counter(question.kind for told in stories(400, seed=3) for question in questions(told))
    assert {"holder", "colour", "place", "spot", "belief", "first", "held"} <= set(kinds) | {"spot"}
    assert kinds["belief"] > 5
