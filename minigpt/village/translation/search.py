"""Every tree of a text, or every tree of a grammar, by exhaustive search.

Nothing is drawn here. The text is read from left to right in one of its two languages; wherever a slot has to be known
to go on, every rule that could fill it is followed, and what does not fit the text is dropped. It shares nothing with
the generator but the rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from minigpt.village.translation.notation import (
    Reference,
    Rule,
    SynchronousGrammar,
    Tree,
    look_up,
    sentence,
    words,
)

Place = tuple[str, ...]
"""Where in a tree: the slots on the way from the root."""


class _Unfilled(Exception):
    """The slot at this place has to be filled first."""

    def __init__(self, place: Place) -> None:
        self.place = place


@dataclass
class _Path:
    """A tree that is being guessed: rules and contexts by place, and what is still to be read, as a linked list."""

    filled: dict[Place, tuple[Rule, str]]
    agenda: tuple | None
    position: int
    log_prob: float

    def at(self, place: Place) -> tuple[Rule, str]:
        if place not in self.filled:
            raise _Unfilled(place)
        return self.filled[place]

    def name(self, place: Place, reference: Reference) -> str:
        if len(reference.pieces) == 1:
            return reference.pieces[0]
        return reference.name(lambda slot, name: self.feature((*place, slot), name), self.at(place)[1])

    def feature(self, place: Place, name: str) -> str:
        value = self.at(place)[0].features[name]
        if "." not in value:
            return value
        slot, name = value.split(".")
        return self.feature((*place, slot), name)


class Search:
    """Finds the trees of a grammar.

    Args:
        grammar: the grammar.
        language: `"english"` or `"german"`, the language to read.
    """

    def __init__(self, grammar: SynchronousGrammar, language: str) -> None:
        self.grammar = grammar
        self.language = language

    def trees(self, text: str) -> Iterator[tuple[Tree, float]]:
        """Every tree that says exactly this text, with the natural log of its probability."""
        found = words(text)
        if found and sentence(found) == text:
            yield from self._trees(found)

    def all_trees(self) -> Iterator[tuple[Tree, float]]:
        """Every tree: only for a small grammar."""
        yield from self._trees(None)

    def _trees(self, text: list[str] | None) -> Iterator[tuple[Tree, float]]:
        possible = _Possible(self.grammar, self.language, text)
        pending = [_Path({}, (((), Reference("", ("",))), None), 0, 0.0)]
        while pending:
            path = pending.pop()
            try:
                while path.agenda is not None and self._step(path, text):
                    pass
            except _Unfilled as unfilled:
                pending.extend(self._fillings(path, unfilled.place, possible))
            else:
                if path.agenda is None and (text is None or path.position == len(text)):
                    yield _tree(path, ()), path.log_prob

    def _step(self, path: _Path, text: list[str] | None) -> bool:
        """Read on; whether that was possible. Nothing has changed if a slot had to be filled first."""
        (place, token), rest = path.agenda
        if isinstance(token, str):
            if text is not None:
                if path.position == len(text):
                    return False
                if text[path.position] != (token if path.position else token[:1].upper() + token[1:]):
                    return False
            path.position += 1
            path.agenda = rest
            return True
        inner = (*place, token.slot) if token.slot else place
        parts, part = path.at(inner)[0].parts[self.language], path.name(place, token)
        for inside in reversed(parts[part] if part in parts else look_up(parts, part)[1]):
            rest = ((inner, inside), rest)
        path.agenda = rest
        return True

    def _fillings(self, path: _Path, place: Place, possible: _Possible) -> Iterator[_Path]:
        try:
            name = "sentence" if not place else path.name(place[:-1], path.at(place[:-1])[0].slots[place[-1]])
        except _Unfilled as unfilled:
            yield from self._fillings(path, unfilled.place, possible)
            return
        context = self.grammar.category(name).context
        for rule, log_prob in possible.rules(name):
            filled = path.filled | {place: (rule, context)}
            yield _Path(filled, path.agenda, path.position, path.log_prob + log_prob)


class _Possible:
    """The rules that can have a part in a text, to leave out the rest early.

    Every choice shows in the text. So a word was not chosen if none of its forms is there, and a rule was not if one of
    its slots has nothing left to choose from.
    """

    def __init__(self, grammar: SynchronousGrammar, language: str, text: list[str] | None) -> None:
        self.grammar = grammar
        self.language = language
        self.known = None if text is None else {*text, text[0][:1].lower() + text[0][1:]}
        self._found: dict[str, list[tuple[Rule, float]]] = {}

    def rules(self, name: str) -> list[tuple[Rule, float]]:
        """The possible rules of a category, each with the log of its chance."""
        if name not in self._found:
            rules, chances, context = self.grammar.category(name)
            self._found[name] = [
                (rule, math.log(chance))
                for rule, chance in zip(rules, chances, strict=True)
                if self.known is None or (self._has_words(rule, len(rules)) and self._has_slots(rule, context))
            ]
        return self._found[name]

    def _has_words(self, rule: Rule, choices: int) -> bool:
        own = rule.words[self.language]
        return bool(rule.slots) or not own or choices == 1 or not self.known.isdisjoint(own)

    def _has_slots(self, rule: Rule, context: str) -> bool:
        # A category that hangs on a feature is not known yet.
        fixed = (slot for slot in rule.slots.values() if not any("." in piece for piece in slot.pieces))
        return all(self.rules(slot.name(_no_feature, context)) for slot in fixed)


def _no_feature(slot: str, name: str) -> str:
    raise AssertionError(f"{slot}.{name} was looked up before it was known")


def _tree(path: _Path, place: Place) -> Tree:
    rule, context = path.at(place)
    return Tree(rule, context, {slot: _tree(path, (*place, slot)) for slot in rule.slots})
