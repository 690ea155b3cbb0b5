"""C4's rules: for each, a text that it must reject beside one that it must keep."""

from dataclasses import fields, replace

import pytest

from minigpt.data.cleaning import (
    C4Rules,
    Document,
    Rejection,
    RepeatedSpans,
    c4,
    count_sentences,
    line_fault,
    page_fault,
)
from minigpt.data.cleaning.c4 import NO_RULES, PAPER, RELEASED

FIVE = "Mia has a ball. It is red. Ben has a kite. It is blue. They play."


@pytest.mark.parametrize(
    ("rule", "fault", "rejected", "kept"),
    [
        ({"closing_punctuation": True}, "no closing punctuation", "Mia has a ball", 'Mia said: "I have a ball."'),
        ({"closing_punctuation": True}, "no closing punctuation", "Mia has a ball;", "Does Mia have a ball?"),
        ({"no_ellipsis": True}, "ellipsis", "And then Mia saw...", "And then Mia saw .. it."),
        ({"min_words": 3}, "too few words", "Read more.", "Read more here."),
        ({"min_words": 3}, "too few words", "Read            more.", "Read, more, here."),
        ({"min_words": 5}, "too few words", "Mia has a ball.", "Mia has a red ball."),
        ({"no_long_words": True}, "long word", "Mia said " + "x" * 1001 + ".", "Mia said " + "x" * 999 + "."),
        ({"no_javascript": True}, "javascript", "Please enable JavaScript now.", "Please enable the Java script now."),
        ({"no_policies": True}, "policy", "This site Uses Cookies for you.", "Mia eats cookies for breakfast."),
        ({"no_policies": True}, "policy", "See our privacy policy here.", "It is our policy to be kind."),
    ],
)
def test_a_line_is_left_out_by_its_rule_alone(rule, fault, rejected, kept):
    rules = replace(NO_RULES, **rule)
    assert line_fault(rejected, rules) == fault
    assert line_fault(kept, rules) is None
    assert line_fault(rejected, NO_RULES) is None
    if "min_words" not in rule:
        assert line_fault(rejected, PAPER) == fault


@pytest.mark.parametrize(
    ("rule", "fault", "rejected", "kept"),
    [
        ("no_curly_brackets", "curly bracket", "if (x) { y }", "if (x) [ y ]"),
        ("no_curly_brackets", "curly bracket", "a } b", "a ) b"),
        ("no_lorem_ipsum", "lorem ipsum", "Lorem Ipsum dolor", "Lorem and Ipsum"),
    ],
)
def test_a_page_is_left_out_by_its_rule_alone(rule, fault, rejected, kept):
    rules = replace(NO_RULES, **{rule: True})
    assert page_fault(rejected, rules) == fault
    assert page_fault(kept, rules) is None
    assert page_fault(rejected, NO_RULES) is None


def test_every_rule_can_be_switched_off():
    text = "x" * 1001 + " javascript { lorem ipsum cookie policy..."
    assert c4(Document("", text), NO_RULES) == Document("", text)
    assert len(fields(C4Rules)) == 9


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("", 0),
        ("Mia has a ball", 0),
        (FIVE, 5),
        ('"Where is it?" asked Ben. "Here!"', 3),
        ("It costs 3.50 in all.", 1),
        ("What?! Really?!\nYes.", 3),
    ],
)
def test_sentences_are_counted_by_their_ends(text, n):
    assert count_sentences(text) == n


def test_the_papers_thresholds_and_the_codes_disagree():
    four = Document("", "Mia has a red ball now. It is red and it is round. Ben has none at all. They play all day.")
    assert c4(four, PAPER) == Rejection("too few sentences", "4 of 5")
    assert c4(four, RELEASED) is four
    short_lines = Document("", "\n".join(FIVE.replace(". ", ".\n").split("\n")))
    assert isinstance(c4(short_lines, replace(PAPER, min_sentences=4)), Document)
    assert isinstance(c4(short_lines, RELEASED), Rejection)


def test_bad_lines_go_and_paragraphs_stay_paragraphs():
    text = f"Home | News\n\n{FIVE}\n\n\nRead more.\n  {FIVE}\nYour browser has no javascript.\n"
    assert c4(Document("u", text, 7)) == Document("u", f"{FIVE}\n\n{FIVE}", 7)


def test_what_is_clean_is_returned_as_it_is():
    document = Document("u", FIVE)
    assert c4(document) is document


def test_a_page_of_nothing_but_bad_lines_has_its_reason():
    assert c4(Document("", "Home\nNews")) == Rejection("no line left")


def test_spans_that_come_again_are_left_out():
    spans = RepeatedSpans(length=3, min_sentences=2)
    about = "We print by hand. We have one goat. Nobody complains."
    first = Document("", f"Mia has a ball. It is red. {about}")
    assert spans(first) is first
    second = Document("", f"Ben has a kite. It is blue.\n\n{about}")
    assert spans(second).text == "Ben has a kite. It is blue."
    two_of_three = Document("", "Ida has a hat. We print by hand. We have one goat.")
    assert spans(two_of_three) is two_of_three


def test_a_span_within_a_page_counts_too():
    page = Document("", " ".join([FIVE] * 3))
    assert RepeatedSpans(min_sentences=5)(page).text == FIVE


def test_a_page_with_too_little_left_is_left_out():
    spans = RepeatedSpans()
    spans(Document("", FIVE))
    assert spans(Document("", FIVE)) == Rejection("repeated spans", "5 of 5 sentences")
    with pytest.raises(ValueError, match="length=0 sentences make no span"):
        RepeatedSpans(length=0)
