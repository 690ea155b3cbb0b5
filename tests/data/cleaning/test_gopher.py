"""Gopher's rules: for each, a text that it must reject beside one that it must keep; fast counts beside slow ones."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.data.cleaning import Document, gopher_quality, gopher_repetition
from minigpt.data.cleaning.gopher import GOPHER, duplicate_run_share, top_run
from minigpt.village import story

FEW = "Mia sat by the river and looked at the boats that came with the evening wind"
PROSE = story(5).text
SMALL = replace(GOPHER, min_words=5)


@pytest.mark.parametrize(
    ("reason", "rejected", "kept"),
    [
        ("too few words", FEW, None),
        ("mean word length", "a b of to be and " * 3, "the evening of to be and that " * 3),
        ("mean word length", "incomprehensibilities notwithstanding counterrevolutionary of and", FEW),
        ("symbols", "# of and the river boat evening", "# of and the river boat evening wind that came along"),
        ("symbols", "of and the river... boat evening", "of and the river... boat evening wind that came along"),
        ("bullets", "\n".join(["- the river and boats"] * 10),
         "\n".join(["- the river and boats"] * 9 + ["and so on"])),
        ("ellipses", "\n".join(["the river and boats..."] * 4 + ["of the sea at night"] * 6),
         "\n".join(["the river and boats…"] * 3 + ["of the sea at night"] * 7)),
        ("words without letters", "the and of 1234 5678 9012", "the and of river boats wind 1234"),
        ("stop words", "river boat evening wind came along", "river boat with the evening wind"),
        ("stop words", "the the the river boats evening", "The river To evening boats wind"),
    ],
)  # fmt: skip
def test_a_rule_rejects_and_keeps_a_neighbour(reason, rejected, kept):
    rules = GOPHER if reason == "too few words" else SMALL
    assert gopher_quality(Document("", rejected), rules).reason == reason
    kept = Document("", PROSE if kept is None else kept)
    assert gopher_quality(kept, rules) is kept


def test_a_document_can_be_too_long():
    rules = replace(GOPHER, max_words=100)
    assert gopher_quality(Document("", "the wind and " * 34), rules).reason == "too many words"
    exact = Document("", "of " + "the wind and " * 33)
    assert gopher_quality(exact, rules) is exact


def test_letters_of_scripts_without_capitals_are_letters():
    document = Document("", "the and 河边 有 一条 小船 在 晚风 中")
    rules = replace(SMALL, min_mean_length=1.0)
    assert gopher_quality(document, rules) is document


VARIED = " ".join(f"word{i}" for i in range(20))


@pytest.mark.parametrize(
    ("reason", "rejected", "kept"),
    [
        ("duplicate lines", "a\nb\nc\nd\nd\nd", "a\nb\nc\nd\ne\ne"),
        ("duplicate lines", f"{VARIED}\nx\n{VARIED}\ny\nz", f"{VARIED}\nx\nx\ny\nz"),
        ("duplicate paragraphs", "a\nb\n\na\nb\n\nc\nd", "a\nb\n\nc\nd\n\ne\nf"),
        ("top 2-gram", f"{VARIED} " + "very merrily " * 4, f"{VARIED} " + "very merrily " * 2),
        (
            "top 3-gram",
            f"{VARIED} " + "in all weathers and never indoors " * 3,
            f"{VARIED} " + "in all weathers and never indoors ",
        ),
    ],
)
def test_what_comes_again_is_rejected(reason, rejected, kept):
    rules = replace(GOPHER, duplicate_lines=(0.34, 0.34)) if "paragraphs" in reason else GOPHER
    assert gopher_repetition(Document("", rejected), rules).reason == reason
    document = Document("", kept)
    assert gopher_repetition(document, rules) is document


def test_good_prose_passes():
    document = Document("", PROSE)
    assert gopher_repetition(document) is document


def test_a_long_run_that_comes_again_is_found_among_other_words():
    once = " ".join(f"word{i}" for i in range(60))
    run = " ".join(f"again{i}" for i in range(20))
    assert gopher_repetition(Document("", f"{run} {once} {run}")).reason == "duplicate 5-grams"
    few = Document("", f"{run.rpartition(' again8')[0]} {once} {run}")
    assert gopher_repetition(few) is few


words = st.lists(st.sampled_from(["a", "bb", "ccc", "dddd"]), max_size=40)


@given(words, st.integers(2, 6))
def test_top_runs_are_those_of_a_plain_count(found, n):
    total = sum(map(len, found))
    runs = Counter(tuple(found[i : i + n]) for i in range(len(found) - n + 1))
    most = max(runs.values(), default=0)
    share = max((count * len("".join(run)) for run, count in runs.items() if count == most), default=0)
    assert top_run(found, n, total) == (most, share / total if most > 1 else 0)


@given(words, st.integers(2, 6))
def test_duplicate_runs_are_those_of_a_mark_on_each_word(found, n):
    total = sum(map(len, found))
    marked = set()
    for i in range(len(found) - n + 1):
        if any(found[i : i + n] == found[j : j + n] for j in range(i)):
            marked |= set(range(i, i + n))
    assert duplicate_run_share(found, n, total) == (sum(len(found[i]) for i in marked) / total if marked else 0)


@given(words)
def test_the_short_cuts_change_no_verdict(found):
    document = Document("", " ".join(found))
    total = sum(map(len, found))
    expected = None
    for n, limit in GOPHER.top_runs:
        if top_run(found, n, total)[1] > limit:
            expected = expected or f"top {n}-gram"
    for n, limit in GOPHER.duplicate_runs:
        if duplicate_run_share(found, n, total) > limit:
            expected = expected or f"duplicate {n}-grams"
    assert getattr(gopher_repetition(document), "reason", None) == expected
