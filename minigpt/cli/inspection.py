"""Showing the tokens of a text to a person."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from minigpt.tokenizers import Tokenizer

_RESET = "\x1b[0m"
# Black on light backgrounds of the 256-colour palette, readable whatever the colours of the terminal are.
_COLORS = tuple(f"\x1b[38;5;16;48;5;{background}m" for background in (153, 222, 157, 218, 189))
_SIGNS = {" ": "·", "\n": "⏎", "\t": "→", "\r": "␍"}


def wants_color(stream: TextIO, choice: str = "auto") -> bool:
    """Whether to colour what goes to a stream: as chosen, or if it is a terminal and NO_COLOR is not set."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def visible(token: bytes) -> str:
    r"""A token as text in which everything can be seen: `·` for a space, `⏎` for a line end, `\xe2` for a bare byte.

    Characters that would move the cursor, change the terminal or leave no mark are written as escapes.
    """
    return "".join(map(_sign, token.decode("utf-8", "backslashreplace")))


def _sign(char: str) -> str:
    if char in _SIGNS:
        return _SIGNS[char]
    if unicodedata.category(char)[0] in "CZ":
        return char.encode("unicode_escape").decode("ascii")
    return f"◌{char}" if unicodedata.combining(char) else char


def running_text(tokens: Sequence[bytes], color: bool) -> str:
    """Tokens one behind another, each in its colour, or with `|` between them; a new line behind each line end."""
    parts: list[str] = []
    for i, token in enumerate(tokens):
        parts.append(f"{_COLORS[i % len(_COLORS)]}{visible(token)}{_RESET}" if color else visible(token))
        ends_line = token.endswith(b"\n")
        parts.append("\n" if ends_line else "" if color or i == len(tokens) - 1 else "|")
    return "".join(parts).removesuffix("\n")


def table(ids: Sequence[int], tokens: Sequence[bytes]) -> Iterator[str]:
    """One line for each token: its place, its id, its bytes in hexadecimal, and its text."""
    rows = [("place", "id", "bytes", "text")]
    rows += [
        (str(i), str(token_id), token.hex(" ") or "-", visible(token))
        for i, (token_id, token) in enumerate(zip(ids, tokens, strict=True))
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for place, token_id, data, text in rows:
        yield f"{place:>{widths[0]}}  {token_id:>{widths[1]}}  {data:<{widths[2]}}  {text}".rstrip()


def statistics(tokenizer: Tokenizer, text: str, ids: Sequence[int]) -> str:
    """Length in characters, bytes and tokens, bytes per token, distinct tokens, and what was not known."""
    n_bytes = len(text.encode("utf-8"))
    parts = [f"{len(text):,} characters", f"{n_bytes:,} bytes", f"{len(ids):,} tokens"]
    if ids:
        parts += [f"{n_bytes / len(ids):.2f} bytes per token", f"{len(set(ids)):,} distinct tokens"]
    unk_id = getattr(tokenizer, "unk_id", None)
    if unk_id is not None and unk_id in ids:
        parts.append(f"{ids.count(unk_id):,} unknown")
    return ", ".join(parts)
