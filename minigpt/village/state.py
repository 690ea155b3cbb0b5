"""The state of the world while a story is told: where everything is, who holds what, who believes what.

A state is a small dictionary of facts about lexicon items, and the list of what has been mentioned.
`minigpt.village.relations` reads it, `minigpt.village.events` changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minigpt.village.items import Item


class State:
    """What is true at one point of a story, and what the reader has heard of.

    Args:
        words: class name to the items of the class, mentioned or not.

    Attributes:
        facts: `(relation, item)` or `("belief", person, thing)` to an item.
        seen: every item mentioned so far, in the order of first mention (a dictionary used as an ordered set).
        spent: the items that cannot be drawn as new ones.
        before: people and things of the line before this one, as pronouns need them.
        here: people and things of this line so far.
    """

    __slots__ = ("before", "facts", "here", "seen", "spent", "words")

    def __init__(self, words: Mapping[str, Sequence[Item]]) -> None:
        self.words = words
        self.facts: dict[tuple, Item] = {}
        self.seen: dict[Item, None] = {}
        self.spent: set[Item] = set()
        self.before: list[Item] = []
        self.here: list[Item] = []

    def copy(self) -> State:
        """A state that can change without changing this one."""
        other = State.__new__(State)
        other.words = self.words
        other.facts = self.facts.copy()
        other.seen = self.seen.copy()
        other.spent = self.spent.copy()
        other.before = self.before
        other.here = self.here.copy()
        return other

    def start_line(self) -> None:
        """Let the line that ends become the one that pronouns look back to."""
        self.before = self.here
        self.here = []

    def mention(self, item: Item) -> None:
        """Note that `item` has come up."""
        self.seen[item] = None
        self.spent.add(item)
        if item.gender:
            self.here.append(item)

    def antecedent(self, gender: str) -> Item | None:
        """Who or what a pronoun of this gender stands for: the only candidate of this line, else of the last one."""
        found = None
        for item in self.here:
            if item.gender == gender and item is not found:
                if found is not None:
                    return None
                found = item
        if found is None:
            for item in self.before:
                if item.gender == gender and item is not found:
                    if found is not None:
                        return None
                    found = item
        return found

    def owner(self, gender: str) -> Item | None:
        """Who a possessive of this gender stands for: the line's subject where it fits, else the antecedent."""
        if self.here and self.here[0].gender == gender:
            return self.here[0]
        return self.antecedent(gender)

    def known(self, kind: str) -> list[Item]:
        """The items of one kind in the order of first mention."""
        return [item for item in self.seen if item.kind == kind]
