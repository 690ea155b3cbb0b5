"""The crawl: pages one after the other, each with the truth about it.

What a real crawl never tells is known here: whether a page is good, what is wrong with it, which page it copies, and
which words of it are not part of the text. So every stage of a cleaning pipeline can be counted against the truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import NamedTuple

from minigpt.village.crawl import defects, stock
from minigpt.village.crawl.addresses import address, site, variant
from minigpt.village.stories import stories, story

KINDS = {
    "story": 40,
    "same address": 6,
    "copy": 6,
    "near copy": 9,
    "foreign": 10,
    "too short": 4,
    "spam": 3,
    "gibberish": 3,
    "symbols": 2,
    "list": 2,
    "teasers": 2,
    "repetition": 2,
    "code": 2,
    "lorem ipsum": 2,
    "bad words": 2,
    "salad": 3,
    "stitched": 2,
}
"""Kinds of pages, and how many of a hundred are of each."""
LANGUAGES = {"de": 4, "fr": 2, "nl": 2, "es": 2}
"""Languages of the pages that are not English, and their weights."""
_ABOVE = {"menu": (0.35, defects.menu), "cookies": (0.15, defects.one_of(stock.COOKIES))}
_BELOW = {
    "script": (0.15, defects.one_of(stock.SCRIPTS)),
    "short line": (0.15, defects.one_of(stock.SHORT_LINES)),
    "menu": (0.2, defects.menu),
}
_ABOUT, _PERSONAL = 0.12, 0.06
_TRIES = 64


class Truth(NamedTuple):
    """What is known about a page.

    Attributes:
        number: the number of the page in its crawl, from 0.
        kind: one of `KINDS`. A page of kind `"story"` is good; so is the text of `"same address"` and `"copy"`, but it
            has been there before.
        language: `"en"`, `"de"`, `"fr"`, `"nl"` or `"es"`; `"zz"` for gibberish.
        story: the story in the page, whole and untouched; `None` if there is none.
        blemishes: what stands around the text and is not part of it: `"menu"`, `"cookies"`, `"script"`,
            `"short line"`, `"about"` (three sentences that many pages of a site share), `"personal"`.
        personal: the e-mail addresses and telephone numbers in the page.
        copy_of: the number of the page that this one copies.
        changed: the share of words of the copy that were replaced or left out.
    """

    number: int
    kind: str
    language: str
    story: str | None
    blemishes: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    copy_of: int | None = None
    changed: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the text is a story in which every sentence follows: what a judge who reads it would keep."""
        return self.story is not None

    @property
    def keep(self) -> bool:
        """Whether a perfect pipeline keeps the page: it is good, and no copy of an earlier one."""
        return self.good and self.copy_of is None


class Page(NamedTuple):
    """A page of the crawl.

    Attributes:
        url: where it was found.
        text: what it says, with all that stands around.
        truth: what is known about it; for counting, not for cleaning.
    """

    url: str
    text: str
    truth: Truth


def crawl(n: int, seed: int = 0, size: str = "village") -> Iterator[Page]:
    """`n` pages of the village's web; the same seed gives the same pages on every platform and every Python.

    The story in page `i`, where it is one, is `story((seed << 32) + i, size)`, the one that `stories(n, seed, size)`
    tells there: a model trained on a crawl is tested on the stories of another seed.

    Raises:
        ValueError: if `n` or the seed is out of range or the size unknown (as for `stories`).
    """
    stories(n, seed, size)
    return (_page(seed, number, size) for number in range(n))


def _draw(seed: int, number: int, purpose: int) -> Random:
    return Random((seed << 36) + (number << 3) + purpose)


@lru_cache(maxsize=4096)
def _kind(seed: int, number: int) -> tuple[str, int | None]:
    """The kind of a page, and the page that it copies."""
    draw = _draw(seed, number, 0)
    kind = _weighted(draw, KINDS)
    if kind not in ("same address", "copy", "near copy"):
        return kind, None
    for _ in range(_TRIES):
        # The square: early pages are copied more often, as well-known ones are.
        source = int(number * draw.random() ** 2)
        if source < number and _kind(seed, source)[0] == "story":
            return kind, source
    return "story", None


def _weighted(draw: Random, weights: dict[str, int]) -> str:
    place = draw.random() * sum(weights.values())
    return next(name for name, end in zip(weights, accumulate(weights.values()), strict=True) if place < end)


@lru_cache(maxsize=256)
def _page(seed: int, number: int, size: str) -> Page:
    kind, source = _kind(seed, number)
    draw = _draw(seed, number, 1)
    host = site(draw)
    if kind == "same address":
        original = _page(seed, source, size)
        truth = original.truth._replace(number=number, kind=kind, copy_of=source)
        return Page(variant(draw, original.url), original.text, truth)
    url = address(draw, host, number)
    if kind == "copy":
        original = _page(seed, source, size)
        return Page(url, original.text, original.truth._replace(number=number, kind=kind, copy_of=source))
    text, truth = _body(draw, kind, seed, number, source, size)
    return _framed(draw, Page(url, text, truth), host)


def _body(draw: Random, kind: str, seed: int, number: int, source: int | None, size: str) -> tuple[str, Truth]:
    """The text of a page, without what stands around it."""
    first = (seed << 32) + number
    truth = Truth(number, kind, "en", None)
    match kind:
        case "story":
            text = story(first, size).text
            return text, truth._replace(story=text)
        case "near copy":
            original = story((seed << 32) + source, size).text
            text, share = defects.changed(draw, original)
            return text, truth._replace(story=None if share else text, copy_of=source, changed=share)
        case "foreign":
            language = _weighted(draw, LANGUAGES)
            return defects.foreign(draw, language), truth._replace(language=language)
        case "gibberish":
            return defects.gibberish(draw), truth._replace(language="zz")
        case "spam":
            return defects.spam(draw), truth
        case "list":
            return defects.machine_list(draw), truth
        case "stitched" | "teasers":
            others = [story((seed << 32) + draw.getrandbits(31), size).text for _ in range(4)]
            spoil = defects.stitched if kind == "stitched" else defects.teasers
            return spoil(draw, others), truth
    spoil = {
        "too short": defects.too_short,
        "symbols": defects.symbols,
        "repetition": defects.with_copies_of_itself,
        "code": defects.with_code,
        "lorem ipsum": defects.with_lorem_ipsum,
        "bad words": defects.with_bad_words,
        "salad": defects.salad,
    }[kind]
    return spoil(draw, story(first, size).text), truth


def _framed(draw: Random, page: Page, host: str) -> Page:
    """The page with lines around its text."""
    blemishes: dict[str, None] = {}
    above, below = [], []
    for lines, possible in ((above, _ABOVE), (below, _BELOW)):
        for name, (chance, write) in possible.items():
            if draw.random() < chance:
                lines += write(draw)
                blemishes[name] = None
    found: tuple[str, ...] = ()
    if draw.random() < _ABOUT:
        name = host.removesuffix(".example").replace("-", " ").title()
        below.append(stock.ABOUT[len(host) % len(stock.ABOUT)].format(site=name))
        blemishes["about"] = None
    if draw.random() < _PERSONAL:
        line, found = defects.personal(draw)
        below.append(line)
        blemishes["personal"] = None
    text = "\n\n".join(filter(None, ("\n".join(above), page.text, "\n".join(below))))
    return page._replace(text=text, truth=page.truth._replace(blemishes=tuple(blemishes), personal=found))
