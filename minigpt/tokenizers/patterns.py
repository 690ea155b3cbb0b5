r"""The patterns that cut a text into pieces before byte-pair encoding, so that no token reaches across a word's end.

Two other cuts save time and memory, and give the same pieces as the pattern on the whole text:

- A *unit* is a run of white space, the other characters behind it, and the word behind these, as in ` (name`. Units are
  found by a simpler expression than pieces, there are fewer of them, and most come again: so each distinct unit is cut
  into pieces once. A unit may end behind an ASCII letter or digit, before an ASCII character that is neither: matches
  of letters and of digits go no further, and nothing looks ahead there. It may end before white space: no match goes
  on into it, but for one of cl100k, in which punctuation takes line ends along; these then belong to the unit. Which
  characters beyond ASCII are letters or punctuation is for the pattern to say, so there a unit goes on.
- A *slice* ends behind a letter, before a character that is no letter. It serves to cut a stream, whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import regex

from minigpt.tokenizers.base import TokenizerError

# White space as Unicode and the engines of these patterns define it. In Python's `re`, \s has U+001C to U+001F as well.
_W = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACE, _WORD, _OTHER, _BEYOND = f"[{_W}]", "[A-Za-z0-9]", f"[^{_W}A-Za-z0-9]", f"[^\\x00-\\x7f{_W}]"
_SLICE_LENGTH = 1 << 16

Cutter = Callable[[str], list[str]]


@dataclass(frozen=True)
class Pattern:
    """A way to cut text into pieces. Text between two matches is a piece too: joined, the pieces give the text."""

    name: str
    """`"gpt2"`, `"cl100k"`, or the expression itself where it has no name."""
    expression: str
    """In the syntax of the module `regex`, as tiktoken writes it."""
    portable: str
    """The same without possessive quantifiers and `$`, which engines read differently."""
    ascii: str | None = None
    """The same for ASCII text, in the syntax of `re`, which is faster; `None` if not known."""
    unit: str | None = None
    """What matches a unit, in the syntax of `re`; `None` if it is not known where a text may be cut."""
    ascii_unit: str | None = None
    """The same for ASCII text; it may also match nothing at the end."""
    line_ends: bool = False
    """Whether line ends behind punctuation belong to its unit."""

    def units(self, text: str) -> list[str]:
        """The units of a text in order; its pieces, where the pattern has no units."""
        return self._find_ascii_units(text) if text.isascii() else self._find_units(text)

    def pieces(self, text: str) -> list[str]:
        """The pieces of a text in order."""
        return self._find_ascii(text) if text.isascii() else self._find(text)

    def safe_end(self, text: str) -> int:
        """The last place where `text` can be cut whatever follows it; 0 if there is none, or none is known."""
        match = _LAST_LETTER_END.search(text) if self.unit else None
        return match.end() if match else 0

    def slices(self, text: str) -> Iterator[str]:
        """A long text in parts that give the same pieces; the whole text where nothing is known to be safe."""
        start = 0
        while self.unit and len(text) - start > _SLICE_LENGTH:
            match = _LETTER_END.search(text, start + _SLICE_LENGTH)
            if match is None:
                break
            yield text[start : match.end()]
            start = match.end()
        yield text[start:] if start else text

    @cached_property
    def _find(self) -> Cutter:
        compiled = regex.compile(self.expression)
        if self.unit:
            return compiled.findall

        def find(text: str) -> list[str]:
            pieces: list[str] = []
            end = 0
            for match in compiled.finditer(text):
                pieces += (text[end : match.start()], match.group())
                end = match.end()
            pieces.append(text[end:])
            return [piece for piece in pieces if piece]

        return find

    @cached_property
    def _find_ascii_units(self) -> Cutter:
        return re.compile(self.ascii_unit).findall if self.ascii_unit else self.pieces

    @cached_property
    def _find_units(self) -> Cutter:
        return re.compile(self.unit).findall if self.unit else self.pieces

    @cached_property
    def _find_ascii(self) -> Cutter:
        return re.compile(self.ascii).findall if self.ascii else self._find


_LETTER_END = regex.compile(r"\p{L}(?=\P{L})")
_LAST_LETTER_END = regex.compile(r"(?r)\p{L}(?=\P{L})")

GPT2 = Pattern(
    name="gpt2",
    expression=r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    portable=r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    ascii=(
        r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]++| ?[0-9]++| ?[^\t-\r A-Za-z0-9]++"
        r"|[\t-\r ]++\Z|[\t-\r ]+(?![^\t-\r ])|[\t-\r ]"
    ),
    unit=f"{_SPACE}*+(?:{_OTHER}*+{_WORD}++|{_OTHER}++)(?:{_BEYOND}{_OTHER}*+{_WORD}*+)*+|{_SPACE}++",
    ascii_unit=r"[\t-\r ]*+[^\t-\r A-Za-z0-9]*+[A-Za-z0-9]*+",
)
"""The pattern of GPT-2 and GPT-3 (Radford et al., 2019), as r50k_base writes it."""

CL100K = Pattern(
    name="cl100k",
    expression=(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    portable=(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s+(?![\s\S])|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    ascii=(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\nA-Za-z0-9]?+[A-Za-z]++|[0-9]{1,3}+| ?[^\t-\r A-Za-z0-9]++[\r\n]*+"
        r"|[\t-\r ]++\Z|[\t-\r ]*[\r\n]|[\t-\r ]+(?![^\t-\r ])|[\t-\r ]"
    ),
    unit=(
        f"{_SPACE}*+(?:{_OTHER}*+{_WORD}++|{_OTHER}++)"
        f"(?:(?:{_BEYOND}|(?<=[^\\x00-\\x7f])(?=[\\r\\n]){_SPACE}++){_OTHER}*+{_WORD}*+)*+"
        f"(?:(?<=[^{_W}A-Za-z0-9\\x80-\\U0010ffff])[\\r\\n]++)?+"
        f"|{_SPACE}++"
    ),
    ascii_unit=r"[\t-\r ]*+[^\t-\r A-Za-z0-9]*+(?:[A-Za-z0-9]++|(?:(?<=[^\t-\r ])[\r\n]++)?+)",
    line_ends=True,
)
"""The pattern of GPT-3.5 and GPT-4, as cl100k_base writes it."""

PATTERNS = {pattern.name: pattern for pattern in (GPT2, CL100K)}


def pattern_of(pattern: str) -> Pattern:
    """The pattern of a name, or of a regular expression in the syntax of `regex`.

    Raises:
        TokenizerError: if it is neither.
    """
    if not isinstance(pattern, str):
        raise TokenizerError(f"pattern={pattern!r} is no str; give 'gpt2', 'cl100k' or a regular expression")
    for known in PATTERNS.values():
        if pattern in (known.name, known.expression, known.portable):
            return known
    try:
        regex.compile(pattern)
    except regex.error as error:
        raise TokenizerError(
            f"pattern={pattern!r} is neither of {sorted(PATTERNS)} nor a regular expression: {error}"
        ) from error
    return Pattern(name=pattern, expression=pattern, portable=pattern)
