"""A chapter, read from its notebook: its cells, its exercises, and what of an exercise a student may see."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guard import EXERCISE, HIDDEN_TESTS, METADATA, SOLUTION

ROOT = Path(__file__).resolve().parent.parent
STUB = "...  # your answer here"
END_OF_EXERCISE = "```{exercise-end}\n```"

Cell = dict[str, Any]


class ChapterError(ValueError):
    """A notebook that is not in the form of a chapter; says which cell, and what to do."""


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter.

    Attributes:
        label: such as `ex-machines-softmax`; the grade id of its solution, and with `-check` of its check.
        title: what the page calls it.
        prompt: the text between its start and its end, in MyST Markdown.
        position: the index of the cell that holds the prompt.
        solution: the code cell with the solution; None for an open exercise, which nobody grades.
        check: the code cell with the visible and the hidden tests; None for an open exercise.
    """

    label: str
    title: str
    prompt: str
    position: int
    solution: Cell | None = None
    check: Cell | None = None

    @property
    def points(self) -> int:
        """What full marks are worth; zero for an open exercise."""
        return self.check["metadata"]["nbgrader"]["points"] if self.check else 0


@dataclass(frozen=True)
class Chapter:
    """One chapter, with the source of every cell as one string.

    Attributes:
        name: the file's name without its ending, such as `02-tokenizers`.
        title: its first heading.
        cells: all of its cells, as the notebook format has them.
        exercises: in the order of the page.
    """

    name: str
    title: str
    cells: list[Cell]
    exercises: list[Exercise]

    @property
    def number(self) -> int:
        """The chapter's number in the book."""
        return int(self.name[:2])

    @property
    def setup(self) -> Cell:
        """The cell that makes the package importable and sets the cohort."""
        return next(cell for cell in self.cells if "setup" in cell["metadata"].get("tags", []))

    @property
    def graded(self) -> list[Exercise]:
        """The exercises that have a check."""
        return [exercise for exercise in self.exercises if exercise.check]


def chapter_paths(root: Path = ROOT) -> list[Path]:
    """The notebooks of all chapters, in order."""
    return sorted(root.glob("notebooks/[0-9][0-9]-*.ipynb"))


def read_chapter(path: Path) -> Chapter:
    """Read a chapter.

    Raises:
        ChapterError: if the notebook has no title, no set-up cell, or an exercise without one of its cells.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        cell["source"] = "".join(cell["source"])
    title = re.search(r"^# (.+)$", cells[0]["source"], re.M) if cells and cells[0]["cell_type"] == "markdown" else None
    if title is None:
        raise ChapterError(f"{path.name} has no title; its first cell begins with a label and `# Title`")
    if not any("setup" in cell["metadata"].get("tags", []) for cell in cells):
        raise ChapterError(
            f"{path.name} has no set-up cell; its second cell is that of `tools/publish.py --setup-cell`"
        )
    exercises = [
        _read_exercise(cells, position, path.name)
        for position, cell in enumerate(cells)
        if cell["cell_type"] == "markdown" and "{exercise-start}" in cell["source"]
    ]
    return Chapter(path.stem, title[1].strip(), cells, exercises)


def read_chapters(root: Path = ROOT) -> list[Chapter]:
    """Read every chapter of the book, in order."""
    return [read_chapter(path) for path in chapter_paths(root)]


def _read_exercise(cells: list[Cell], position: int, name: str) -> Exercise:
    text = cells[position]["source"].strip()
    found = EXERCISE.match(text)
    if not found or not text.endswith(END_OF_EXERCISE):
        raise ChapterError(
            f"{name}, cell {cells[position]['id']!r}: an exercise is one cell that begins with exercise-start, a title "
            "and a label, and ends with exercise-end"
        )
    label, prompt = found["label"], text[found.end() : -len(END_OF_EXERCISE)].strip()
    parts = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell for cell in cells[position : position + 5]}
    solution, check = parts.get(label), parts.get(f"{label}-check")
    if (solution is None) != (check is None):
        raise ChapterError(
            f"{name}: {label} has only one of solution and check; its five cells are prompt, solution-start, solution, "
            "solution-end, check"
        )
    return Exercise(label, found["title"].strip(), prompt, position, solution, check)


def blank(source: str) -> str:
    """The code of a solution cell with the solution taken out: imports, signature and docstring stay."""

    def stub(found: re.Match[str]) -> str:
        return re.match(r"[ \t]*", found[0])[0] + STUB + "\n"

    return SOLUTION.sub(stub, source).rstrip("\n")


def visible(source: str) -> str:
    """The code of a check without its hidden tests."""
    return HIDDEN_TESTS.sub("", source).strip("\n")


def hidden(source: str) -> str:
    """The hidden tests of a check, without their markers."""
    return "\n".join("\n".join(found[0].splitlines()[1:-1]) for found in HIDDEN_TESTS.finditer(source))


def figure(cell: Cell) -> dict[str, str] | None:
    """Name and caption of the figure that a cell has drawn; None if it has drawn none, as where results are missing."""
    pictures = [mime for output in cell.get("outputs", []) for mime in output.get("data", {}) if mime[:6] == "image/"]
    return cell["metadata"].get("mystnb", {}).get("figure") if pictures else None


def dumps(cells: list[Cell]) -> str:
    """A notebook without outputs, as text: the one way in which all of them are written."""
    notebook = {"cells": [_fresh(cell) for cell in cells], "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _fresh(cell: Cell) -> Cell:
    result = {key: cell[key] for key in ("cell_type", "id", "metadata")}
    result["source"] = cell["source"].splitlines(keepends=True)
    if cell["cell_type"] == "code":
        result |= {"execution_count": None, "outputs": []}
    return result


def markdown(identifier: str, text: str, **metadata: Any) -> Cell:
    """A new Markdown cell."""
    return {"cell_type": "markdown", "id": identifier, "metadata": metadata, "source": text}


def code(identifier: str, text: str, **metadata: Any) -> Cell:
    """A new code cell."""
    return {"cell_type": "code", "id": identifier, "metadata": metadata, "source": text}
