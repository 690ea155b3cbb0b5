"""Tables of the results in `benchmarks/results/`, so that no number of a benchmark is typed by hand.

    ```{benchmark} tokenizers
    :path: encoding[vocabulary].rows[kind, situation].megabytes_per_second
    :head: vocabulary, text, cache
    ```

A path leads through the JSON: `name` goes to a key, `*` takes every key, `[field]` every entry of a list, named by one
of its fields, or by several as in `[kind, situation]`. What it takes becomes the head of a row; the numbers that it
ends at become the columns. With `:turned:` rows and columns change places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from minigpt_book.tables import table

STEP = re.compile(r"\[([\w, ]+)\]|([^.\[\]]+)")


def show(value: Any) -> str:
    """A value as a table shows it; a pair is a number and how far it may be off."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ± ".join(map(show, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def is_number(value: Any) -> bool:
    """Whether a table can show a value: anything but a group of values; a pair of numbers counts as one."""
    pair = isinstance(value, list) and len(value) == 2 and all(isinstance(part, int | float) for part in value)
    return pair or not isinstance(value, dict | list)


def walk(data: Any, steps: list[tuple[str, str]]) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Every place that a path leads to: the names taken on the way, and the numbers found.

    Raises:
        KeyError: if the path leads nowhere.
    """
    if not steps:
        if not isinstance(data, dict):
            raise KeyError(f"the path ends at {data!r}, not at numbers with names")
        yield [], {key: value for key, value in data.items() if is_number(value)}
        return
    (fields, key), *rest = steps
    if fields:
        taken = [([show(entry[field]) for field in words(fields)], entry) for entry in data]
    elif key == "*":
        taken = [([name], inner) for name, inner in data.items() if not is_number(inner)]
    else:
        yield from walk(data[key], rest)
        return
    for first, inner in taken:
        for names, numbers in walk(inner, rest):
            yield first + names, numbers


def rows(data: Any, path: str, head: list[str], leave_out: list[str]) -> list[list[str]]:
    """The table for a path: its head, then a row for each place.

    Raises:
        KeyError: if the path leads nowhere.
        ValueError: if the head does not name what the path takes.
    """
    found = list(walk(data, STEP.findall(path)))
    if any(len(names) != len(head) for names, _ in found) or not found:
        raise ValueError(f"the path {path!r} takes {[names for names, _ in found][:3]}, the head names {head}")
    columns = list(dict.fromkeys(key for _, numbers in found for key in numbers if key not in leave_out))
    lines = [[*names, *(show(numbers.get(key)) for key in columns)] for names, numbers in found]
    return [[*head, *(column.replace("_", " ") for column in columns)], *lines]


def words(text: str | None) -> list[str]:
    """The words of an option, separated by commas."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


class Results(SphinxDirective):
    """What the directives share: the results of one benchmark."""

    required_arguments = 1

    def results(self) -> dict[str, Any]:
        """Read the results; the page is made again when they change."""
        path = Path(self.env.srcdir, "benchmarks", "results", f"{self.arguments[0]}.json")
        if not path.is_file():
            raise self.error(f"there is no {path.name} in benchmarks/results; run `make bench`")
        self.env.note_dependency(str(path))
        return json.loads(path.read_text(encoding="utf-8"))


class Benchmark(Results):
    """`{benchmark} name`: one table."""

    option_spec: ClassVar = {
        "path": directives.unchanged_required,
        "head": directives.unchanged,
        "without": directives.unchanged,
        "turned": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        data = self.results()
        head = words(self.options.get("head"))
        try:
            lines = rows(data, self.options["path"], head, words(self.options.get("without")))
        except (KeyError, ValueError) as error:
            raise self.error(f"benchmarks/results/{self.arguments[0]}.json: {error}") from error
        if "turned" in self.options:
            lines = [list(line) for line in zip(*lines, strict=True)]
        return [table(lines, heads=1 if "turned" in self.options else len(head))]


class Conditions(Results):
    """`{benchmark-conditions} name`: when, with what and on what kind of machine the results were made."""

    def run(self) -> list[nodes.Node]:
        """Build the sentence."""
        data = self.results()
        said = [f"measured {data['date']}"] if "date" in data else []
        said.append(f"Python {data['python']}")
        if "cpus" in data:
            said.append(f"{data['cpus']} processor cores" + (f" ({data['machine']})" if "machine" in data else ""))
        if "rounds" in data:
            said.append(f"{data['rounds']} rounds")
        said += [f"{name} {version}" for name, version in data.get("versions", {}).items()]
        text = "; ".join(said)
        return [nodes.paragraph("", text[0].upper() + text[1:] + ".", classes=["conditions"])]


def setup(app: Sphinx) -> None:
    """Add the directives."""
    app.add_directive("benchmark", Benchmark)
    app.add_directive("benchmark-conditions", Conditions)
