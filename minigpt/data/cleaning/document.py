"""What goes through a cleaning pipeline, and what a stage says to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Document(NamedTuple):
    """A page on its way through the pipeline.

    Attributes:
        url: where it was found.
        text: what is left of its text.
        number: what it is called in reports; a pipeline gives each document its place, from 0.
    """

    url: str
    text: str
    number: int = -1


class Rejection(NamedTuple):
    """Why a stage throws a document out.

    Attributes:
        reason: the rule that it breaks, one of a few: reports count by it.
        detail: what broke it, for the person who looks at this document.
    """

    reason: str
    detail: str = ""


Stage = Callable[[Document], Document | Rejection]
"""A stage takes a document and returns it, with another text perhaps, or says why not."""
