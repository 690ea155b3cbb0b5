"""Reading any text: which events it tells, where it leaves the grammar, and where it contradicts itself.

Two ways in which a text can fail are kept apart. A text that no plot of the village continues at some point, whatever
the state of the world, is not grammatical: `ParseError`. A text whose sentences follow a plot, but say what the state
rules out (somebody gives away what another holds, a red ball turns blue, a child looks where they cannot think the toy
to be), is grammatical and untrue: `contradictions` lists where. The reader below follows the plots as
`minigpt.village.derivations` does, but at a price it accepts what the state rules out; the cheapest reading counts.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import count, pairwise
from typing import NamedTuple

from minigpt.village.derivations import Path, Search, unlinked
from minigpt.village.events import KINDS, Event
from minigpt.village.generator import FULL, render
from minigpt.village.grammar import Choice, Effect, Grammar, Line, Slot
from minigpt.village.items import PRONOUNS, Item
from minigpt.village.relations import LISTS
from minigpt.village.stories import grammar

LIMIT = 200_000
"""Steps after which the reader gives up on a text, unless it is told otherwise."""


class ParseError(ValueError):
    """A text is not in the village's language.

    Attributes:
        position: where no sentence goes on (characters from the start).
        reason: what was there and what could have been.
    """

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"at {position}: {reason}")
        self.position = position
        self.reason = reason


class Contradiction(NamedTuple):
    """A sentence that cannot be true where it stands.

    Attributes:
        position: where the sentence starts (characters from the start).
        sentence: the sentence, with what belongs to it.
        reason: what the state of the world says instead.
    """

    position: int
    sentence: str
    reason: str


def parse(text: str, size: str = "village") -> list[Event]:
    """The events that a text tells, in order; of a text with contradictions, those that it claims.

    Raises:
        ParseError: if the text is not grammatical; it has the position and the reason.
        ValueError: if the size is unknown.
    """
    return list(_read(text, size)[0])


def contradictions(text: str, size: str = "village", *, limit: int = LIMIT) -> list[Contradiction]:
    """The sentences of a grammatical text that cannot be true where they stand; none for a story of the village.

    A false claim is believed from there on: later sentences are held against it.

    Args:
        text: any text.
        size: `"hamlet"`, `"village"` or `"town"`.
        limit: steps after which the reader gives up (some 50 microseconds each). A story without a contradiction takes
            a few hundred; a text with several may take very many.

    Raises:
        ParseError: if the text is not grammatical, or the reader gives up.
        ValueError: if the size is unknown.
    """
    return list(_read(text, size, limit)[1])


@lru_cache(maxsize=256)
def _read(text: str, size: str, limit: int = LIMIT) -> tuple[tuple[Event, ...], tuple[Contradiction, ...]]:
    path = _reader(size).best(text, limit)
    events = tuple(
        Event(kind, tuple("nothing" if item is None else item.text for item in items))
        for kind, items in unlinked(path.events)
    )
    starts = [*unlinked(path.lines), len(text)]
    found: dict[int, str] = {}
    for position, reason in unlinked(path.faults):
        start = max((s for s in starts if s <= position), default=0)
        found[start] = reason
    ends = dict(pairwise(starts))
    return events, tuple(
        Contradiction(start, text[start : ends.get(start, len(text))].strip(), reason)
        for start, reason in found.items()
    )


@lru_cache(maxsize=8)
def _reader(size: str) -> Reader:
    return Reader(grammar(size))


class _Dead(Exception):
    """A path that makes no sense any more."""


class _Reading(Path):
    """A path with what it accepted against the state (`cost` counts, `faults` explain) and where its lines start."""

    __slots__ = ("cost", "faults", "lines")

    def __init__(self, grammar: Grammar) -> None:
        super().__init__(grammar)
        self.cost = 0
        self.faults = self.lines = None

    def blame(self, position: int, reason: str, cost: int = 1) -> None:
        self.cost += cost
        self.faults = ((position, reason), self.faults)


class Reader(Search):
    """Finds the reading of a text with the fewest contradictions."""

    def __init__(self, grammar: Grammar) -> None:
        super().__init__(grammar)
        words = {item: None for items in grammar.classes.values() for item in items}
        self._words = list(words | {other: None for item in words for other in item.related.values()})
        self._farthest = 0
        self._expected: list[str] = []

    def best(self, text: str, limit: int = LIMIT) -> _Reading:
        """The reading with the fewest contradictions.

        Raises:
            ParseError: if there is none, or none is found in `limit` steps.
        """
        self._farthest, self._expected = 0, []
        order = count()
        heap = [(0, 0, next(order), _Reading(self.grammar))]
        steps = 0
        while heap:
            path = heapq.heappop(heap)[-1]
            steps += 1
            if path.agenda is None:
                if path.position == len(text):
                    return path
                self._miss(path.position, "")
                continue
            if steps > limit:
                raise ParseError(self._farthest, f"no reading found in {limit} steps; {self._complaint(text)}")
            try:
                for other in self._step(path, text):
                    heapq.heappush(heap, (other.cost, -other.position, next(order), other))
            except _Dead:
                continue
        raise ParseError(self._farthest, self._complaint(text))

    def _step(self, path: _Reading, text: str) -> Iterable[_Reading]:
        while path.agenda is not None:
            node, path.agenda = path.agenda
            match node:
                case Choice():
                    return self._branches(path, node)
                case Slot(_, _, "", _):
                    return self._readings(path, node, text)
                case Slot():
                    return self._draws(path, node, text)
                case Line():
                    if not self._write(path, path.separator, text):
                        return ()
                    path.lines = (path.position, path.lines)
                    path.separator = ""
                    self._advance(path, node, text)
                case Effect(kind, args):
                    items = tuple(self._value(arg, path) for arg in args)
                    reason = None if None in items else KINDS[kind].check(path.state, *items)
                    if reason:
                        path.blame(path.lines[0], reason, cost=0 if path.faults else 1)
                    path.events = ((kind, items), path.events)
                    if None not in items:
                        KINDS[kind].apply(path.state, *items)
                case _:
                    if not self._advance(path, node, text):
                        return ()
        return (path,)

    def _branches(self, path: _Reading, node: Choice) -> Iterator[_Reading]:
        for branch, guard in zip(node.branches, node.guards, strict=True):
            other = path.fork()
            other.agenda = (branch, other.agenda)
            if guard is not None and not self._value(guard, path):
                other.blame(path.position + len(path.separator), f"this cannot happen here ({guard} does not hold)")
            yield other

    def _readings(self, path: _Reading, node: Slot, text: str) -> Iterator[_Reading]:
        true = self._value(node.expression, path)
        piece = ""
        if true is not None:
            piece = render(node.form, true, path.state)
            other = path.fork()
            if self._mention(other, true, piece, text):
                yield other
        for item in self._alike(node, true, path):
            for wrong in self._ways(node.form, item):
                if wrong != piece and text.startswith(wrong, path.position):
                    other = path.fork()
                    other.blame(
                        path.position, f"{wrong!r} should be {piece!r}" if piece else f"{wrong!r} is out of place"
                    )
                    self._mention(other, item, wrong, text)
                    yield other

    def _draws(self, path: _Reading, node: Slot, text: str) -> Iterator[_Reading]:
        items = self.grammar.classes.get(node.source.name)
        if items is None:
            possible = self._value(node.source, path)
            belongs = LISTS[node.source.name]
            items = [item for item in self._words if item in possible or belongs(item)]
        else:
            possible = [item for item in items if item not in path.state.spent]
        for item in items:
            path.variables[node.variable] = item
            try:
                shown = self._value(node.expression, path)
            except _Dead:
                continue
            if shown is None or not self._ways(node.form, shown):
                continue
            piece = render(node.form, shown, path.state)
            if shown is not item and item in path.state.seen:
                yield from self._misnamed(path, node, shown, piece, text)
            if text.startswith(piece, path.position):
                other = path.fork()
                if item not in possible:
                    seen = item in path.state.seen
                    other.blame(path.position, f"{piece!r} {'does not fit here' if seen else 'is not in the story'}")
                self._mention(other, shown, piece, text)
                yield other

    def _misnamed(self, path: _Reading, node: Slot, true: Item, piece: str, text: str) -> Iterator[_Reading]:
        for item in self._words:
            if item.kind == true.kind and item is not true:
                wrong = item.forms.get(node.form, "")
                if wrong and text.startswith(wrong, path.position):
                    other = path.fork()
                    other.blame(path.position, f"{wrong!r} should be {piece!r}")
                    self._mention(other, item, wrong, text)
                    yield other

    def _alike(self, node: Slot, true: Item | None, path: _Reading) -> Iterator[Item]:
        kinds = {"spot", "place"} if true is None or true.kind in ("spot", "place") else {true.kind}
        if true is not None and true.gender in ("m", "f"):
            kinds = {item.kind for item in path.state.seen if item.gender in ("m", "f")} | kinds
        yield from (item for item in self._words if item.kind in kinds)

    @staticmethod
    def _ways(form: str, item: Item) -> set[str]:
        if form in FULL:
            return {item.forms[FULL[form]], PRONOUNS[item.gender][form]} if item.gender in PRONOUNS else set()
        return {item.forms[form]} if form in item.forms else set()

    def _write(self, path: Path, piece: str, text: str | None) -> bool:
        written = super()._write(path, piece, text)
        if not written:
            self._miss(path.position, piece)
        return written

    def _value(self, expression, path: Path):
        try:
            return super()._value(expression, path)
        except (KeyError, AttributeError) as error:
            raise _Dead from error

    def _miss(self, position: int, piece: str) -> None:
        if position > self._farthest:
            self._farthest, self._expected = position, []
        if position == self._farthest and piece not in self._expected:
            self._expected.append(piece)

    def _complaint(self, text: str) -> str:
        found = text[self._farthest : self._farthest + 20]
        wanted = [repr(piece) if piece else "the end" for piece in self._expected[:4]]
        return f"no sentence goes on with {found!r}; there could be {' or '.join(wanted) or 'more'}"
