"""The student edition of each chapter: what a student runs in Colab, in JupyterLab or in class.

    python tools/student.py --write   # write student/NN-name.ipynb from notebooks/NN-name.ipynb
    python tools/student.py --check   # is every student edition that of its chapter?

It holds the chapter's text in plain Markdown, its code without outputs, and its exercises with a blank to fill in and
the visible checks. Solutions and hidden tests stay out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chapter import ROOT, Cell, Chapter, ChapterError, blank, code, dumps, figure, markdown, read_chapters, visible
from plain_markdown import PlainMarkdown, PlainMarkdownError
from references import Book, Target, read_book

ABOUT = """\
> **Student edition.** Run the cells from top to bottom. Below each exercise are a cell for your answer and one that \
checks it. The solutions are on this chapter's page in the book."""


def student_cells(chapter: Chapter, book: Book) -> list[Cell]:
    """The cells of a chapter's student edition.

    Raises:
        PlainMarkdownError: if a text holds something that plain Markdown cannot say.
    """
    plain = PlainMarkdown(book, chapter.name)
    prompts = {exercise.position: exercise for exercise in chapter.exercises}
    cells: list[Cell] = []
    for position, cell in enumerate(chapter.cells):
        identifier, source = cell["id"], cell["source"]
        if exercise := prompts.get(position):
            heading = exercise_heading(book.targets[exercise.label])
            cells.append(markdown(identifier, f"### {heading}\n\n{plain(exercise.prompt, identifier)}"))
        elif cell["cell_type"] == "code":
            cells += _code(cell, book, plain)
        elif not source.startswith("```{solution-"):
            text = plain(source, identifier)
            cells.append(markdown(identifier, text if cells else f"{text}\n\n{ABOUT}"))
    if plain.cited:
        cells.append(markdown("references", plain.bibliography()))
    return cells


def exercise_heading(target: Target) -> str:
    """What an exercise is called outside the page: its number and its title."""
    return f"{target.numbered}: {target.text}"


def _code(cell: Cell, book: Book, plain: PlainMarkdown) -> list[Cell]:
    """A code cell as a student gets it, with the caption of its figure in a cell below it."""
    source, metadata = cell["source"], cell["metadata"]
    tags, grading = metadata.get("tags", []), metadata.get("nbgrader", {})
    if grading.get("solution"):
        source = blank(source)
    elif grading.get("grade"):
        source = visible(source)
    kept = {}
    if "setup" in tags:
        kept["tags"] = ["setup"]
    if "hide-input" in tags:
        kept["jupyter"] = {"source_hidden": True}
    cells = [code(cell["id"], source, **kept)]
    if drawn := figure(cell):
        caption = plain(drawn["caption"], cell["id"])
        text = f"**{book.targets[drawn['name']].numbered}.** {caption}"
        cells.append(markdown(f"{cell['id'][:56]}-caption", text))
    return cells


def editions(root: Path = ROOT) -> dict[Path, str]:
    """What every student edition should hold, by its path."""
    chapters = read_chapters(root)
    book = read_book(root, chapters)
    return {root / "student" / f"{chapter.name}.ipynb": dumps(student_cells(chapter, book)) for chapter in chapters}


def stale(root: Path = ROOT) -> list[str]:
    """The student editions that are missing, differ from their chapters, or have none, with the reason."""
    wanted = editions(root)
    problems = []
    for path, text in wanted.items():
        if not path.is_file():
            problems.append(f"student/{path.name} is missing")
        elif path.read_text(encoding="utf-8") != text:
            problems.append(f"student/{path.name} is not that of notebooks/{path.name}")
    left = sorted(set(root.glob("student/*.ipynb")) - set(wanted))
    return problems + [f"student/{path.name} has no chapter" for path in left]


def write(root: Path = ROOT) -> list[str]:
    """Write every student edition and remove those without a chapter.

    Returns:
        The names of the files that changed.
    """
    wanted, changed = editions(root), []
    (root / "student").mkdir(exist_ok=True)
    for path, text in wanted.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="")
            changed.append(path.name)
    for path in set(root.glob("student/*.ipynb")) - set(wanted):
        path.unlink()
        changed.append(path.name)
    return sorted(changed)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true", help="write student/ from notebooks/")
    choice.add_argument("--check", action="store_true", help="exit 1 if a student edition is stale")
    args = parser.parse_args(arguments)
    try:
        if args.write:
            changed = write(args.root)
            print(f"student editions: {len(changed)} files changed", *changed, sep="\n  ")
            return 0
        problems = stale(args.root)
    except (ChapterError, PlainMarkdownError) as error:
        print(f"student: {error}", file=sys.stderr)
        return 2
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print("run `python tools/student.py --write`", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
