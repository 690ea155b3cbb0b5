"""The reader who knows the grammar but not the world: a probability for texts that forgets who, what and where.

This reader knows every plot and every word, and which names, things, colours and places the story has brought up. It
does not know what happened to them. So wherever a text hangs on the state (who gives, which colour the ball has,
whether anybody is near), it guesses: the first or the second child, the first or the second colour, with the
frequencies of many stories at that point of the grammar. Those are counted once and stored (`python -m
minigpt.village.count`). The excess of its loss over the true entropy is what is to be gained by keeping track, and a
plateau that small models reach first.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from minigpt.village.derivations import Derivation
from minigpt.village.grammar import Choice, Grammar, Line, Literal, Slot, walk
from minigpt.village.stories import derivations, grammar

Counts = dict[str, dict[str, int]]


def log_prob_without_state(text: str, size: str = "village") -> float:
    """Natural log of the probability that the reader without the state gives to a story.

    Raises:
        ValueError: if `text` is no story of this size, or the stored counts belong to another grammar.
    """
    found = derivations(text, size)
    if not found:
        raise ValueError(f"{text[:40]!r}... is no story of the {size}; minigpt.village.parse says where it goes wrong")
    return max(score(derivation, counts(size)) for derivation in found)


def score(derivation: Derivation, counts: Counts) -> float:
    """Natural log of a derivation's probability for the reader without the state, who goes by the counts.

    Symbols never seen at a place share half a count.
    """
    total = derivation.log_prob_free
    for place, symbol, fresh in derivation.guesses:
        here = counts.get(place, {})
        share = (here.get(symbol, 0) + 0.5) / (sum(here.values()) + 0.5 * (len(here) + 1))
        total += math.log(share / fresh)
    return total


def count(found: Iterable[Derivation]) -> Counts:
    """How often each symbol stood at each place of the grammar."""
    counted: dict[str, Counter[str]] = {}
    for derivation in found:
        for place, symbol, _ in derivation.guesses:
            counted.setdefault(place, Counter())[symbol] += 1
    return {place: dict(sorted(symbols.items())) for place, symbols in sorted(counted.items())}


@cache
def counts(size: str) -> Counts:
    """The stored counts of a size.

    Raises:
        ValueError: if they were counted for another grammar.
    """
    stored = json.loads(files("minigpt.village").joinpath(f"counts_{size}.json").read_text(encoding="utf-8"))
    if stored["grammar"] != fingerprint(grammar(size)):
        raise ValueError(f"counts_{size}.json is older than the grammar; run python -m minigpt.village.count")
    return stored["counts"]


def fingerprint(grammar: Grammar) -> str:
    """A short hash of everything that a grammar says."""
    digest = hashlib.sha256()
    for node in walk(grammar.root):
        match node:
            case Literal(text):
                said = text
            case Slot(form, expression, variable, source):
                said = f"{form} {expression} {variable} {source}"
            case Choice(weights, guards, _):
                said = f"{weights} {[str(guard) for guard in guards]}"
            case Line(_, effects):
                said = f"{[(effect.kind, [str(arg) for arg in effect.args]) for effect in effects]}"
            case _:
                said = ""
        digest.update(f"{type(node).__name__} {said}\n".encode())
    for name, items in sorted(grammar.classes.items()):
        digest.update(f"{name} {[(item.text, sorted(item.forms.items())) for item in items]}\n".encode())
    return digest.hexdigest()[:16]
