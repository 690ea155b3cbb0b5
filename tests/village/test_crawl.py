"""The crawl: the same everywhere, and true in what it says of itself."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

import pytest

from minigpt.village import log_prob, story
from minigpt.village.crawl import BAD_WORDS, KINDS, crawl
from minigpt.village.crawl.addresses import variant
from minigpt.village.crawl.stock import COOKIES, MENUS, SCRIPTS

PAGES = list(crawl(1500, seed=3))
GOLDEN = "09b804c10d58c7ea818b2a581767189599e04c29e5f2b994666e59bfcdb17403"
BY_KIND = {kind: [page for page in PAGES if page.truth.kind == kind] for kind in KINDS}


def test_the_bytes_of_the_first_pages_are_those_of_every_platform():
    pages = "\n".join(f"{page.url}\n{page.text}\n{page.truth}" for page in crawl(200, seed=0, size="hamlet"))
    assert hashlib.sha256(pages.encode()).hexdigest() == GOLDEN


def test_kinds_come_as_often_as_they_should():
    counts = Counter(page.truth.kind for page in PAGES)
    for kind, weight in KINDS.items():
        assert abs(counts[kind] / len(PAGES) - weight / 100) < 0.04, kind
        assert counts[kind] > 10


def test_pages_are_numbered_and_found_again_in_a_shorter_crawl():
    assert [page.truth.number for page in PAGES] == list(range(len(PAGES)))
    assert list(crawl(20, seed=3)) == PAGES[:20]
    assert list(crawl(20, seed=4)) != PAGES[:20]


def test_a_good_page_holds_the_story_of_its_number():
    for page in BY_KIND["story"][:50]:
        assert page.truth.story == story((3 << 32) + page.truth.number).text
        assert page.truth.story in page.text
        assert page.truth.keep


def test_what_the_truth_calls_bad_is_no_story_of_the_village():
    for kind, pages in BY_KIND.items():
        if kind in ("story", "same address", "copy", "near copy"):
            continue
        for page in pages[:5]:
            assert not page.truth.good
            assert log_prob(page.text) == float("-inf"), kind


def test_blemishes_are_there_and_nowhere_else():
    for page in PAGES:
        lines = page.text.split("\n")
        for name, stock in (("menu", MENUS), ("cookies", COOKIES), ("script", SCRIPTS)):
            assert (name in page.truth.blemishes) == any(line in stock for line in lines)
        assert ("personal" in page.truth.blemishes) == ("@example.org" in page.text)
        assert all(string in page.text for string in page.truth.personal)
        assert (page.truth.kind == "bad words") >= any(word in page.text for word in BAD_WORDS)


def test_copies_name_what_they_copy():
    for page in BY_KIND["copy"] + BY_KIND["same address"]:
        original = PAGES[page.truth.copy_of]
        assert page.text == original.text
        assert page.url != original.url
        assert page.truth.good
        assert not page.truth.keep
        assert original.truth.kind == "story"
        assert original.truth.number < page.truth.number


def test_near_copies_differ_by_as_many_words_as_they_say():
    for page in BY_KIND["near copy"]:
        original = PAGES[page.truth.copy_of].truth.story
        if page.truth.changed == 0:
            assert page.truth.story == original
            continue
        before, after = re.split(r"[ \n]+", original), re.split(r"[ \n]+", page.text)
        kept = Counter(before) & Counter(after)
        # Words around the text, and words that come twice, can only make the copy look closer than it is.
        assert len(before) - kept.total() <= round(page.truth.changed * len(original.split(" "))) + 1
        assert not page.truth.good
    assert len({page.truth.changed for page in BY_KIND["near copy"]}) > 20


def test_no_two_pages_share_an_address_unless_one_is_a_variant_of_the_other():
    plain = [page.url for page in PAGES if page.truth.kind != "same address"]
    assert len(set(plain)) == len(plain)


def test_a_variant_is_another_string():
    from random import Random

    draw = Random(0)
    for page in PAGES[:100]:
        assert variant(draw, page.url) != page.url


@pytest.mark.parametrize("size", ["hamlet", "town"])
def test_every_size_has_a_crawl(size):
    pages = list(crawl(60, seed=1, size=size))
    assert sum(page.truth.keep for page in pages) > 10
    assert all(page.text for page in pages)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="seed=-1 is negative"):
        crawl(5, seed=-1)
    with pytest.raises(ValueError, match="size='city' is not known"):
        crawl(5, size="city")
