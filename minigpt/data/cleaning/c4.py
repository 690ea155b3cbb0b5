"""The rules of C4, one by one (Raffel et al., 2020, section 2.2), each of which can be switched off.

Most of them judge a line: lines that fail are left out, and the page stays if enough of it is left. Paper and released
code (`c4_utils.py` of TensorFlow Datasets) do not agree in everything:

- The paper as printed in the journal wants five sentences on a page and three words on a line; the code wants three and
  five, as does a later version of the paper.
- The code also leaves out lines with a word of more than 1,000 characters, and lines that end in an ellipsis.
- The paper leaves out every span of three sentences that has been seen before (`RepeatedSpans`); the code leaves out
  every line that has been seen before.

A line is what stands between two line ends. Ours keeps the empty lines between those that stay, so that paragraphs
remain paragraphs; the code leaves them out. English only and bad words, which are rules of C4 too, are stages of their
own (`language`, `content`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from minigpt.data.cleaning.document import Document, Rejection
from minigpt.data.cleaning.hashing import text_hash

_POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_POLICY_WORDS = ("cookie", "privacy policy", "terms of use")
_ENDS = (".", "!", "?", '"', "”", "»")
_ELLIPSES = ("...", "…")
_SENTENCE_END = re.compile(r'[.!?]["”»\')]*(?:\s+|$)')
_LONGEST_WORD = 1000


@dataclass(frozen=True)
class C4Rules:
    """Which rules hold, and from where on.

    Attributes:
        min_sentences: sentences that a page needs when its lines have been judged; 0 for none.
        min_words: words that a line needs; 0 for none.
        closing_punctuation: a line must end in a full stop, an exclamation or question mark, or a quotation mark.
        no_ellipsis: a line must not end in three dots.
        no_long_words: a line must not hold a word of more than 1,000 characters.
        no_javascript: a line must not speak of JavaScript.
        no_policies: a line must not speak of terms of use, privacy policies or cookies, in one of six phrases.
        no_lorem_ipsum: the page must not hold "lorem ipsum".
        no_curly_brackets: the page must not hold a curly bracket: most programming languages do, prose does not.
    """

    min_sentences: int = 5
    min_words: int = 3
    closing_punctuation: bool = True
    no_ellipsis: bool = True
    no_long_words: bool = True
    no_javascript: bool = True
    no_policies: bool = True
    no_lorem_ipsum: bool = True
    no_curly_brackets: bool = True


PAPER = C4Rules(min_sentences=5, min_words=3)
"""As the paper says."""
RELEASED = C4Rules(min_sentences=3, min_words=5)
"""As the released code does."""
NO_RULES = C4Rules(0, 0, False, False, False, False, False, False, False)
"""Nothing is left out: to switch on single rules with `dataclasses.replace`."""


def line_fault(line: str, rules: C4Rules = PAPER) -> str | None:
    """The first rule that a line breaks; `None` if it may stay.

    Args:
        line: a line without white space at its ends, not empty.
        rules: which rules hold.
    """
    if rules.closing_punctuation and not line.endswith(_ENDS):
        return "no closing punctuation"
    if rules.no_ellipsis and line.endswith(_ELLIPSES):
        return "ellipsis"
    if rules.min_words and len(line.split(None, rules.min_words - 1)) < rules.min_words:
        return "too few words"
    if rules.no_long_words and len(line) > _LONGEST_WORD and max(map(len, line.split())) > _LONGEST_WORD:
        return "long word"
    if rules.no_javascript or rules.no_policies:
        lower = line.lower()
        if rules.no_javascript and "javascript" in lower:
            return "javascript"
        if rules.no_policies and any(word in lower for word in _POLICY_WORDS) and any(p in lower for p in _POLICIES):
            return "policy"
    return None


def page_fault(text: str, rules: C4Rules = PAPER) -> str | None:
    """The first rule that a whole page breaks, whatever its lines; `None` if it may stay."""
    if rules.no_curly_brackets and ("{" in text or "}" in text):
        return "curly bracket"
    if rules.no_lorem_ipsum and "lorem ipsum" in text.lower():
        return "lorem ipsum"
    return None


def count_sentences(text: str) -> int:
    """Number of sentences: closing punctuation, perhaps with quotation marks, before white space or at the end."""
    return len(_SENTENCE_END.findall(text))


def c4(document: Document, rules: C4Rules = PAPER) -> Document | Rejection:
    """A stage: leave out the lines that break a rule, then judge what is left.

    Args:
        document: the document.
        rules: which rules hold.
    """
    fault = page_fault(document.text, rules)
    if fault:
        return Rejection(fault)
    kept: list[str] = []
    for line in document.text.split("\n"):
        stripped = line.strip()
        if stripped and line_fault(stripped, rules) is None:
            kept.append(stripped)
        elif not stripped and kept and kept[-1]:
            kept.append("")
    text = "\n".join(kept).rstrip("\n")
    if not text:
        return Rejection("no line left")
    if rules.min_sentences and count_sentences(text) < rules.min_sentences:
        return Rejection("too few sentences", f"{count_sentences(text)} of {rules.min_sentences}")
    return document if text == document.text else document._replace(text=text)


class RepeatedSpans:
    """A stage that leaves out each span of sentences that has been seen before, in this document or another.

    It keeps 8 bytes of each span that has passed, and Python's set some 60 more.

    Args:
        length: sentences of a span; the paper takes three.
        min_sentences: sentences that a page needs afterwards, if something was left out.

    Raises:
        ValueError: if `length` is below 1.
    """

    def __init__(self, length: int = 3, min_sentences: int = 5) -> None:
        if length < 1:
            raise ValueError(f"length={length} sentences make no span; use 1 or more (the paper takes 3)")
        self.length, self.min_sentences = length, min_sentences
        self._seen: set[int] = set()

    def __call__(self, document: Document) -> Document | Rejection:
        text = document.text
        ends = [match.end() for match in _SENTENCE_END.finditer(text)]
        if not ends or ends[-1] < len(text):
            ends.append(len(text))
        starts = [0, *ends[:-1]]
        repeated = [False] * len(ends)
        for i in range(len(ends) - self.length + 1):
            span = text_hash(text[starts[i] : ends[i + self.length - 1]].strip())
            if span in self._seen:
                repeated[i : i + self.length] = [True] * self.length
            else:
                self._seen.add(span)
        if not any(repeated):
            return document
        # White space behind a sentence goes with it, unless what follows would then stick to what stands before.
        left = "".join(text[a:b] for a, b, gone in zip(starts, ends, repeated, strict=True) if not gone).strip()
        if count_sentences(left) < self.min_sentences:
            return Rejection("repeated spans", f"{sum(repeated)} of {len(ends)} sentences")
        return document._replace(text=left)
