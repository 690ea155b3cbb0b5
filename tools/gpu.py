"""Everything that needs a GPU: the tests of the kernels, compute-sanitizer over some of them, and the benchmarks.

    python tools/gpu.py                     # all three
    python tools/gpu.py tests sanitize      # two of them
    python tools/gpu.py matmul attention    # two benchmarks; `bench` stands for all

Where there is no CUDA device it says so, measures nothing, and ends with status 0. Otherwise status 1 means that
something failed (a goal that was missed is no failure), 2 that a package is missing, and 3 that the time of a part was
up: what is left is named, to go on with.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
TESTS = ROOT / "tests" / "kernels"
BENCHMARKS = ("matmul", "attention", "memory", "loss", "ladder", "decode", "scaled", "moe")
NEEDED = {
    "tests": ("torch", "triton", "numpy", "jaxtyping", "platformdirs", "pytest", "hypothesis"),
    "bench": ("torch", "triton", "numpy", "jaxtyping", "platformdirs"),
}
NEEDED["sanitize"] = NEEDED["tests"]

SANITIZED = "any_order or depends_on or numbers_the_codes or as_many_keys or vector_add or sums or softmax[ or matmul["
"""What compute-sanitizer looks at: each kernel forward and backward once, and the rungs of the ladder."""

FAILED, MISSING, UNFINISHED = 1, 2, 3


@dataclass(frozen=True)
class Step:
    """A command that is a part of a part.

    Args:
        name: what to ask for, to run it alone.
        command: what runs.
        environment: variables that it needs.
        fine: statuses that are no failure; 5 is pytest's for no test at all.
    """

    name: str
    command: list[str]
    environment: tuple[tuple[str, str], ...] = ()
    fine: tuple[int, ...] = (0,)


def missing(parts: Sequence[str]) -> list[str]:
    """The packages that some parts need and that are not there."""
    needed = dict.fromkeys(name for part in parts for name in NEEDED[part])
    return [name for name in needed if importlib.util.find_spec(name) is None]


def has_gpu() -> bool:
    """Whether PyTorch finds a CUDA device."""
    import torch

    return torch.cuda.is_available()


def sanitizer() -> str | None:
    """NVIDIA's compute-sanitizer, where it is installed."""
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")


def test_files() -> list[Path]:
    """The files of tests that run on every device."""
    return [path for path in sorted(TESTS.rglob("test_*.py")) if "on_every_device" in path.read_text(encoding="utf-8")]


def pytest(*arguments: str) -> list[str]:
    """A run of the tests that are marked as those of a GPU."""
    return [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "-rs", *arguments]


def steps(part: str, names: Sequence[str], asked: argparse.Namespace) -> list[Step]:
    """The commands of a part.

    Args:
        part: one of the three.
        names: the files or benchmarks that are asked for.
        asked: options.
    """
    if part == "bench":
        options = ["--out", str(asked.out), *(["--commit", asked.commit] if asked.commit else [])]
        return [Step(name, [sys.executable, "-m", "benchmarks.gpu", name, *options]) for name in names]
    files = [str(path.relative_to(ROOT)) for path in test_files()]
    if part == "tests":
        if importlib.util.find_spec("xdist"):
            workers = str(max(1, min(8, (os.cpu_count() or 1) // 2)))
            return [Step("tests", pytest("-n", workers, *files), fine=(0, 5))]
        return [Step("tests", pytest(file), fine=(0, 5)) for file in files]
    program = sanitizer()
    if program is None:
        return []
    tools = {"memcheck": ["--report-api-errors", "no"], "racecheck": []}
    # Without PyTorch's cache of memory every tensor is an allocation of its own, whose end is watched.
    environment = (("PYTORCH_NO_CUDA_MEMORY_CACHING", "1"),)
    return [
        Step(
            "sanitize",
            [program, "--tool", tool, *options, "--error-exitcode", "9", *pytest("-k", SANITIZED, *files)],
            environment,
            (0, 5),
        )
        for tool, options in tools.items()
    ]


def run(step: Step, seconds: float) -> int | None:
    """Run a command, showing what it prints; its status, or `None` if the time was up."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **dict(step.environment)}
    with subprocess.Popen(step.command, cwd=ROOT, env=environment) as process:
        try:
            return process.wait(max(seconds, 1))
        except subprocess.TimeoutExpired:
            process.kill()
            return None


def run_part(part: str, found: Sequence[Step], minutes: float) -> int:
    """Run the commands of a part, one after the other, as long as there is time; returns a status."""
    status, start = 0, time.monotonic()
    for i, step in enumerate(found):
        gone = time.monotonic() - start
        print(f"\n=== {part}, {i + 1} of {len(found)}, after {gone:.0f} s: {' '.join(step.command[1:])}", flush=True)
        code = run(step, 60 * minutes - gone)
        if code is None:
            left = dict.fromkeys(other.name for other in found[i:])
            print(
                f"=== {part}: {minutes:g} minutes are up; to go on: {Path(__file__).name} {' '.join(left)}", flush=True
            )
            return status or UNFINISHED
        if code not in step.fine:
            print(f"=== {part}: FAILED with status {code}", flush=True)
            status = FAILED
    return status


def report(names: Sequence[str], folder: Path) -> None:
    """Print the goals of some benchmarks, from the files of the device that is here."""
    import torch

    sys.path.insert(0, str(ROOT))
    from benchmarks.gpu.results import goals_table, slug

    place = folder / slug(torch.cuda.get_device_name())
    files = [path for name in names if (path := place / f"{name}.json").exists()]
    goals = [goal for path in files for goal in json.loads(path.read_text(encoding="utf-8"))["goals"]]
    print(f"\n=== goals, from {place}\n{goals_table(goals)}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ("tests", "sanitize", "bench", *BENCHMARKS)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(known)}; without: the first three")
    parser.add_argument("--minutes", type=float, default=7.5, help="for each of tests, sanitize and bench")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of all results")
    parser.add_argument("--commit", help="of which commit this folder is a copy, where it is no repository")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.parts) - set(known):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = asked.parts or ["tests", "sanitize", "bench"]
    names = BENCHMARKS if "bench" in chosen else [name for name in BENCHMARKS if name in chosen]
    parts = [part for part in ("tests", "sanitize") if part in chosen] + (["bench"] if names else [])
    if absent := missing(["bench"] if "torch" in missing(["bench"]) else parts):
        print(f"{sys.executable} lacks {', '.join(absent)}; install that, or choose another interpreter by PYTHON=")
        return MISSING
    if not has_gpu():
        print("no CUDA device was found: nothing was run on a GPU, nothing was measured, no file was written")
        print("\n".join(f"skipped: {part}" for part in parts))
        return 0
    asked.out = asked.out.resolve()
    statuses = []
    for part in parts:
        found = steps(part, names, asked)
        if not found:
            why = (
                "compute-sanitizer is not installed (it comes with CUDA's toolkit)" if part == "sanitize" else "no test"
            )
            print(f"\n=== {part}: skipped, {why}", flush=True)
        statuses.append(run_part(part, found, asked.minutes))
    if "bench" in parts:
        report(names, asked.out)
    return next((status for status in (FAILED, UNFINISHED) if status in statuses), 0)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
