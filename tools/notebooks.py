"""Execute the chapters and store what they print, so that doing it twice gives the same file byte for byte.

    python tools/notebooks.py            # execute and store every chapter
    python tools/notebooks.py 2 03       # execute and store these chapters
    python tools/notebooks.py --check    # look at the stored notebooks, execute nothing

What is stored must be worth storing: if a cell fails, or an output could not be the same on another machine, the file
stays as it was and the cell is named. `guard.py` has the rules.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import guard

ROOT = Path(__file__).resolve().parent.parent
SECONDS_A_CELL = 600


def chapters(root: Path = ROOT) -> list[Path]:
    """The chapters' notebooks, in order."""
    return sorted(root.glob("notebooks/[0-9][0-9]-*.ipynb"))


def select(names: list[str], root: Path = ROOT) -> list[Path]:
    """The chapters of these numbers; all of them if there are none.

    Raises:
        ValueError: if a name is not the number of a chapter that exists.
    """
    by_number = {path.name[:2]: path for path in chapters(root)}
    for name in names:
        if not re.fullmatch(r"[0-9]{1,2}", name) or name.zfill(2) not in by_number:
            raise ValueError(f"there is no chapter {name!r}; there are {', '.join(by_number) or 'none'}")
    return [by_number[name.zfill(2)] for name in names] or list(by_number.values())


def dumps(notebook: dict) -> str:
    """The one way a notebook is written: keys sorted, one space of indentation, text as lists of lines."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


@contextmanager
def kernel_environment() -> Iterator[dict[str, str]]:
    """The environment of a kernel: one thread, and no setting of the person who runs it."""
    with tempfile.TemporaryDirectory(prefix="minigpt-kernel-") as folder:
        yield {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "MPLCONFIGDIR": folder,
            "IPYTHONDIR": folder,
            "JUPYTER_PREFER_ENV_PATH": "1",
        }


def normal(notebook: dict) -> dict:
    """A notebook without what differs from run to run, or from machine to machine."""
    for cell in notebook["cells"]:
        cell["metadata"].pop("execution", None)
    return {**notebook, "metadata": guard.METADATA, "nbformat": 4, "nbformat_minor": 5}


def execute(path: Path) -> dict:
    """Run a notebook from top to bottom in a new kernel, in its own folder.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    with kernel_environment() as environment:
        client.execute(env=environment)
    return normal(json.loads(nbformat.writes(notebook)))


def store(path: Path) -> list[str]:
    """Execute a chapter and store it, unless the result breaks a rule.

    Returns:
        What is wrong with it; empty if it is stored.
    """
    text = dumps(execute(path))
    problems = guard.problems(path.name, text)
    if not problems:
        path.write_text(text, encoding="utf-8", newline="")
    return problems


def spent() -> float:
    """CPU seconds of the kernels that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="look at the stored notebooks, execute nothing")
    parser.add_argument("numbers", nargs="*", metavar="N", help="numbers of chapters, such as 2 or 02; without: all")
    args = parser.parse_args(arguments)
    try:
        paths = select(args.numbers)
    except ValueError as error:
        print(f"notebooks: {error}", file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        began, cpu = time.monotonic(), spent()
        try:
            problems = guard.problems(path.name, path.read_text(encoding="utf-8")) if args.check else store(path)
        except Exception as error:
            # nbclient wraps whatever a cell raises; the report names the notebook either way.
            problems = [f"{path.name}: {error}"]
        failed += bool(problems)
        for problem in problems:
            print(problem, file=sys.stderr)
        if not args.check:
            state = "NOT stored" if problems else "stored"
            print(f"{path.name}: {state}, {time.monotonic() - began:.0f} s, {spent() - cpu:.0f} s of CPU", flush=True)
    print(f"{len(paths)} chapters, {failed} that break a rule for cells, figures or exercises")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
