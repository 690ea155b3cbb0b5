"""How a chapter's notebook becomes a page: what is folded away, what is left out, where the claims are marked.

The notebook is changed as Sphinx reads it, before its Markdown is parsed; the file stays as it is.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sphinx.application import Sphinx

MARKER = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n?", re.M)
HEADING = re.compile(r"(?:\([^)\n]*\)=\n)?#+ .*\n+")
SHADES = re.compile(r"\b(?:imshow|matshow|pcolor\w*|contourf)\(|\bcmap=")
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS[ \t]*\n.*?^[ \t]*### END HIDDEN TESTS[ \t]*(?:\n|\Z)", re.M | re.S)


def without_grading(source: str) -> str:
    """The code of an exercise as a reader may see it: with the solution, without its markers and the hidden tests."""
    return MARKER.sub("", HIDDEN.sub("", source)).strip("\n")


def fold(cell: dict[str, Any], prompt: str) -> None:
    """Fold the code of a cell under a line that says what it is."""
    tags = cell["metadata"].setdefault("tags", [])
    if "hide-input" not in tags:
        tags.append("hide-input")
    cell["metadata"].setdefault("mystnb", {}).update(
        code_prompt_show=f"Show {prompt}", code_prompt_hide=f"Hide {prompt}"
    )


def mark_shades(cell: dict[str, Any]) -> None:
    """Give a figure that speaks in shades a class, so that its dark and light are not exchanged on a dark page."""
    settings = cell["metadata"].get("mystnb", {})
    if "figure" in settings and SHADES.search(cell["source"]):
        settings.setdefault("image", {})["classes"] = "shades"


def claims_of(cell: dict[str, Any]) -> list[str]:
    """The rows of the ledger that a cell settles, from its tags."""
    return [tag.removeprefix("claim:") for tag in cell["metadata"].get("tags", []) if tag.startswith("claim:")]


def with_marks(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """The cell, and before it the margin marks of its claims; if it begins with a heading, they follow the heading."""
    marks = "".join(f":::{{claim}} {claim}\n:::\n\n" for claim in claims_of(cell))
    if not marks:
        return [cell]
    heading = HEADING.match(cell["source"]) if cell["cell_type"] == "markdown" else None
    if heading:
        return [{**cell, "source": heading[0] + marks + cell["source"].removeprefix(heading[0])}]
    return [{"cell_type": "markdown", "id": f"claims-{cell['id']}"[:64], "metadata": {}, "source": marks}, cell]


def page(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook that the page is made from."""
    cells = []
    for cell in notebook["cells"]:
        source = cell["source"]
        cell["source"] = source if isinstance(source, str) else "".join(source)
        mark_shades(cell)
        tags = cell["metadata"].get("tags", [])
        if "nbgrader" in cell["metadata"]:
            cell["source"] = without_grading(cell["source"])
            tags = cell["metadata"].setdefault("tags", [])
            if cell["metadata"]["nbgrader"].get("grade"):
                tags.append("check")
                fold(cell, "the check")
            else:
                tags.append("solution")
        elif "setup" in tags:
            fold(cell, "the set-up of this notebook")
        elif "hide-input" in tags:
            fold(cell, "the code of this figure" if "mystnb" in cell["metadata"] else "the code")
        cells += with_marks(cell)
    return {**notebook, "cells": cells}


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Change a notebook as it is read."""
    if str(app.env.doc2path(docname)).endswith(".ipynb"):
        source[0] = json.dumps(page(json.loads(source[0])))


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("source-read", read)
