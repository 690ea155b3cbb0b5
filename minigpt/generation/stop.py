"""Stop strings: texts whose appearance ends what is written, wherever the tokens begin and end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Match(NamedTuple):
    """Where a stop string stands.

    Attributes:
        start: its first character.
        end: the place behind its last.
    """

    start: int
    end: int


@dataclass(frozen=True)
class StopStrings:
    """Finds the first stop string in a text that grows.

    First is the one that is complete first when the text is read character by character; of two that are complete at
    the same character, the longer one. So the answer does not depend on how the text is cut into tokens.

    Args:
        strings: the stop strings; none of them empty.

    Raises:
        ValueError: if one is empty.
    """

    strings: tuple[str, ...] = ()

    def __init__(self, strings: Iterable[str] = ()) -> None:
        strings = (strings,) if isinstance(strings, str) else tuple(strings)
        if "" in strings:
            raise ValueError(f"the stop strings {strings} hold an empty one, which would end every text at its start")
        object.__setattr__(self, "strings", strings)

    def find(self, text: str) -> Match | None:
        """The first stop string in a text."""
        starts = ((text.find(string), string) for string in self.strings)
        found = [Match(start, start + len(string)) for start, string in starts if start >= 0]
        return min(found, key=lambda match: (match.end, match.start), default=None)

    def held(self, text: str) -> int:
        """How many characters at the end of a text may be the beginning of a stop string.

        Args:
            text: one in which no stop string was found.
        """
        lengths = (
            length
            for string in self.strings
            for length in range(1, min(len(string), len(text) + 1))
            if text.endswith(string[:length])
        )
        return max(lengths, default=0)
