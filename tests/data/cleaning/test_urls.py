"""Addresses: what is the same page has one form, what is another has another."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minigpt.data.cleaning import Document, Rejection, UniqueAddresses, normalise_url
from minigpt.village.crawl import crawl

PAGE = "https://www.example.org/news/today"


@pytest.mark.parametrize(
    "other",
    [
        "http://www.example.org/news/today",
        "https://example.org/news/today",
        "HTTPS://WWW.Example.ORG/news/today",
        "https://www.example.org:443/news/today",
        "https://www.example.org/news/today/",
        "https://www.example.org/news/today#comments",
        "https://www.example.org/news/today?utm_source=letter&fbclid=3",
        "https://www.example.org/news/./old/../today",
        "https://www.example.org/news//today",
        "https://www.example.org/news/%74oday",
        "https://user:secret@www.example.org/news/today",
        "//www.example.org/news/today?",
    ],
)
def test_these_are_the_same_page(other):
    assert normalise_url(other) == normalise_url(PAGE) == "//example.org/news/today"


@pytest.mark.parametrize(
    "other",
    [
        "https://www.example.org/news/Today",
        "https://www.example.org/news/today?id=3",
        "https://www.example.org/news%2Ftoday",
        "https://www.example.org:8080/news/today",
        "https://news.example.org/news/today",
        "ftp://www.example.org/news/today",
        "https://www.example.com/news/today",
    ],
)
def test_these_are_other_pages(other):
    assert normalise_url(other) != normalise_url(PAGE)


def test_parameters_are_sorted_and_trackers_left_out():
    assert normalise_url("http://a.example/x?b=2&utm_medium=mail&a=1&ref=front") == "//a.example/x?a=1&b=2"


def test_what_is_no_address_comes_back_as_it_is():
    for text in ("", "README.md", "mailto:mia@example.org", "http://", "///x"):
        assert normalise_url(text) == text


addresses = st.builds(
    "{}{}{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "//", "HTTP://", " http://", ""]),
    st.text("aAw.:@-/80", max_size=12) | st.sampled_from(["www.a.example", "www.www.de", "A.example:80"]),
    st.text("/.aZ%7Ee", max_size=12),
    st.sampled_from(["", "?"]),
    st.text("ab=&%7Eutm_?", max_size=12),
    st.sampled_from(["", "#", "#top"]),
)


@given(addresses | st.text(max_size=30))
@example("http://www.example.org./%2e%2E/a")
@example("http://a:80:80/")
@example("http://a/x/..")
def test_normalising_twice_is_normalising_once(url):
    once = normalise_url(url)
    assert normalise_url(once) == once


def test_the_first_of_each_address_stays():
    keep = UniqueAddresses()
    first = Document(PAGE, "text")
    assert keep(first) is first
    again = keep(Document("http://example.org/news/today/#top", "text"))
    assert isinstance(again, Rejection)
    assert again.reason == "address seen before"
    other = Document(f"{PAGE}?page=2", "text")
    assert keep(other) is other


def test_in_the_crawl_every_repeated_address_is_found_and_no_other():
    keep = UniqueAddresses()
    for page in crawl(2000, seed=5, size="hamlet"):
        found = isinstance(keep(Document(page.url, page.text)), Rejection)
        assert found == (page.truth.kind == "same address"), page.url
