"""Compile every kernel for every architecture and hold it against its budget: `python -m minigpt.kernels.check`."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from minigpt.files import atomic_write
from minigpt.kernels.check import cuda_kernels
from minigpt.kernels.check.report import is_stale, report
from minigpt.kernels.check.table import ARCHITECTURES, Task, Usage
from minigpt.kernels.cuda.compile import cuobjdump, has_nvrtc
from minigpt.kernels.dispatch import has_triton


def all_tasks() -> list[Task]:
    """Every kernel that can be compiled here."""
    found: list[Task] = []
    if has_triton():
        from minigpt.kernels.check import triton_kernels

        found += triton_kernels.tasks()
    if has_nvrtc() and cuobjdump():
        found += cuda_kernels.tasks()
    return found


_tasks: list[Task] = []


def _outcome(index: int) -> Usage | str:
    try:
        return _tasks[index].run()
    except Exception as error:  # whatever a compiler says is a line of the report
        return f"does not compile: {' '.join(str(error).split())[-300:]}"


def outcomes(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Usage | str]]:
    """Each task with what its kernel takes, or with what went wrong.

    Args:
        tasks: what to compile.
        jobs: how many at a time, each in a process of its own.
    """
    # Kernels cannot be sent to another process; forked ones have them already.
    _tasks[:] = tasks
    with multiprocessing.get_context("fork").Pool(max(1, jobs)) as pool:
        yield from zip(tasks, pool.imap(_outcome, range(len(tasks))), strict=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status, 1 if a kernel is broken or over its budget."""
    parser = argparse.ArgumentParser(prog="python -m minigpt.kernels.check", description=__doc__)
    parser.add_argument("words", nargs="*", help="only kernels whose name holds one of these words")
    parser.add_argument("--arch", type=int, nargs="+", choices=list(ARCHITECTURES), default=list(ARCHITECTURES))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilations at a time")
    parser.add_argument(
        "--store", type=Path, help="write what was found to this file, from which the book has its tables"
    )
    parser.add_argument("--against", type=Path, help="such a file, which must say what is found now")
    asked = parser.parse_args(arguments)
    if (asked.store or asked.against) and (asked.words or set(asked.arch) != set(ARCHITECTURES)):
        parser.error("--store and --against are about the whole table: leave out words and --arch")
    tasks = [
        task
        for task in all_tasks()
        if task.architecture in asked.arch and (not asked.words or any(word in task.name for word in asked.words))
    ]
    if not has_triton():
        print("Triton is not installed (there are wheels for Linux alone): its kernels are left out")
    if not tasks:
        print("nothing to compile: neither Triton nor NVRTC is installed here, or no kernel has such a name")
        return 0
    width = max(len(task.name) for task in tasks)
    print(f"{'kernel':{width}}  arch  registers  local  shared  matrix instruction")
    broken, found = 0, []
    for task, outcome in outcomes(tasks, asked.jobs):
        if isinstance(outcome, str):
            faults, numbers = [outcome], f"{'-':>9}  {'-':>5}  {'-':>6}  -"
        else:
            found.append((task, outcome))
            faults = task.faults(outcome)
            numbers = f"{outcome.registers:9}  {outcome.local:5}  {outcome.shared:6}  {outcome.matrix or '-'}"
        broken += bool(faults)
        print(f"{task.name:{width}}  {task.architecture:4}  {numbers}", *(f"\n  BROKEN: {fault}" for fault in faults))
    print(f"{len(tasks)} compilations, {broken} broken")
    if asked.against and not broken and is_stale(json.loads(asked.against.read_text(encoding="utf-8")), report(found)):
        print(f"{asked.against} tells otherwise, by the same compilers: run this again with --store {asked.against}")
        return 1
    if asked.store and not broken:
        with atomic_write(asked.store) as file:
            file.write(json.dumps(report(found), indent=1) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
