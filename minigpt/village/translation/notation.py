"""The notation of a grammar in two languages: a rule says the same thing twice, with the same slots.

    rule("{D} {N}", {"acc": "{D.acc/N.gender} {N}"}, slots="D=article N=noun/toy")

- A slot is filled by a rule of its category: `N` by one of `noun/toy`. Slots are drawn in order, each rule with the
  chance of its weight.
- What a rule writes in a language are parts, each with a name: a German separable verb has its finite form in one part
  and its particle in another, so that a clause can put them in two places. `{V.particle}` writes a part of what fills
  `V`; a plain string is the part without a name, which `{V}` writes.
- Agreement is a look-up. After a slash stand further pieces of the name: a feature of a slot (`N.gender`), the rule's
  own context (`*`) or fixed text. `{D.acc/N.gender}` writes the part `acc/m` of the article where the noun is `m`.
- Categories are looked up in the same way: `V=act/S.who` fills `V` by a rule of `act/3f/Mia` where `who` is `3f/Mia`.
- What is not there is looked up without its last piece, and so on: `act/3f/Mia` may find `act`. For a category, the
  pieces that are left over (`3f/Mia`) are the context of the rule that fills the slot.

`minigpt.village.translation.generator` draws from a grammar, `minigpt.village.translation.search` reads texts by it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NamedTuple, TypeVar

ENGLISH, GERMAN = "english", "german"

Value = TypeVar("Value")


class RuleError(ValueError):
    """A rule is written in a way that the notation does not allow, or asks for what is not there."""


class Reference(NamedTuple):
    """A name with pieces that are looked up; in a template, with the slot that it is a part of."""

    slot: str
    pieces: tuple[str, ...]

    def name(self, feature: Callable[[str, str], str], context: str) -> str:
        """The name with its look-ups done.

        Args:
            feature: slot and feature name to the feature's value.
            context: what stands for `*`.
        """
        if len(self.pieces) == 1:
            return self.pieces[0]
        found = []
        for piece in self.pieces:
            if piece == "*":
                found.append(context)
            elif "." in piece:
                found.append(feature(*piece.split(".")))
            else:
                found.append(piece)
        return "/".join(found)


Template = tuple[str | Reference, ...]


@dataclass(frozen=True, eq=False)
class Rule:
    """One way to fill a slot. Made by `rule`.

    Attributes:
        weight: its odds among the rules of its category.
        parts: language to part name to template.
        slots: slot name to the category that fills it.
        features: what other rules may look up; a value like `N.gender` is that of a slot.
        words: language to all words that the rule itself can write.
    """

    weight: float
    parts: Mapping[str, Mapping[str, Template]]
    slots: Mapping[str, Reference]
    features: Mapping[str, str]
    words: Mapping[str, frozenset[str]] = field(init=False)

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise RuleError(f"weight={self.weight} of a rule with parts {self.parts} must be over 0")
        words = {}
        for language, parts in self.parts.items():
            tokens = [token for template in parts.values() for token in template]
            words[language] = frozenset(token for token in tokens if isinstance(token, str))
            for token in tokens:
                if isinstance(token, Reference) and token.slot not in self.slots:
                    raise RuleError(f"{{{token.slot}}} is no slot of the rule; it has {sorted(self.slots)}")
        object.__setattr__(self, "words", words)


def rule(
    english: str | Mapping[str, str],
    german: str | Mapping[str, str],
    *,
    slots: str = "",
    weight: float = 1.0,
    **features: str,
) -> Rule:
    """A rule in the notation of this module.

    Args:
        english: the part without a name, or part names to templates.
        german: the same in German.
        slots: `"S=subject V=act/S.who"`: names with the categories that fill them, in the order of drawing.
        weight: odds among the rules of the category, over 0.
        **features: what other rules may look up.

    Raises:
        RuleError: if a template is not in the notation or names a slot that the rule does not have.
    """
    parts = {language: {"": side} if isinstance(side, str) else side for language, side in
             ((ENGLISH, english), (GERMAN, german))}  # fmt: skip
    templates = {lang: {name: template(text) for name, text in side.items()} for lang, side in parts.items()}
    filled = {}
    for slot in slots.split():
        name, equals, category = slot.partition("=")
        if not equals:
            raise RuleError(f"{slot!r} is no slot; write its name and its category, as in 'S=subject'")
        filled[name] = Reference(name, tuple(category.split("/")))
    return Rule(weight, templates, filled, features)


_TOKEN = re.compile(r"\{(\w+)(?:\.([^{}.]+(?:\.[^{}]+)?))?\}|[^{}\s]+")


def template(text: str) -> Template:
    """The tokens of a template, which are divided by spaces.

    Raises:
        RuleError: if a token is neither a word nor a reference.
    """
    tokens: list[str | Reference] = []
    for token in text.split():
        match = _TOKEN.fullmatch(token)
        if not match:
            raise RuleError(f"{token!r} in {text!r} is neither a word nor a slot such as '{{S}}' or '{{V.finite}}'")
        tokens.append(Reference(match[1], tuple((match[2] or "").split("/"))) if match[1] else token)
    return tuple(tokens)


def look_up(table: Mapping[str, Value], name: str) -> tuple[str, Value]:
    """The longest beginning of a name that a table has, and what it has there.

    Raises:
        RuleError: if it has none.
    """
    found = name
    while found not in table:
        found, slash, _ = found.rpartition("/")
        if not slash:
            if "" in table:
                return "", table[""]
            near = get_close_matches(name, table) or sorted(table)[:3]
            raise RuleError(f"nothing is called {name!r}; there is {', '.join(map(repr, near))}")
    return found, table[found]


class Category(NamedTuple):
    """The rules that can fill a slot, their chances, and the context that they get."""

    rules: tuple[Rule, ...]
    chances: tuple[float, ...]
    context: str


class SynchronousGrammar:
    """Categories of rules that write two languages at once.

    Args:
        rules: category to the rules that fill it; the whole text is a `sentence`.
    """

    def __init__(self, rules: Mapping[str, tuple[Rule, ...]]) -> None:
        self.rules = dict(rules)
        self._categories: dict[str, Category] = {}

    def category(self, name: str) -> Category:
        """What a name finds.

        Raises:
            RuleError: if it finds no category, or one without rules.
        """
        if name not in self._categories:
            found, rules = look_up(self.rules, name)
            if not rules:
                raise RuleError(f"the category {found!r} has no rules")
            total = math.fsum(rule.weight for rule in rules)
            chances = tuple(rule.weight / total for rule in rules)
            self._categories[name] = Category(rules, chances, name[len(found) :].removeprefix("/"))
        return self._categories[name]


@dataclass(eq=False)
class Tree:
    """A slot that has been filled, with all below it.

    Attributes:
        rule: what fills it.
        context: what `*` stands for in the rule.
        children: the rule's own slots, filled.
    """

    rule: Rule
    context: str
    children: dict[str, Tree] = field(default_factory=dict)

    def feature(self, slot: str, name: str) -> str:
        """A feature of what fills a slot.

        Raises:
            RuleError: if it does not have the feature.
        """
        child = self.children[slot]
        if name not in child.rule.features:
            raise RuleError(f"what fills {slot!r} has no feature {name!r}; it has {sorted(child.rule.features)}")
        value = child.rule.features[name]
        return child.feature(*value.split(".")) if "." in value else value

    def write(self, language: str, part: str, words: list[str], writers: list[Tree]) -> None:
        """Append the words of a part, and for each word the node whose rule has it."""
        parts = self.rule.parts[language]
        for token in parts[part] if part in parts else look_up(parts, part)[1]:
            if isinstance(token, str):
                words.append(token)
                writers.append(self)
            else:
                name = token.name(self.feature, self.context)
                self.children[token.slot].write(language, name, words, writers)


def words(text: str) -> list[str]:
    """The words of a text, its full stop and commas each a word of its own; the inverse of `sentence`."""
    return re.findall(r"[.,]|[^\s.,]+", text)


def sentence(words: list[str]) -> str:
    """Words as a text: a capital in front, and no space before a mark."""
    text = " ".join(words).replace(" .", ".").replace(" ,", ",")
    return text[:1].upper() + text[1:]
