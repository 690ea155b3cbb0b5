"""Content: words of the list and nothing that only looks like them; personal data masked, numbers left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.data.cleaning import Document, WordFilter, mask_personal
from minigpt.village.crawl import crawl


@pytest.mark.parametrize("words", [["blorp", "two words"], ["blorp", "two words", *(f"word{i}" for i in range(30))]])
def test_a_word_of_the_list_is_found_as_a_whole_word(words):
    keep = WordFilter(words)
    for text in ("He said blorp.", "BLORP!", "so blorp-like", "these Two Words here"):
        assert keep(Document("", text)).reason == "word of the list", text
    for text in ("He lives in Blorpington.", "unblorped", "two other words", ""):
        assert keep(Document("", text)) == Document("", text)


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="list of words is empty"):
        WordFilter([])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to mia.baker@example.org.", "Write to [e-mail]."),
        ("Call +00 555 12 34 now", "Call [phone] now"),
        ("Call 0044 20 7946 0018, please", "Call [phone], please"),
        ("Call +44 (20) 7946-0018", "Call [phone]"),
        ("from 192.168.0.1 on", "from [address] on"),
    ],
)
def test_personal_data_is_masked(text, masked):
    assert mask_personal(Document("", text)).text == masked


@pytest.mark.parametrize(
    "text",
    ["at @ noon", "she@home", "in 1984 and 2001", "1,000,000 pages", "2 + 2 = 4", "version 3.11.7", "1.2.3.4.5",
     "300.1.1.1", "007 is a spy", "It was 5 000 000 years ago"],
)  # fmt: skip
def test_what_only_looks_like_it_stays(text):
    document = Document("", text)
    assert mask_personal(document) is document


def test_in_the_crawl_all_of_it_is_masked():
    for page in crawl(400, seed=2, size="hamlet"):
        text = mask_personal(Document(page.url, page.text)).text
        assert not any(found in text for found in page.truth.personal)
        assert (text != page.text) == bool(page.truth.personal)


@given(st.text("ab@.+0 1()-", max_size=40))
def test_masking_twice_is_masking_once(text):
    once = mask_personal(Document("", text))
    assert mask_personal(once) == once
