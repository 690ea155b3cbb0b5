"""Sentence pairs: one from a seed, many in a row, the exact probability of any sentence, and its translation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from minigpt.village.translation.clauses import GRAMMAR
from minigpt.village.translation.generator import Generator, texts
from minigpt.village.translation.measure import Size, size
from minigpt.village.translation.notation import ENGLISH, GERMAN
from minigpt.village.translation.search import Search


@dataclass(frozen=True)
class SentencePair:
    """An English sentence and its German translation.

    No English sentence has two translations and no German sentence translates two, so that both have the same
    probability.

    Attributes:
        english: the English sentence.
        german: the German sentence.
        alignment: index of an English and of a German word that say the same, in order; the words are those that
            `words` finds. Both halves of a separable verb belong to its English verb.
        log_prob: natural log of the probability of the pair.
    """

    english: str
    german: str
    alignment: tuple[tuple[int, int], ...]
    log_prob: float

    @property
    def log_prob_english(self) -> float:
        """Natural log of the probability of the English sentence."""
        return self.log_prob

    @property
    def log_prob_german(self) -> float:
        """Natural log of the probability of the German sentence, that of the one sentence that it translates."""
        return self.log_prob


def sentence_pair(seed: int) -> SentencePair:
    """The pair of a seed: the same on every platform and every Python.

    Args:
        seed: an integer from 0.

    Raises:
        ValueError: if the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"seed={seed} is negative; sentence pairs are numbered from 0")
    tree, log_prob = _generator().tree(seed)
    return SentencePair(*texts(tree), log_prob)


def sentence_pairs(n: int, seed: int = 0) -> Iterator[SentencePair]:
    """`n` pairs, one after the other; pair `i` is `sentence_pair((seed << 32) + i)`.

    Two seeds draw independently, so one may serve to train and another to test; but a short sentence can be in both.

    Raises:
        ValueError: if `n` or the seed is negative, or `n` is over 2**32.
    """
    if not 0 <= n <= 1 << 32:
        raise ValueError(f"n={n} sentence pairs: ask for 0 to 2**32")
    if seed < 0:
        raise ValueError(f"seed={seed} is negative; use an integer from 0")
    return (sentence_pair((seed << 32) + i) for i in range(n))


def english_log_prob(text: str) -> float:
    """Natural log of the probability that an English sentence is exactly `text`; minus infinity if it cannot be."""
    return _log_prob(text, ENGLISH)


def german_log_prob(text: str) -> float:
    """Natural log of the probability that a German sentence is exactly `text`; minus infinity if it cannot be."""
    return _log_prob(text, GERMAN)


def translate(text: str) -> SentencePair:
    """The pair of an English sentence.

    Raises:
        ValueError: if the grammar has no such sentence.
    """
    found = next(_search(ENGLISH).trees(text), None)
    if found is None:
        raise ValueError(f"{text!r} is no English sentence of the grammar; compare it with some of sentence_pairs(9)")
    tree, log_prob = found
    return SentencePair(*texts(tree), log_prob)


def size_of_pairs() -> Size:
    """How many pairs there are, and their entropy in nats: computed, not estimated."""
    return size(GRAMMAR)


def _log_prob(text: str, language: str) -> float:
    found = [log_prob for _, log_prob in _search(language).trees(text)]
    return max(found) + math.log(math.fsum(math.exp(x - max(found)) for x in found)) if found else -math.inf


@cache
def _generator() -> Generator:
    return Generator(GRAMMAR)


@cache
def _search(language: str) -> Search:
    return Search(GRAMMAR, language)
