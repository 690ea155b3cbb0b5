"""What a word of the village is: its kind, its forms, and the words it is related to."""

from __future__ import annotations

from collections.abc import Mapping

PRONOUNS: dict[str, dict[str, str]] = {
    "m": {"he": "he", "He": "He", "him": "him", "his": "his", "His": "His", "himself": "himself"},
    "f": {"he": "she", "He": "She", "him": "her", "his": "her", "His": "Her", "himself": "herself"},
    "n": {"he": "it", "He": "It", "him": "it", "his": "its", "His": "Its", "himself": "itself", "it": "it", "It": "It"},
}
"""Gender, then the masculine pronoun that names the form, to the word."""


class Item:
    """One word (or fixed phrase) that a story can be about. Items are unique: compare them by identity.

    Args:
        text: the plain form, such as `"ball"`, `"Mia"` or `"garden"`.
        kind: what it is, such as `"thing"`, `"person"` or `"place"`; questions offer choices of one kind.
        gender: `"m"`, `"f"` or `"n"` for what a pronoun can stand for, `""` for the rest.
        forms: further forms by name (`"a"`, `"plural"`, `"in"`, `"to"`...); `"a"` is found by rule unless given.
    """

    __slots__ = ("forms", "gender", "kind", "related", "text")

    def __init__(self, text: str, kind: str, gender: str = "", forms: Mapping[str, str] | None = None) -> None:
        self.text = text
        self.kind = kind
        self.gender = gender
        self.related: dict[str, Item] = {}
        article, name = with_article(text), f"the {text}" if gender == "n" else text
        self.forms = {"": text, "a": article, "A": _capital(article), "Cap": _capital(text), "name": name}
        self.forms.update(forms or {})
        self.forms |= {form.capitalize(): _capital(self.forms[form]) for form in ("in", "to") if form in self.forms}
        name = self.forms["name"]
        self.forms |= {"Name": _capital(name), "name's": f"{name}'s", "Name's": f"{_capital(name)}'s"}

    def __repr__(self) -> str:
        return f"Item({self.text!r}, {self.kind!r})"


def items(kind: str, words: str, gender: str = "") -> tuple[Item, ...]:
    """Items of one kind from words in a row; an underscore stands for a space."""
    return tuple(Item(word.replace("_", " "), kind, gender) for word in words.split())


def people(gender: str, names: str) -> tuple[Item, ...]:
    """People of one gender from their names in a row."""
    return items("person", names, gender)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def with_article(text: str) -> str:
    """`text` after the right one of "a" and "an"."""
    vowel_sound = text[0].lower() in "aeiou" and not text.startswith(("uni", "use", "one"))
    silent_h = text.startswith(("hour", "honest"))
    return f"an {text}" if vowel_sound or silent_h else f"a {text}"
