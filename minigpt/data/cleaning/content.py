"""What a page should not say: words of a list, and what belongs to a person.

C4 throws out every page with a word of a public list. That is crude: a list knows words, not what is meant, and
Dodge et al. (2021) found that it throws out more of what minorities write about themselves. Personal data is masked
rather than thrown out, so that the page keeps its text and loses only the address or number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from minigpt.data.cleaning.document import Document, Rejection

MASKS = {"e-mail": "[e-mail]", "phone": "[phone]", "address of a machine": "[address]"}
"""What takes the place of each kind of personal data."""
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PHONE = re.compile(r"(?<![\w.])(?:\+|00)\d{1,3}(?:[ ./()-]{1,2}\d{2,5}){2,5}(?!\w)")
_IP = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]*\w)")


class WordFilter:
    """A stage that throws out documents that hold a word of a list, as a whole word, in capitals or not.

    Args:
        words: the list; an entry may be several words.

    Raises:
        ValueError: if the list is empty.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(sorted({word.lower() for word in words}))
        if not self.words:
            raise ValueError("the list of words is empty; leave out the stage instead")
        self._found = re.compile(r"\b(?:" + "|".join(map(re.escape, self.words)) + r")\b")

    def __call__(self, document: Document) -> Document | Rejection:
        lower = document.text.lower()
        # Looking for a few plain strings is faster than one expression; a list of hundreds goes to the expression.
        if len(self.words) <= 20 and not any(word in lower for word in self.words):
            return document
        found = self._found.search(lower)
        return Rejection("word of the list", found[0]) if found else document


def mask_personal(document: Document) -> Document:
    """A stage: put a mask in the place of e-mail addresses, telephone numbers and addresses of machines.

    Telephone numbers are found in the international form alone (`+44 ...` or `0044 ...`); others look like any number.
    """
    text = document.text
    if "@" in text:
        text = _EMAIL.sub(MASKS["e-mail"], text)
    if "+" in text or "00" in text:
        text = _PHONE.sub(MASKS["phone"], text)
    if text.count(".") >= 3:
        text = _IP.sub(MASKS["address of a machine"], text)
    return document if text == document.text else document._replace(text=text)
