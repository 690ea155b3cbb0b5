"""The record of a run: one JSON object a line, appended as the run goes."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from minigpt.files import atomic_write


class Record:
    """What was measured at which step, in memory and, if it has a path, in a file.

    Args:
        path: a file of JSON lines; `None` keeps the record in memory only.

    Attributes:
        lines: dictionaries with `step` and what was measured there.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []

    def add(self, **values: Any) -> None:
        """Add a line; it is in the file before this returns. A number that is not finite, which JSON lacks, is null."""
        values = {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in values.items()}
        self.lines.append(values)
        if self.path is not None:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(values, allow_nan=False) + "\n")

    def rewind(self, step: int) -> None:
        """Forget what lies behind a step, from which the run now goes on."""
        if self.path is not None:
            self.lines = read_record(self.path) if self.path.exists() else []
        self.lines = [line for line in self.lines if line["step"] <= step]
        if self.path is not None:
            with atomic_write(self.path) as file:
                file.writelines(json.dumps(line) + "\n" for line in self.lines)


def read_record(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The lines of a record; a last line that a killed process left unfinished is not one.

    Raises:
        ValueError: if a line before the last is damaged.
    """
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    found = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{str(path)!r}, line {number}: no JSON ({error})") from error
    return found
