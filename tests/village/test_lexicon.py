"""The words: families are complete and occur, forms are right."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from minigpt.village import stories
from minigpt.village.items import Item, with_article
from minigpt.village.lexicon import FAMILIES


@pytest.mark.parametrize(
    ("text", "article"),
    [("ball", "a"), ("apple", "an"), ("owl", "an"), ("hour", "an"), ("unicorn", "a")],
)
def test_articles_go_by_sound(text, article):
    assert with_article(text) == f"{article} {text}"


def test_an_item_has_its_forms():
    apple = Item("apple", "thing", "n")
    assert apple.forms["a"] == "an apple"
    assert apple.forms["A"] == "An apple"
    assert apple.forms["name's"] == "the apple's"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_pair_of_a_family_occurs_in_stories(family):
    for pair in FAMILIES[family]:
        for word in pair:
            assert WORDS[word.split()[-1]] >= 2, f"{word} of {family} occurs too rarely"


WORDS = Counter(word for told in stories(5000, seed=2) for word in re.findall(r"[a-z]+", told.text.lower()))
