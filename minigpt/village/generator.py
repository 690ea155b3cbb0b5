"""The fast way from a grammar to stories: every node becomes a closure that draws, writes and keeps the probability.

Random numbers come from `random.Random.random` alone, whose stream Python promises for a given seed, so that a seed
gives the same story everywhere.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from random import Random

from minigpt.village import relations
from minigpt.village.events import KINDS
from minigpt.village.grammar import (
    Choice,
    Effect,
    Expression,
    Grammar,
    GrammarError,
    Line,
    Literal,
    Node,
    Paragraph,
    Series,
    Slot,
)
from minigpt.village.items import PRONOUNS, Item
from minigpt.village.state import State

FULL = {
    "he": "name",
    "He": "Name",
    "him": "name",
    "his": "name's",
    "His": "Name's",
    "himself": "name",
    "it": "name",
    "It": "Name",
}
"""The form of a pronoun to the form of the name that stands in for it."""

Evaluate = Callable[[dict[str, Item], State], object]


class Tape:
    """Where a story is written: text, state, events and log-probability (natural log) so far."""

    __slots__ = ("events", "log_prob", "out", "random", "separator", "state", "variables")

    def __init__(self, random: Callable[[], float], words: Mapping[str, tuple[Item, ...]]) -> None:
        self.random = random
        self.out: list[str] = []
        self.variables: dict[str, Item] = {}
        self.state = State(words)
        self.events: list[tuple[str, tuple[Item, ...]]] = []
        self.log_prob = 0.0
        self.separator = ""


Write = Callable[[Tape], None]


class Generator:
    """Draws stories from a grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self._compiled: dict[Node, Write] = {}
        self._write = self._compile(grammar.root)

    def tell(self, seed: int) -> Tape:
        """The story of a seed, as a full tape."""
        # A source of its own for each story, so that threads do not share one.
        tape = Tape(Random(seed).random, self.grammar.classes)
        self._write(tape)
        return tape

    def _compile(self, node: Node) -> Write:
        if node not in self._compiled:
            self._compiled[node] = self._closure(node)
        return self._compiled[node]

    def _closure(self, node: Node) -> Write:
        match node:
            case Literal(text):
                return lambda tape: tape.out.append(text)
            case Series(parts):
                return _in_turn([self._compile(part) for part in parts])
            case Line(body, effects):
                return _line(self._compile(body), [self._compile(effect) for effect in effects])
            case Choice(weights, guards, branches):
                compiled = [self._compile(branch) for branch in branches]
                if any(guards):
                    return _guarded(weights, [guard and compile_expression(guard) for guard in guards], compiled)
                return _choice(weights, compiled)
            case Slot(form, expression, "", _):
                return _mention(form, compile_expression(expression))
            case Slot(form, expression, variable, source):
                return _draw(form, expression, variable, source, self.grammar)
            case Effect(kind, args):
                return _effect(kind, [compile_expression(arg) for arg in args])
            case Paragraph():
                return _paragraph
        raise GrammarError(f"{node!r} is no part of a grammar")


def compile_expression(expression: Expression) -> Evaluate:
    """A function from variables and state to the expression's value.

    Raises:
        GrammarError: if it names a function that neither the state nor the lexicon knows.
    """
    name, args = expression
    if not args and name.isupper():
        return lambda variables, state: variables[name]
    compiled = [compile_expression(arg) for arg in args]
    function = getattr(relations, name, None)
    match compiled:
        case []:
            if function is None:
                raise GrammarError(f"{expression} calls {name!r}, which minigpt.village.relations does not have")
            return lambda variables, state: function(state)
        case [first] if function is None:
            return lambda variables, state: first(variables, state).related[name]
        case [first]:
            return lambda variables, state: function(state, first(variables, state))
        case [first, second]:
            return lambda variables, state: function(state, first(variables, state), second(variables, state))
    raise GrammarError(f"{expression} has {len(args)} arguments; functions of the state take at most two")


def render(form: str, item: Item, state: State) -> str:
    """The text of a mention; a pronoun where the form asks for one and it is clear, else the name.

    Call it before `state.mention`.
    """
    text = item.forms.get(form)
    if text is not None:
        return text
    pronouns = PRONOUNS[item.gender]
    if form in ("his", "His", "himself"):
        clear = state.owner(item.gender) is item
    else:
        clear = state.antecedent(item.gender) is item
    return pronouns[form] if clear else item.forms[FULL[form]]


def _in_turn(parts: list[Write]) -> Write:
    if len(parts) == 1:
        return parts[0]

    def write(tape: Tape) -> None:
        for part in parts:
            part(tape)

    return write


def _line(body: Write, effects: list[Write]) -> Write:
    def write(tape: Tape) -> None:
        tape.out.append(tape.separator)
        tape.separator = " "
        tape.state.start_line()
        body(tape)
        for effect in effects:
            effect(tape)

    return write


def _paragraph(tape: Tape) -> None:
    tape.separator = "\n\n"


def _choice(weights: tuple[float, ...], branches: list[Write]) -> Write:
    total = math.fsum(weights)
    logs = [math.log(weight / total) for weight in weights]
    bounds = [bound / total for bound in accumulate(weights)]
    bounds.pop()

    def write(tape: Tape) -> None:
        index = bisect_right(bounds, tape.random())
        tape.log_prob += logs[index]
        branches[index](tape)

    return write


def _guarded(weights: tuple[float, ...], guards: list[Evaluate | None], branches: list[Write]) -> Write:
    full = list(zip(weights, guards, branches, strict=True))

    def write(tape: Tape) -> None:
        variables, state = tape.variables, tape.state
        possible = [(weight, part) for weight, guard, part in full if guard is None or guard(variables, state)]
        if not possible:
            raise GrammarError(f"none of {len(full)} guarded parts is possible; add one that always is")
        total = math.fsum([weight for weight, _ in possible])
        point = tape.random() * total
        index = 0
        while point >= possible[index][0] and index < len(possible) - 1:
            point -= possible[index][0]
            index += 1
        weight, part = possible[index]
        tape.log_prob += math.log(weight / total)
        part(tape)

    return write


def _mention(form: str, evaluate: Evaluate) -> Write:
    def write(tape: Tape) -> None:
        state = tape.state
        item = evaluate(tape.variables, state)
        tape.out.append(render(form, item, state))
        state.seen[item] = None
        state.spent.add(item)
        if item.gender:
            state.here.append(item)

    return write


_LOGS = [0.0] + [math.log(n) for n in range(1, 1000)]


def _draw(form: str, expression: Expression, variable: str, source: Expression, grammar: Grammar) -> Write:
    evaluate = compile_expression(expression)
    items = grammar.classes.get(source.name)
    listed = compile_expression(source) if items is None else None

    def write(tape: Tape) -> None:
        state = tape.state
        if items is None:
            candidates = listed(tape.variables, state)
        else:
            spent = state.spent
            candidates = [item for item in items if item not in spent]
        count = len(candidates)
        if not count:
            raise GrammarError(f"{{{expression}:{source}}} has nothing left to draw from; guard it, or add words")
        tape.variables[variable] = candidates[int(tape.random() * count)]
        tape.log_prob -= _LOGS[count]
        item = evaluate(tape.variables, state)
        tape.out.append(render(form, item, state))
        state.seen[item] = None
        state.spent.add(item)
        if item.gender:
            state.here.append(item)

    return write


def _effect(kind: str, args: list[Evaluate]) -> Write:
    apply = KINDS[kind].apply

    def write(tape: Tape) -> None:
        items = tuple([arg(tape.variables, tape.state) for arg in args])
        tape.events.append((kind, items))
        apply(tape.state, *items)

    return write
