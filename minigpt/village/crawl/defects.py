"""How pages go wrong: functions that write a bad page, spoil a good one, or put things around it that do not belong."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

from minigpt.village.crawl import stock
from minigpt.village.crawl.stock import pick, shuffled

_SENTENCE_END = re.compile(r'(?<=[.!?]) (?=["A-Z])|(?<=[.!?]") (?=["A-Z])|\n\n')
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SYMBOLS = ("#", "##", "@@", "%%%", "=>", "***", "~", "||", "&&", "+++", "^", "//")
CHANGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Shares of the words that a near copy changes; 0 means that only what stands around the text differs."""


def sentences(text: str) -> list[str]:
    """The sentences of a story."""
    return _SENTENCE_END.split(text)


def too_short(draw: Random, story: str) -> str:
    """The beginning of a story, one to three sentences."""
    return " ".join(sentences(story)[: 1 + int(3 * draw.random())])


def salad(draw: Random, story: str) -> str:
    """The words of each sentence in another order: words of the village in no sentence of the village."""
    found = []
    for paragraph in story.split("\n\n"):
        mixed = []
        for sentence in sentences(paragraph):
            words = shuffled(draw, sentence.rstrip('.!?"').replace('"', "").split(" "))
            mixed.append(" ".join(words) + ".")
        found.append(" ".join(mixed))
    return "\n\n".join(found)


def stitched(draw: Random, stories: Sequence[str]) -> str:
    """Sentences of several stories in turn: each is fine, and what follows does not follow."""
    lists = [sentences(story.replace('"', "")) for story in stories]
    length = 8 + int(6 * draw.random())
    found = [pick(draw, lists[i % len(lists)]) for i in range(length)]
    return " ".join(found[: length // 2]) + "\n\n" + " ".join(found[length // 2 :])


def with_bad_words(draw: Random, story: str) -> str:
    """A story in which bad words have taken the place of one to four others."""
    words = story.split(" ")
    for _ in range(1 + int(4 * draw.random())):
        words[int(draw.random() * len(words))] = pick(draw, stock.BAD_WORDS)
    return " ".join(words)


def with_copies_of_itself(draw: Random, story: str) -> str:
    """A story whose first paragraph comes three to five times."""
    first, *others = story.split("\n\n")
    return "\n\n".join([first] * (3 + int(3 * draw.random())) + others)


def spam(draw: Random) -> str:
    """Keywords in a row, with the punctuation of sentences."""
    good = pick(draw, stock.GOODS)
    lines = []
    for _ in range(3 + int(3 * draw.random())):
        parts = []
        for _ in range(3 + int(3 * draw.random())):
            words = [f"{pick(draw, stock.ADJECTIVES)} {good}s" for _ in range(3 + int(3 * draw.random()))]
            parts.append(f"Buy {good}s, {', '.join(words)}.")
        lines.append(" ".join(parts))
    return "\n\n".join(lines)


def gibberish(draw: Random) -> str:
    """Letters at random, with the punctuation of sentences."""
    found = []
    for _ in range(8 + int(8 * draw.random())):
        words = [
            "".join([pick(draw, _LETTERS) for _ in range(2 + int(8 * draw.random()))])
            for _ in range(6 + int(8 * draw.random()))
        ]
        found.append(" ".join(words).capitalize() + ".")
    return " ".join(found)


def symbols(draw: Random, story: str) -> str:
    """A story in which about half of the words have become symbols."""
    return " ".join([word if draw.random() < 0.5 else pick(draw, _SYMBOLS) for word in story.split()]) + "."


def machine_list(draw: Random) -> str:
    """What a machine knows of its stock, a line for each thing."""
    lines = []
    for i in range(12 + int(20 * draw.random())):
        colour, good, price = pick(draw, stock.COLOURS), pick(draw, stock.GOODS), 1 + int(draw.random() * 90)
        lines.append(f"- Number {i + 1} of the list is the {colour} {good} that costs {price} shillings.")
    return "\n".join(lines)


def teasers(draw: Random, stories: Sequence[str]) -> str:
    """The beginnings of many sentences, each broken off."""
    lines = []
    for story in stories:
        for sentence in sentences(story)[:4]:
            words = sentence.split()
            lines.append(" ".join(words[: 4 + int(6 * draw.random())]).rstrip(".,") + "...")
    return "\n".join(lines)


def with_code(draw: Random, story: str) -> str:
    """A story with a program in the middle of it."""
    good = pick(draw, stock.GOODS)
    code = f"function show_{good}() {{ return document.find('{good}'); }}"
    first, *others = story.split("\n\n")
    return "\n\n".join([first, code, *others])


def with_lorem_ipsum(draw: Random, story: str) -> str:
    """A page that nobody has finished: the text of the typesetters, and the beginning of a story."""
    return "\n\n".join([*shuffled(draw, stock.LOREM), " ".join(sentences(story)[:5])])


def foreign(draw: Random, language: str) -> str:
    """A page in another language."""
    write = stock.SENTENCES[language]
    return "\n\n".join([" ".join([write(draw) for _ in range(4 + int(5 * draw.random()))]) for _ in range(2)])


def changed(draw: Random, story: str) -> tuple[str, float]:
    """A copy in which words have been replaced or, in one of eight, a sentence is missing.

    Returns:
        The copy, and the share of the words that were replaced or left out.
    """
    words = story.split(" ")
    if draw.random() < 1 / 8:
        lost = pick(draw, sentences(story))
        return story.replace(lost, "", 1).replace("  ", " ").strip(), len(lost.split()) / len(story.split())
    share = pick(draw, CHANGES)
    n = max(1, round(share * len(words))) if share else 0
    for i in shuffled(draw, range(len(words)))[:n]:
        bare = words[i].strip('.,!?"\n')
        words[i] = words[i].replace(bare, pick(draw, [word for word in stock.SPARE_WORDS if word != bare]), 1)
    return " ".join(words), n / len(words)


def menu(draw: Random) -> list[str]:
    """Lines for people who click, without closing punctuation."""
    return shuffled(draw, stock.MENUS)[: 1 + int(3 * draw.random())]


def one_of(lines: Sequence[str]) -> Callable[[Random], list[str]]:
    """What draws one of some lines."""
    return lambda draw: [pick(draw, lines)]


def personal(draw: Random) -> tuple[str, tuple[str, str]]:
    """A line with an e-mail address and a telephone number that nobody has, and these two."""
    mail = f"{pick(draw, stock.FIRST_NAMES)}.{pick(draw, stock.SURNAMES)}@example.org"
    digits = "".join([str(int(10 * draw.random())) for _ in range(4)])
    phone = f"+00 555 {digits[:2]} {digits[2:]}"
    return f"Write to {mail} or call {phone} before noon.", (mail, phone)
