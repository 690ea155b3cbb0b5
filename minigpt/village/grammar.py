"""The grammar's notation: plots are trees of lines, choices and events, and lines are strings with slots.

A line such as `"{A:child} gave {the T} [gladly|at once] to {him B}."` holds

- slots: `{form expression}` mentions an item in one of its forms; the expression is a variable (`A`), a function of the
  state from `minigpt.village.relations` (`at(A)`), or what is related to an item (`product(K)`). A colon draws:
  `{A:child}` takes a new child, `{A:near(B)}` one of those that a function lists, each with the same chance;
  `{colour(T):held(A)}` draws `T` but shows its colour.
- inline choices: `[one|other]`, each with the same chance, and `[3:one|other]` with odds of 3 to 1.

Every draw shows in the text, so that a text has one derivation. `minigpt.village.generator` samples these trees,
`minigpt.village.derivations` searches them; they share nothing but the tree and the state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from minigpt.village import relations
from minigpt.village.events import KINDS
from minigpt.village.items import Item


class GrammarError(ValueError):
    """A plot is written in a way that the notation does not allow; the message quotes it."""


class Expression(NamedTuple):
    """A variable (`name` without `args`) or a function of the state applied to expressions."""

    name: str
    args: tuple[Expression, ...] = ()

    def variables(self) -> set[str]:
        """The variables that it reads."""
        return {self.name} if not self.args and self.name.isupper() else {v for a in self.args for v in a.variables()}

    def __str__(self) -> str:
        return self.name if self.name.isupper() else f"{self.name}({', '.join(map(str, self.args))})"


class Node:
    """A part of a plot."""

    def children(self) -> Sequence[Node]:
        """The parts of this part."""
        return ()


@dataclass(eq=False)
class Literal(Node):
    """Fixed text."""

    text: str


@dataclass(eq=False)
class Slot(Node):
    """The mention of an item, in a form; with `source`, `variable` is drawn first."""

    form: str
    expression: Expression
    variable: str = ""
    source: Expression | None = None


@dataclass(eq=False)
class Choice(Node):
    """One of several parts. A branch with a guard takes part only where the guard holds."""

    weights: tuple[float, ...]
    guards: tuple[Expression | None, ...]
    branches: tuple[Node, ...]

    def children(self) -> Sequence[Node]:
        return self.branches


@dataclass(eq=False)
class Series(Node):
    """Parts one after the other."""

    parts: tuple[Node, ...]

    def children(self) -> Sequence[Node]:
        return self.parts


@dataclass(eq=False)
class Effect(Node):
    """An event that happens at this point."""

    kind: str
    args: tuple[Expression, ...]


@dataclass(eq=False)
class Line(Node):
    """A sentence (or a few that belong together) and the events that it tells."""

    body: Node
    effects: tuple[Effect, ...]

    def children(self) -> Sequence[Node]:
        return (self.body,)


@dataclass(eq=False)
class Paragraph(Node):
    """The next line starts a paragraph."""


def say(*variants: str, do: str = "") -> Node:
    """A line, said in one of several ways of the same chance.

    Args:
        variants: the ways, in the notation of this module.
        do: the events that it tells, such as `"take A T; go A P"`.
    """
    effects = tuple(_effect(part) for part in do.split(";") if part.strip())
    lines = [Line(_text(variant), effects) for variant in variants]
    return lines[0] if len(lines) == 1 else one_of(*lines)


def then(*parts: Node) -> Node:
    """Parts one after the other."""
    return Series(parts)


def one_of(*branches: Node | tuple) -> Node:
    """One of several parts: a part, `(weight, part)` or `(weight, guard, part)`."""
    full = [b if isinstance(b, tuple) else (1, b) for b in branches]
    weights = tuple(float(b[0]) for b in full)
    guards = tuple(_expression(b[1]) if len(b) == 3 else None for b in full)
    return Choice(weights, guards, tuple(b[-1] for b in full))


def maybe(chance: float, *parts: Node) -> Node:
    """The parts, with a chance strictly between 0 and 1."""
    return one_of((chance, then(*parts)), (1 - chance, then()))


def repeat(part: Node, least: int, most: int) -> Node:
    """The part, `least` to `most` times, each number with the same chance."""
    tail: Node = then()
    for left in range(1, most - least + 1):
        tail = one_of((left, then(part, tail)), (1, then()))
    return then(*[part] * least, tail)


def paragraph() -> Node:
    """Start a paragraph."""
    return Paragraph()


@dataclass(frozen=True, eq=False)
class Grammar:
    """A plot with the words it draws from.

    Args:
        name: the size it makes, such as `"hamlet"`.
        root: the plot.
        classes: class name to the items that `{A:name}` draws from.

    Raises:
        GrammarError: if the plot calls a function that does not exist.

    Attributes:
        keys: a short name for each node of the plot, the same as long as the plot is.
    """

    name: str
    root: Node
    classes: Mapping[str, tuple[Item, ...]]
    keys: dict[Node, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.keys.update((node, str(number)) for number, node in enumerate(walk(self.root)))
        known = {name for items in self.classes.values() for item in items for name in item.related}
        for node in self.keys:
            for expression in _expressions(node):
                if expression.name not in self.classes:
                    self._require_functions(expression, known)

    def _require_functions(self, expression: Expression, known: set[str]) -> None:
        if not expression.name.isupper() and expression.name not in known and not hasattr(relations, expression.name):
            raise GrammarError(
                f"{expression} calls {expression.name!r}, which neither minigpt.village.relations nor a word has"
            )
        for arg in expression.args:
            self._require_functions(arg, known)


def _expressions(node: Node) -> list[Expression]:
    match node:
        case Slot(_, expression, _, source):
            return [expression] if source is None else [expression, source]
        case Choice(_, guards, _):
            return [guard for guard in guards if guard is not None]
        case Line(_, effects):
            return [arg for effect in effects for arg in effect.args]
    return []


def walk(root: Node) -> Iterator[Node]:
    """Every node once, parents first, in the order of writing."""
    done: set[Node] = set()
    pending = [root]
    while pending:
        node = pending.pop()
        if node not in done:
            done.add(node)
            yield node
            pending.extend(reversed(node.children()))


_SLOT = re.compile(r"(?:(?P<form>[A-Za-z']+) )?(?P<expression>[A-Za-z_]+(?:\(.*?\)+)?)(?::(?P<source>.+))?")
_TOKEN = re.compile(r"\s*([A-Za-z_]+|[(),])")


def _text(text: str) -> Node:
    parts, rest = _parts(text, 0, "")
    if rest != len(text):
        raise GrammarError(f"{text!r}: unexpected {text[rest]!r} at {rest}")
    return parts


def _parts(text: str, position: int, stop: str) -> tuple[Node, int]:
    parts: list[Node] = []
    while position < len(text) and text[position] not in (stop or "|]}"):
        if text[position] == "{":
            end = text.find("}", position)
            if end < 0:
                raise GrammarError(f"{text!r}: a '{{' is not closed")
            parts.append(_slot(text[position + 1 : end]))
            position = end + 1
        elif text[position] == "[":
            branches = []
            while text[position] != "]":
                weight = re.compile(r"(\d+):").match(text, position + 1)
                part, position = _parts(text, weight.end() if weight else position + 1, "|]")
                if position == len(text):
                    raise GrammarError(f"{text!r}: a '[' is not closed")
                branches.append((int(weight[1]) if weight else 1, part))
            parts.append(one_of(*branches))
            position += 1
        else:
            end = re.compile(r"[^\[\]{}|]+").match(text, position).end()
            parts.append(Literal(text[position:end]))
            position = end
    return parts[0] if len(parts) == 1 else Series(tuple(parts)), position


def _slot(text: str) -> Slot:
    match = _SLOT.fullmatch(text)
    if not match:
        raise GrammarError(f"{{{text}}} is no slot; write it as in '{{A}}', '{{a T:toy}}' or '{{in at(A)}}'")
    expression = _expression(match["expression"])
    if match["source"] is None:
        return Slot(match["form"] or "", expression)
    variables = expression.variables()
    if len(variables) != 1:
        raise GrammarError(f"{{{text}}} draws, so it must name one variable")
    return Slot(match["form"] or "", expression, variables.pop(), _expression(match["source"]))


def _effect(text: str) -> Effect:
    kind, *args = text.split()
    if kind not in KINDS:
        raise GrammarError(f"{text!r}: there is no event {kind!r}; there are {sorted(KINDS)}")
    return Effect(kind, tuple(_expression(arg) for arg in args))


def _expression(text: str) -> Expression:
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text.replace(" ", ""):
        raise GrammarError(f"{text!r} is no expression; write a variable or a function as in 'at(A)'")
    expression, rest = _parse(tokens)
    if rest:
        raise GrammarError(f"{text!r}: {''.join(rest)!r} is left over")
    return expression


def _parse(tokens: list[str]) -> tuple[Expression, list[str]]:
    name, *rest = tokens
    args: list[Expression] = []
    if rest[:1] == ["("]:
        while rest[0] != ")":
            arg, rest = _parse(rest[1:])
            args.append(arg)
        rest = rest[1:]
    return Expression(name, tuple(args)), rest
