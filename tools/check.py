"""Every check of the project, one stage after the other, with the time of each and what failed at the end.

python tools/check.py              # all stages
python tools/check.py lint unit    # some
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import notebooks

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable]
PYTEST = [*PYTHON, "-m", "pytest", "-n", "2", "--dist", "loadscope"]

STAGES: dict[str, tuple[str, list[list[str]]]] = {
    "lint": (
        "style of the code",
        [[*PYTHON, "-m", "ruff", "check", "."], [*PYTHON, "-m", "ruff", "format", "--check", "."]],
    ),
    "generated": (
        "generated files agree with their sources",
        [[*PYTHON, "tools/publish.py", "--check"], [*PYTHON, "tools/student.py", "--check"]],
    ),
    "book": ("the book, from an empty folder, warnings are errors", [["sh", "tools/book.sh"]]),
    "links": ("links inside the book", [["sh", "tools/book.sh"], [*PYTHON, "tools/links.py", "_build/html"]]),
    "kernels": (
        "every kernel compiles for every GPU, within its budget of registers and memory",
        [[*PYTHON, "-m", "minigpt.kernels.check", "--against", "benchmarks/results/compiled.json"]],
    ),
    "unit": ("unit tests, and the rules for chapters", [[*PYTEST, "tests"]]),
    "notebooks": (
        "every chapter keeps the rules, and prints what is stored",
        [[*PYTHON, "tools/notebooks.py", "--check"], [*PYTEST, "notebooks", "--nbval", "--nbval-current-env"]],
    ),
}


def run(command: list[str], environment: dict[str, str]) -> tuple[bool, str]:
    """Run a command, showing its output as it comes.

    Returns:
        Whether it succeeded, and the last line that it printed.
    """
    last = ""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    return process.returncode == 0, last


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of {', '.join(STAGES)}; without: all")
    chosen = parser.parse_args(arguments).stages or list(STAGES)
    unknown = set(chosen) - set(STAGES)
    if unknown:
        parser.error(f"there is no stage {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    if "book" in chosen:
        shutil.rmtree(ROOT / "_build", ignore_errors=True)
    summary, all_passed, start = [], True, time.monotonic()
    with notebooks.kernel_environment() as environment:
        for stage in chosen:
            what, commands = STAGES[stage]
            print(f"\n=== {stage}: {what}", flush=True)
            began = time.monotonic()
            results = [run(command, environment) for command in commands]
            failures = [last for success, last in results if not success]
            passed = not failures
            all_passed &= passed
            seconds = time.monotonic() - began
            summary.append(
                f"{'passed' if passed else 'FAILED'}  {stage:<10} {seconds:5.0f} s   {[*failures, results[-1][1]][0]}"
            )
            print(f"=== {stage}: {'passed' if passed else 'FAILED'} after {seconds:.0f} s", flush=True)
    print("\n=== summary", *summary, sep="\n")
    print(f"=== {'all passed' if all_passed else 'FAILED'} after {time.monotonic() - start:.0f} s")
    return 0 if all_passed else 1


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
