"""The slow and thorough way: every derivation of a text, or every text of a grammar, by exhaustive search.

Nothing is drawn here and nothing is known of how a story was made. At each choice every branch is followed, at each
draw every candidate, and what does not fit the text is dropped. A text's probability is the sum over its derivations,
and `minigpt.village` promises that there is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from minigpt.village.events import KINDS
from minigpt.village.generator import compile_expression, render
from minigpt.village.grammar import Choice, Effect, Grammar, Line, Literal, Node, Paragraph, Series, Slot
from minigpt.village.items import Item
from minigpt.village.state import State


class Guess(NamedTuple):
    """A point of a derivation that hangs on the state, as a reader without the state meets it.

    Attributes:
        place: key of the node and how many items of the kind have been mentioned.
        symbol: what was there: a pronoun, the item's rank by first mention (`"0"`, `"1"`...), `"new"`, or the branch.
        fresh: for `"new"`, how many items it could have been; else 1.
    """

    place: str
    symbol: str
    fresh: int


class Derivation(NamedTuple):
    """One way to make a text.

    Attributes:
        text: the text.
        log_prob: natural log of the derivation's probability.
        events: kinds and items.
        log_prob_free: the part of `log_prob` that does not hang on the state.
        guesses: what hangs on it.
        state: the world at the end.
    """

    text: str
    log_prob: float
    events: tuple[tuple[str, tuple[Item, ...]], ...]
    log_prob_free: float
    guesses: tuple[Guess, ...]
    state: State


class Path:
    """A derivation under way: what is still to do and what has been made. Lists are linked, so forks are cheap."""

    __slots__ = (
        "agenda",
        "events",
        "free",
        "guesses",
        "log_prob",
        "pieces",
        "position",
        "separator",
        "state",
        "variables",
    )

    def __init__(self, grammar: Grammar) -> None:
        self.agenda: tuple | None = (grammar.root, None)
        self.position = 0
        self.variables: dict[str, Item] = {}
        self.state = State(grammar.classes)
        self.log_prob = self.free = 0.0
        self.separator = ""
        self.events = self.guesses = self.pieces = None

    def fork(self) -> Path:
        """A path that can go another way."""
        other = Path.__new__(type(self))
        for kind in type(self).__mro__[:-1]:
            for name in kind.__slots__:
                setattr(other, name, getattr(self, name))
        other.variables = self.variables.copy()
        other.state = self.state.copy()
        return other


class Search:
    """Finds the derivations of texts under one grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self._compiled: dict = {}

    def derivations(self, text: str) -> Iterator[Derivation]:
        """Every derivation of exactly this text."""
        for path in self._paths(text):
            if path.position == len(text):
                yield self._finished(path, text)

    def texts(self) -> Iterator[Derivation]:
        """Every derivation of every text: only for a small grammar."""
        for path in self._paths(None):
            yield self._finished(path, "".join(unlinked(path.pieces)))

    def _finished(self, path: Path, text: str) -> Derivation:
        events, guesses = tuple(unlinked(path.events)), tuple(unlinked(path.guesses))
        return Derivation(text, path.log_prob, events, path.free, guesses, path.state)

    def _paths(self, text: str | None) -> Iterator[Path]:
        pending = [Path(self.grammar)]
        while pending:
            path = pending.pop()
            while path.agenda is not None:
                node, path.agenda = path.agenda
                if isinstance(node, Choice):
                    pending.extend(self._branches(path, node))
                    break
                if isinstance(node, Slot) and node.variable:
                    pending.extend(self._draws(path, node, text))
                    break
                if not self._advance(path, node, text):
                    break
            else:
                yield path

    def _advance(self, path: Path, node: Node, text: str | None) -> bool:
        match node:
            case Literal(piece):
                return self._write(path, piece, text)
            case Series(parts):
                for part in reversed(parts):
                    path.agenda = (part, path.agenda)
            case Line(body, effects):
                if not self._write(path, path.separator, text):
                    return False
                path.separator = " "
                path.state.start_line()
                for effect in reversed(effects):
                    path.agenda = (effect, path.agenda)
                path.agenda = (body, path.agenda)
            case Slot(form, expression, _, _):
                item = self._value(expression, path)
                self._guess(path, node, item, [])
                return self._mention(path, item, render(form, item, path.state), text)
            case Effect(kind, args):
                items = tuple(self._value(arg, path) for arg in args)
                path.events = ((kind, items), path.events)
                KINDS[kind].apply(path.state, *items)
            case Paragraph():
                path.separator = "\n\n"
        return True

    def _branches(self, path: Path, node: Choice) -> Iterator[Path]:
        holds = [guard is None or self._value(guard, path) for guard in node.guards]
        total = math.fsum(weight for weight, possible in zip(node.weights, holds, strict=True) if possible)
        for index, branch in enumerate(node.branches):
            if holds[index]:
                other = path.fork()
                other.agenda = (branch, other.agenda)
                log_prob = math.log(node.weights[index] / total)
                other.log_prob += log_prob
                if any(node.guards):
                    other.guesses = (Guess(self.grammar.keys[node], str(index), 1), other.guesses)
                else:
                    other.free += log_prob
                yield other

    def _draws(self, path: Path, node: Slot, text: str | None) -> Iterator[Path]:
        items = self.grammar.classes.get(node.source.name)
        candidates = (
            self._value(node.source, path) if items is None else [i for i in items if i not in path.state.spent]
        )
        for item in candidates:
            path.variables[node.variable] = item
            shown = self._value(node.expression, path)
            piece = render(node.form, shown, path.state)
            if text is None or text.startswith(piece, path.position):
                other = path.fork()
                other.log_prob -= math.log(len(candidates))
                if items is None:
                    self._guess(other, node, shown, candidates)
                else:
                    other.free -= math.log(len(candidates))
                self._mention(other, shown, piece, text)
                yield other

    def _mention(self, path: Path, item: Item, piece: str, text: str | None) -> bool:
        path.state.mention(item)
        return self._write(path, piece, text)

    def _write(self, path: Path, piece: str, text: str | None) -> bool:
        if text is None:
            path.pieces = (piece, path.pieces)
            return True
        if not text.startswith(piece, path.position):
            return False
        path.position += len(piece)
        return True

    def _guess(self, path: Path, node: Slot, item: Item, candidates: list[Item]) -> None:
        state = path.state
        piece = render(node.form, item, state)
        known = state.known(item.kind)
        if node.form not in item.forms and not piece.startswith(item.forms["name"]):
            symbol, fresh = piece, 1
        elif item in state.seen:
            symbol, fresh = str(known.index(item)), 1
        else:
            symbol, fresh = "new", max(1, sum(candidate not in state.seen for candidate in candidates))
        path.guesses = (Guess(f"{self.grammar.keys[node]}/{len(known)}", symbol, fresh), path.guesses)

    def _value(self, expression, path: Path):
        evaluate = self._compiled.get(expression)
        if evaluate is None:
            evaluate = self._compiled[expression] = compile_expression(expression)
        return evaluate(path.variables, path.state)


def unlinked(link: tuple | None) -> list:
    """The items of a linked list, first one first."""
    items = []
    while link is not None:
        item, link = link
        items.append(item)
    return items[::-1]
