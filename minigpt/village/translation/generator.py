"""Draws trees from a grammar in two languages, and aligns what they say."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate, product
from random import Random

from minigpt.village.translation.notation import ENGLISH, GERMAN, Category, SynchronousGrammar, Tree, sentence

_MARKS = ".,"


class Generator:
    """Draws from a grammar. Random numbers come from `random.Random.random` alone, whose stream Python promises."""

    def __init__(self, grammar: SynchronousGrammar) -> None:
        self.grammar = grammar
        self._tables: dict[str, tuple[Category, list[float], list[float]]] = {}

    def tree(self, seed: int) -> tuple[Tree, float]:
        """The tree of a seed and the natural log of its probability."""
        return self._draw("sentence", Random(seed).random)

    def _draw(self, name: str, random: Callable[[], float]) -> tuple[Tree, float]:
        if name not in self._tables:
            category = self.grammar.category(name)
            bounds = list(accumulate(category.chances))[:-1]
            self._tables[name] = category, bounds, [math.log(chance) for chance in category.chances]
        category, bounds, logs = self._tables[name]
        index = bisect_right(bounds, random()) if bounds else 0
        log_prob = logs[index]
        node = Tree(category.rules[index], category.context)
        for slot, reference in node.rule.slots.items():
            node.children[slot], more = self._draw(reference.name(node.feature, node.context), random)
            log_prob += more
        return node, log_prob


def texts(root: Tree) -> tuple[str, str, tuple[tuple[int, int], ...]]:
    """What a tree says in English and in German, and which words belong together.

    A rule's own words in one language belong to its own words in the other; a mark belongs to the same mark. Positions
    are those in `minigpt.village.translation.notation.words`.
    """
    written: dict[str, list[str]] = {ENGLISH: [], GERMAN: []}
    places: dict[str, dict[Tree, list[int]]] = {ENGLISH: {}, GERMAN: {}}
    for language, words in written.items():
        writers: list[Tree] = []
        root.write(language, "", words, writers)
        for position, node in enumerate(writers):
            places[language].setdefault(node, []).append(position)
    english, german = written[ENGLISH], written[GERMAN]
    pairs = [
        (i, j)
        for node, positions in places[ENGLISH].items()
        for i, j in product(positions, places[GERMAN].get(node, ()))
        if english[i] == german[j] or (english[i] not in _MARKS and german[j] not in _MARKS)
    ]
    return sentence(english), sentence(german), tuple(sorted(pairs))
