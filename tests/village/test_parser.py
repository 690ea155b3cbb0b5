"""Reading texts: events come back, what breaks the world is found, what is no sentence is refused with its place."""

from __future__ import annotations

import pytest

from minigpt.village import SIZES, Event, ParseError, contradictions, parse, stories, story

TRUE = (
    "One day, Mia and Tom were in the garden. Mia had a red ball, and Tom had a blue kite. "
    "Mia gave the red ball to Tom. Tom went to the hill. {} "
    "At last the red ball was on the hill. Tom had the kite. Everyone was happy."
)


@pytest.mark.parametrize(("size", "n"), [("hamlet", 300), ("village", 150), ("town", 8)])
def test_stories_are_read_back_and_free_of_contradiction(size, n):
    for told in stories(n, seed=8, size=size):
        assert contradictions(told.text, size) == [], told.text
        assert parse(told.text, size) == list(told.events)


def test_a_story_written_by_hand_is_read():
    events = parse(TRUE.format("Tom ran to the mill."), "hamlet")
    assert events[0] == Event("arrive", ("Mia", "garden"))
    assert Event("give", ("Mia", "ball", "Tom")) in events
    assert events[-1] == Event("go", ("Tom", "mill"))
    assert str(events[-1]) == "go(Tom, mill)"


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Mia put down the red ball.", "Mia does not have the ball: Tom has it"),
        ("Mia painted the ball green.", "Mia does not have the ball: Tom has it"),
        ("Tom gave the red ball to Mia.", "Tom is on the hill and Mia is in the garden"),
        ("Tom went to the hill.", "Tom is on the hill already"),
        ("Mia picked up the blue kite.", "Tom has the kite"),
        ("Tom put down the red kite.", "'kite' should be 'ball'"),
        ("Tom put down the green ball.", "'green' should be 'red'"),
        ("Tom left the red ball at the mill.", "'at the mill' should be 'on the hill'"),
        ("Leo ran to the barn.", "'Leo' is not in the story"),
    ],
)
def test_a_sentence_that_cannot_be_true_is_named_with_the_reason(sentence, reason):
    first = contradictions(TRUE.format(sentence), "hamlet")[0]
    assert (first.sentence, first.reason) == (sentence, reason)


def test_a_contradiction_says_where_its_sentence_starts():
    text = TRUE.format("Leo ran to the barn.")
    found = contradictions(text, "hamlet")[0]
    assert text[found.position :].startswith("Leo ran")


def test_a_changed_colour_is_noticed_many_sentences_later():
    changed = 0
    for told in stories(300, size="village"):
        first, last = told.text.find(" red "), told.text.rfind(" red ")
        if last - first > 300 and " blue " not in told.text:
            text = told.text[:last] + " blue " + told.text[last + 5 :]
            assert "'blue' should be 'red'" in [each.reason for each in contradictions(text)]
            changed += 1
    assert changed > 3


def test_who_was_away_looks_in_the_old_place_and_who_was_there_in_the_new_one():
    seen = {True: 0, False: 0}
    for told in stories(1500, seed=3):
        looks = [event.args for event in told.events if event.kind == "look"]
        puts = [event.args for event in told.events if event.kind == "put"]
        if looks and len(puts) == 2:
            [(person, _, place)] = looks
            first, second = (spot for _, _, spot in puts)
            between = told.events[[e.kind for e in told.events].index("put") :]
            left = [e.args[0] for e in between if e.kind == "go"]
            away = bool(left) and left[0] == person
            assert place == (first if away else second), told.text
            seen[away] += 1
    assert min(seen.values()) > 5


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("Hello.", 0),
        ("One day, Mia and Tom was in the garden.", 20),
        (TRUE.format("Tom dances."), TRUE.index("{}") + 3),
        (story(0, "hamlet").text + " The end.", len(story(0, "hamlet").text)),
        (story(0, "hamlet").text[:-30], None),
    ],
)
def test_what_is_no_sentence_of_the_village_is_refused_with_its_place(text, position):
    with pytest.raises(ParseError, match="no sentence goes on") as caught:
        parse(text, "hamlet")
    assert 0 <= caught.value.position <= len(text)
    if position is not None:
        assert caught.value.position == position
    assert isinstance(caught.value, ValueError)
    assert caught.value.reason in str(caught.value)


@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_not_mixed_up(size):
    other = SIZES[(SIZES.index(size) + 1) % len(SIZES)]
    with pytest.raises(ParseError):
        parse(story(1, size).text, other)
