"""How much there is to say: the number of sentences of a grammar and their entropy, computed and not estimated.

A grammar whose trees have one text each has as many texts as trees, and the entropy of a tree is the sum of those of
its draws. What a slot is filled with may depend on features of the slots before it, so both are summed up for each set
of features that a rule can have.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import NamedTuple

from minigpt.village.translation.notation import Rule, SynchronousGrammar

Features = tuple[tuple[str, str], ...]


class Size(NamedTuple):
    """What a set of trees adds up to.

    Attributes:
        trees: their number.
        probability: the sum of their probabilities.
        nats: the sum of `-p * log(p)` over them.
    """

    trees: int
    probability: float
    nats: float

    def __mul__(self, other: Size) -> Size:
        """The size of all pairs of two independent sets."""
        nats = self.nats * other.probability + other.nats * self.probability
        return Size(self.trees * other.trees, self.probability * other.probability, nats)

    def __add__(self, other: Size) -> Size:
        """The size of the union of two sets that have nothing in common."""
        return Size(self.trees + other.trees, self.probability + other.probability, self.nats + other.nats)


NOTHING = Size(0, 0.0, 0.0)


def size(grammar: SynchronousGrammar) -> Size:
    """The number of trees of a grammar, the sum of their probabilities (which is 1), and the entropy in nats."""
    return sum(_Sizes(grammar).category("sentence").values(), NOTHING)


class _Sizes:
    def __init__(self, grammar: SynchronousGrammar) -> None:
        self.grammar = grammar
        self._known: dict[str, dict[Features, Size]] = {}

    def category(self, name: str) -> dict[Features, Size]:
        """The sizes of the trees under a category, by their features."""
        if name not in self._known:
            category = self.grammar.category(name)
            total: dict[Features, Size] = defaultdict(lambda: NOTHING)
            for rule, chance in zip(category.rules, category.chances, strict=True):
                own = Size(1, chance, -chance * math.log(chance))
                for features, found in self._rule(rule, category.context, own):
                    total[features] += found
            self._known[name] = dict(total)
        return self._known[name]

    def _rule(self, rule: Rule, context: str, own: Size) -> list[tuple[Features, Size]]:
        # What is known so far of the slots: their features, and the size of the trees that have them.
        states: dict[tuple[tuple[str, Features], ...], Size] = {(): own}
        for slot, reference in rule.slots.items():
            longer: dict[tuple[tuple[str, Features], ...], Size] = defaultdict(lambda: NOTHING)
            for state, size in states.items():
                values = {name: dict(features) for name, features in state}
                name = reference.name(lambda slot, name, values=values: values[slot][name], context)
                for features, found in self.category(name).items():
                    longer[(*state, (slot, features))] += size * found
            states = longer
        return [(self._features(rule, dict(state)), size) for state, size in states.items()]

    @staticmethod
    def _features(rule: Rule, slots: dict[str, Features]) -> Features:
        found = {}
        for name, value in rule.features.items():
            slot, dot, feature = value.partition(".")
            found[name] = dict(slots[slot])[feature] if dot else value
        return tuple(sorted(found.items()))
