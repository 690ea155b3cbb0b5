"""An nbgrader course from the exercises of the chapters: what instructors release and grade.

    python tools/assignments.py                          # source, release and a zip for each chapter
    python tools/assignments.py --cohort 7               # with other numbers in the exercises
    python tools/assignments.py --private folder         # with an instructor's own tests and variants
    python tools/assignments.py --course folder          # in a course folder outside of the repository

The release is made by nbgrader, so that what students get and what grading restores come from one place. Every
reference solution is run against its check before anything is released.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

import publish
from answers import Attempt, try_answers
from chapter import ROOT, SOLUTION, Cell, Chapter, ChapterError, code, dumps, hidden, markdown, read_chapters, visible
from plain_markdown import PlainMarkdown, PlainMarkdownError
from references import Book, Target, read_book
from student import exercise_heading

COURSE_FILES = ("nbgrader_config.py", "grading.py", "README.md")
KEYS = ("title", "prompt", "solution", "check", "hidden", "points")
INSTRUCTIONS = """\
Write each answer in place of `...  # your answer here`, and leave the other cells as they are. The cell below an \
answer checks it; grading runs more checks of the same kind. Every exercise stands alone, so you can take them in any \
order. Hand in this file under the name that it has."""


class AssignmentError(ValueError):
    """Something that keeps the assignments from being built; says what, and what to do."""


@dataclass(frozen=True)
class Task:
    """One exercise as an instructor sets it: the chapter's own, or a variant of it.

    Attributes:
        label: the grade id of the solution.
        title: what it is called.
        prompt: the text, in Markdown.
        solution: code with the solution between its markers.
        check: the tests that students see.
        hidden: the tests that they do not see.
        points: for a correct answer.
    """

    label: str
    title: str
    prompt: str
    solution: str
    check: str
    hidden: str
    points: int


def tasks(chapter: Chapter) -> list[Task]:
    """The graded exercises of a chapter."""
    return [
        Task(
            label=exercise.label,
            title=exercise.title,
            prompt=exercise.prompt,
            solution=exercise.solution["source"],
            check=visible(exercise.check["source"]),
            hidden=hidden(exercise.check["source"]),
            points=exercise.points,
        )
        for exercise in chapter.graded
    ]


def read_private(folder: Path, labels: set[str]) -> dict[str, dict[str, Any]]:
    """What an instructor keeps out of the repository: for some exercises, other texts, tests or points.

    `<label>.py` holds other hidden tests. `<label>.yml` is a mapping with some of `title`, `prompt`, `solution`,
    `check`, `hidden`, `points`. Everything else in the folder is left alone.

    Raises:
        AssignmentError: if a file belongs to no exercise, or does not hold what it should.
    """
    if not folder.is_dir():
        raise AssignmentError(f"there is no folder {str(folder)!r} with private tests")
    found: dict[str, dict[str, Any]] = {}
    for path in sorted([*folder.glob("ex-*.py"), *folder.glob("ex-*.yml")]):
        if path.stem not in labels:
            raise AssignmentError(f"{path.name}: no exercise has this label; there are {', '.join(sorted(labels))}")
        text = path.read_text(encoding="utf-8")
        changes = {"hidden": text} if path.suffix == ".py" else _read_changes(path.name, text)
        twice = set(changes) & set(found.get(path.stem, {}))
        if twice:
            raise AssignmentError(f"{path.stem}: both its .py and its .yml file give {', '.join(twice)}; keep one")
        found.setdefault(path.stem, {}).update(changes)
    return found


def _read_changes(name: str, text: str) -> dict[str, Any]:
    changes = yaml.safe_load(text)
    if not isinstance(changes, dict) or not changes or not set(changes) <= set(KEYS):
        raise AssignmentError(f"{name} must be a mapping with some of the keys {', '.join(KEYS)}")
    for key, value in changes.items():
        if not isinstance(value, int if key == "points" else str):
            raise AssignmentError(f"{name}: {key} is {value!r}; expected {'a number' if key == 'points' else 'a text'}")
    if "solution" in changes and not SOLUTION.search(changes["solution"]):
        raise AssignmentError(f"{name}: the solution must stand between ### BEGIN SOLUTION and ### END SOLUTION")
    return changes


def check_cell(task: Task, cohort: int) -> str:
    """The code that grades an answer; it knows the cohort even if a student changed it."""
    lines = [task.check.strip("\n"), "### BEGIN HIDDEN TESTS", task.hidden.strip("\n"), "### END HIDDEN TESTS"]
    if "cohort" in task.check + task.hidden:
        lines.insert(0, f"cohort = {cohort}")
    return "\n".join(lines)


def source_cells(chapter: Chapter, set_tasks: list[Task], book: Book, cohort: int) -> list[Cell]:
    """The cells of a chapter's source notebook: title, set-up, and three cells for each exercise."""
    plain = PlainMarkdown(book, chapter.name)
    setup = publish.setup_cell(publish.setting(), cohort)
    title = f"# Exercises of chapter {chapter.number}: {chapter.title}"
    cells = [
        markdown("title", f"{title}\n\n{INSTRUCTIONS}"),
        code("setup", setup, tags=["setup"], nbgrader=_grading(f"setup-{chapter.name}", locked=True)),
    ]
    for task in set_tasks:
        number = book.targets[task.label].number
        heading = exercise_heading(Target("exercise", number, task.title, chapter.number))
        test = _grading(f"{task.label}-check", grade=True, locked=True)
        cells += [
            markdown(f"{task.label}-prompt", f"## {heading}\n\n{plain(task.prompt, task.label)}"),
            code(task.label, task.solution.strip("\n"), nbgrader=_grading(task.label, solution=True)),
            code(f"{task.label}-check", check_cell(task, cohort), nbgrader={**test, "points": task.points}),
        ]
    if plain.cited:
        cells.append(markdown("references", plain.bibliography()))
    return cells


def _grading(grade_id: str, grade: bool = False, solution: bool = False, locked: bool = False) -> dict[str, Any]:
    kind = {"grade": grade, "solution": solution, "locked": locked, "task": False}
    return {**kind, "grade_id": grade_id, "schema_version": 3}


def attempts(cells: list[Cell]) -> dict[str, Attempt]:
    """For each exercise of a source notebook, by label: the set-up, the reference solution and the check."""
    sources = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell["source"] for cell in cells if "nbgrader" in cell["metadata"]
    }
    setup = next(source for name, source in sources.items() if name.startswith("setup-"))
    labels = [name for name in sources if f"{name}-check" in sources]
    return {label: Attempt(setup, sources[label], sources[f"{label}-check"]) for label in labels}


def sources(root: Path = ROOT, cohort: int = 0, private: Path | None = None) -> dict[str, list[Cell]]:
    """The cells of every source notebook, by the name of its chapter.

    Raises:
        AssignmentError: if the cohort or something in the private folder is wrong.
    """
    if cohort < 0:
        raise AssignmentError(f"the cohort is {cohort}; expected a whole number that is not negative")
    chapters = read_chapters(root)
    book = read_book(root, chapters)
    ours = {chapter.name: tasks(chapter) for chapter in chapters}
    changes = read_private(private, {task.label for some in ours.values() for task in some}) if private else {}
    result = {}
    for chapter in chapters:
        set_tasks = [replace(task, **changes.get(task.label, {})) for task in ours[chapter.name]]
        if set_tasks:
            result[chapter.name] = source_cells(chapter, set_tasks, book, cohort)
    return result


def failing_solutions(cells: list[Cell]) -> list[str]:
    """The exercises whose reference solution does not pass its own check, with the reason."""
    tried = attempts(cells)
    outcomes = zip(tried, try_answers(list(tried.values())), strict=True)
    return [
        f"{label}: the reference solution fails in its {outcome.where}: {outcome.error}: {outcome.message}"
        for label, outcome in outcomes
        if not outcome.passed
    ]


def changed_tests(course: Path, name: str, cells: list[Cell]) -> bool:
    """Whether a chapter has been handed in, and would now be graded by other tests than those it was released with."""
    path = course / "source" / name / f"{name}.ipynb"
    if not path.exists() or not any(course.glob(f"submitted/*/{name}/*.ipynb")):
        return False

    def restored(cells: list[Cell]) -> list[tuple[str, str]]:
        grading = [(cell["metadata"].get("nbgrader", {}), "".join(cell["source"])) for cell in cells]
        return [(marks["grade_id"], source) for marks, source in grading if marks.get("locked")]

    return restored(cells) != restored(json.loads(path.read_text(encoding="utf-8"))["cells"])


def build(course: Path, notebooks: dict[str, list[Cell]], force: bool = False) -> list[Path]:
    """Write source and release notebooks, and a zip of each release, into a course folder.

    Args:
        course: the folder; what it needs for nbgrader is copied into it unless it is there.
        notebooks: the cells of each source notebook, by name.
        force: also where tests change for which answers have been handed in.

    Returns:
        The zips.

    Raises:
        AssignmentError: if a reference solution fails, or nbgrader refuses.
    """
    problems = [f"{name}: {problem}" for name, cells in notebooks.items() for problem in failing_solutions(cells)]
    if problems:
        raise AssignmentError("\n".join(problems))
    changed = [] if force else [name for name, cells in notebooks.items() if changed_tests(course, name, cells)]
    if changed:
        raise AssignmentError(
            f"answers to {', '.join(changed)} have been handed in, and would now be graded by other tests than those "
            "they were released with; call it with the COHORT and PRIVATE of the release, or with FORCE=1"
        )
    course.mkdir(parents=True, exist_ok=True)
    for name in COURSE_FILES:
        if not (course / name).exists():
            shutil.copy2(ROOT / "assignments" / name, course / name)
    for name, cells in notebooks.items():
        path = course / "source" / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dumps(cells), encoding="utf-8", newline="")
    nbgrader = course_api(course)
    for name in notebooks:
        result = nbgrader.generate_assignment(name)
        if not result["success"]:
            raise AssignmentError(f"nbgrader could not release {name}:\n{result['log'] or result['error']}")
    return [pack(course, name) for name in notebooks]


def refuse_tracked(folder: Path, what: str) -> None:
    """Keep what belongs to a class out of the repository.

    Raises:
        AssignmentError: if the folder lies in the repository, and git does not ignore what is put there.
    """
    inside = folder.resolve() / "file"
    if not inside.is_relative_to(ROOT):
        return
    ignored = subprocess.run(["git", "-C", str(ROOT), "check-ignore", "-q", str(inside)], capture_output=True)
    if ignored.returncode == 1:
        raise AssignmentError(f"{what}={folder} lies in the repository, where it could be published; choose another")


def course_api(course: Path) -> Any:
    """nbgrader's commands for a course folder, as Python functions."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config.loader import PyFileConfigLoader

    return NbGraderAPI(config=PyFileConfigLoader("nbgrader_config.py", path=str(course.resolve())).load_config())


def pack(course: Path, name: str) -> Path:
    """Zip the release of a chapter; the same release gives the same bytes."""
    path = course / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((course / "release" / name).glob("*.ipynb")):
            entry = zipfile.ZipInfo(f"{name}/{file.name}")
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return path


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--course", type=Path, help="the course folder (default: assignments/)")
    parser.add_argument("--private", type=Path, help="a folder with an instructor's own tests and variants")
    parser.add_argument("--cohort", type=int, default=0, help="the number that the exercises' numbers depend on")
    parser.add_argument("--force", action="store_true", help="also change tests that answers were handed in for")
    args = parser.parse_args(arguments)
    course = (args.course or args.root / "assignments").expanduser()
    private = args.private.expanduser() if args.private else None
    try:
        if args.course:
            refuse_tracked(course, "COURSE")
        if private:
            refuse_tracked(private, "PRIVATE")
        notebooks = sources(args.root, args.cohort, private)
        zips = build(course, notebooks, args.force)
    except (AssignmentError, ChapterError, PlainMarkdownError) as error:
        print(f"assignments: {error}", file=sys.stderr)
        return 1
    for path, cells in zip(zips, notebooks.values(), strict=True):
        points = sum(cell["metadata"].get("nbgrader", {}).get("points", 0) for cell in cells)
        print(f"{path}: {len(attempts(cells))} exercises, {points} points, cohort {args.cohort}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
