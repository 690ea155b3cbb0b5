"""Try answers to exercises against their checks, as grading would, but many in one process and without notebooks.

python tools/answers.py < attempts.json   # what each attempt ends with, as JSON
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """The three cells that grading runs for one exercise: set-up, answer and check, as code."""

    setup: str
    answer: str
    check: str


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        error: the name of the exception; empty if the answer passed.
        message: of the exception.
        where: the cell that raised it: `setup`, `answer` or `check`; empty if the answer passed.
    """

    error: str = ""
    message: str = ""
    where: str = ""

    @property
    def passed(self) -> bool:
        """Whether the answer would get its points."""
        return not self.error


def try_answers(attempts: list[Attempt], seconds: float = 300) -> list[Outcome]:
    """Run each attempt in a namespace of its own, all of them in one new process.

    Args:
        attempts: what to run.
        seconds: for all of them together.

    Raises:
        subprocess.TimeoutExpired: if they take longer.
        RuntimeError: if the process ends before it has said how the attempts ended.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "PYTHONWARNINGS": "ignore"}
    text = json.dumps([asdict(attempt) for attempt in attempts])
    command = [sys.executable, __file__]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=seconds, env=environment)
    try:
        return [Outcome(**outcome) for outcome in json.loads(done.stdout)]
    except json.JSONDecodeError:
        raise RuntimeError(
            f"trying the answers ended with exit code {done.returncode}: {done.stderr[-2000:]}"
        ) from None


def run(attempt: Attempt) -> Outcome:
    """Run one attempt here; what it prints is lost."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for where, source in asdict(attempt).items():
            # Triton reads the text of a kernel, which Python looks up here for code that has no file.
            linecache.cache[f"<{where}>"] = (len(source), None, source.splitlines(keepends=True), f"<{where}>")
            try:
                exec(compile(source, f"<{where}>", "exec"), namespace)
            except BaseException as error:
                # An answer may raise anything, SystemExit too.
                return Outcome(type(error).__name__, str(error), where)
    return Outcome()


if __name__ == "__main__":
    outcomes = [asdict(run(Attempt(**attempt))) for attempt in json.load(sys.stdin)]
    json.dump(outcomes, sys.stdout)
