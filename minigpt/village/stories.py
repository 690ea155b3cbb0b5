"""Stories: one from a seed, many in a row, and the exact probability of any text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module

from minigpt.village.derivations import Derivation, Search
from minigpt.village.events import Event
from minigpt.village.generator import Generator
from minigpt.village.grammar import Grammar

SIZES = ("hamlet", "village", "town")


@dataclass(frozen=True)
class Story:
    """A story of the village.

    Attributes:
        text: the story, without a newline at the end.
        events: what happens in it, in order.
        log_prob: natural log of the probability of the whole text, its end included.
        seed: what `story` needs to make it again.
        size: `"hamlet"`, `"village"` or `"town"`.
    """

    text: str
    events: tuple[Event, ...]
    log_prob: float
    seed: int
    size: str

    @cached_property
    def log_prob_without_state(self) -> float:
        """Natural log of the probability for a reader who knows the grammar, but not the state (`reader` says more)."""
        # Here, because the reader imports this module.
        from minigpt.village.reader import log_prob_without_state

        return log_prob_without_state(self.text, self.size)


def story(seed: int, size: str = "village") -> Story:
    """The story of a seed: the same on every platform and every Python.

    Args:
        seed: an integer from 0.
        size: `"hamlet"` (a few sentences, under 200 word forms), `"village"` or `"town"` (long, with many actors).

    Raises:
        ValueError: if the seed is negative or the size unknown.
    """
    if seed < 0:
        raise ValueError(f"seed={seed} is negative; stories are numbered from 0")
    tape = _generator(size).tell(seed)
    events = tuple([Event(kind, tuple([item.text for item in items])) for kind, items in tape.events])
    return Story("".join(tape.out), events, tape.log_prob, seed, size)


def stories(n: int, seed: int = 0, size: str = "village") -> Iterator[Story]:
    """`n` stories, one after the other; story `i` is `story((seed << 32) + i, size)`.

    Two seeds have no story in common (but by chance), so one may serve to train and another to test.

    Raises:
        ValueError: if `n` or the seed is negative, `n` is over 2**32, or the size is unknown.
    """
    if not 0 <= n <= 1 << 32:
        raise ValueError(f"n={n} stories: ask for 0 to 2**32")
    if seed < 0:
        raise ValueError(f"seed={seed} is negative; use an integer from 0")
    grammar(size)
    return (story((seed << 32) + i, size) for i in range(n))


def derivations(text: str, size: str = "village") -> list[Derivation]:
    """Every derivation of a text: one for a story, none for any other text."""
    return list(_search(size).derivations(text))


def log_prob(text: str, size: str = "village") -> float:
    """Natural log of the probability that a story of this size is exactly `text`; minus infinity if it cannot be."""
    found = [derivation.log_prob for derivation in _search(size).derivations(text)]
    return max(found) + math.log(math.fsum(math.exp(x - max(found)) for x in found)) if found else -math.inf


@cache
def grammar(size: str) -> Grammar:
    """The grammar of a size.

    Raises:
        ValueError: if there is no such size.
    """
    if size not in SIZES:
        raise ValueError(f"size={size!r} is not known; use one of {', '.join(SIZES)}")
    return getattr(import_module(f"minigpt.village.plots.{size}"), size.upper())


@cache
def _generator(size: str) -> Generator:
    return Generator(grammar(size))


@cache
def _search(size: str) -> Search:
    return Search(grammar(size))
