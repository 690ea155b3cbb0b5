"""What a person types: values, converted or refused with a word on what is expected, and options named as typed."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable, Collection

LARGEST_SEED = 999_999_999
"""Of what is trained or written: so no run trains on the stories that models are measured on (their seeds begin at
`minigpt.evaluation.SEED`), and every generator of random numbers takes it."""


def count(text: str) -> int:
    """An integer from 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 0")
    return int(text)


def seed(text: str) -> int:
    """An integer from 0 to `LARGEST_SEED`."""
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_SEED):
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 0 to {LARGEST_SEED}")
    return int(text)


def count_from_one(text: str) -> int:
    """An integer from 1."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 1")
    return int(text)


def positive(text: str) -> float:
    """A number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def from_zero(text: str) -> float:
    """A finite number, 0 or more."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return value


def between(low: float | int, high: float | int) -> Callable[[str], float]:
    """A converter to numbers from `low` to `high`."""

    def convert(text: str) -> float:
        value = _number(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return convert


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def one_line(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fspath(error.filename)!r}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def as_typed(message: str, names: Collection[str]) -> str:
    """A message of the package with options as they are typed: `--vocab-size 300` in place of `vocab_size=300`.

    Args:
        message: what a function of the package says; it names arguments as Python does.
        names: of the command's options, with underscores.
    """
    if not names:
        return message
    name = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    message = re.sub(rf"\bset ({name}) to '", lambda found: f"give {_option(found[1])} '", message)
    return re.sub(
        rf"(?<![\w'\"./-])({name})=(?:'([^']*)'|([^\s,;:()]*[^\s,;:().]))",
        lambda found: f"{_option(found[1])} {found[2] or found[3]}",
        message,
    )


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
