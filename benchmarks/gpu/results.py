"""The results of one benchmark: rows, ratios to peers, goals, and the file, which is written after each comparison.

Its form is told in `README.md` beside this.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch

from benchmarks.gpu.timing import (
    FEWEST,
    MOST,
    WARM_UP,
    Device,
    Gpu,
    Quartiles,
    Run,
    take_turns,
    times_as_fast,
    warmed_up,
)
from minigpt.files import atomic_write
from minigpt.kernels.dispatch import use

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"
OURS = "minigpt"
PACKAGES = ("torch", "triton", "flash-attn", "flash-attn-3", "nvidia-cudnn-cu13", "nvidia-cudnn-cu12")


def slug(name: str) -> str:
    """The name of a device as that of a folder: `"NVIDIA H200"` is `nvidia-h200`.

    Raises:
        ValueError: if no letter and no digit is in it.
    """
    found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not found:
        raise ValueError(f"the device is called {name!r}, of which no name of a folder can be made")
    return found


def rounded(value: float | None) -> float | None:
    """Four digits that count."""
    return None if value is None else float(f"{value:.4g}")


def versions(device: Device) -> dict[str, str]:
    """Versions of the driver, of CUDA, and of the packages that are compared."""
    found = {"driver": device.driver(), "cuda": str(torch.version.cuda)} if isinstance(device, Gpu) else {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit(given: str | None = None, folder: Path = ROOT) -> tuple[str | None, bool | None]:
    """The commit of the repository, and whether its files are as it has them; `None` for what cannot be told.

    Args:
        given: of which commit the folder is a copy, where it is no repository.
        folder: the repository.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # Results that were written a moment ago do not count as a change.
        return git("rev-parse", "HEAD"), not git("status", "--porcelain", "--", ".", ":!benchmarks/results")
    except (OSError, subprocess.CalledProcessError):
        return given, None


@dataclass
class Goal:
    """Something to reach.

    Args:
        goal: what it is about.
        wanted: how much of it.
        reached: how much there is; `None` where it could not be measured.
        at: whether `wanted` is the least or the most that is right.
    """

    goal: str
    wanted: float
    reached: float | None
    at: Literal["least", "most"] = "least"

    @property
    def met(self) -> bool | None:
        """Whether it is reached; `None` where it was not measured."""
        if self.reached is None:
            return None
        return self.reached >= self.wanted if self.at == "least" else self.reached <= self.wanted


@dataclass
class Comparison:
    """What one comparison gave.

    Args:
        times: milliseconds of each implementation in each turn.
        failed: what the others said.
    """

    times: dict[str, list[float]]
    failed: dict[str, str]

    def ratio(self, *peers: str, ours: str = OURS) -> float | None:
        """How many times as fast we are as the fastest of some peers; `None` if we or all of them could not run.

        Args:
            peers: their names; without any, all.
            ours: the name of what is ours.
        """
        there = [name for name in self.times if name != ours and (not peers or name in peers)]
        if ours not in self.times or not there:
            return None
        return min(times_as_fast(self.times[name], self.times[ours]).median for name in there)

    def median(self, name: str = OURS) -> float | None:
        """Milliseconds of one of them; `None` if it could not run."""
        return Quartiles.of(self.times[name]).median if name in self.times else None


@dataclass
class Bench:
    """A benchmark that is under way.

    Args:
        name: of its file, without `.json`.
        about: what it measures.
        device: where.
        folder: the folder of all results.
        small: whether shapes are tiny, to see on a CPU that it runs.
        seconds: for each comparison.
        of_commit: of which commit this is a copy, where the folder is no repository.
    """

    name: str
    about: str
    device: Device
    folder: Path = RESULTS
    small: bool = False
    seconds: float = 2.0
    of_commit: str | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file of the results."""
        return self.folder / slug(str(self.device.describe()["name"])) / f"{self.name}.json"

    def size(self, full: int, small: int) -> int:
        """A size for the device, or for the trial on a CPU."""
        return small if self.small else full

    @contextmanager
    def ours(self) -> Iterator[None]:
        """Our kernels run within the block: compiled, or on a CPU interpreted."""
        with use("triton" if self.device.type == "cuda" else "interpret"):
            yield

    def forced(self, run: Run) -> Run:
        """The same, with our kernels."""

        def runs() -> Any:
            with self.ours():
                return run()

        return runs

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """What `torch.compile` makes of a function; on a CPU the function, since only the device counts here."""
        if self.device.type != "cuda":
            return function
        # Backward passes are timed again and again, with what the forward pass kept: it must stay.
        torch._functorch.config.donated_buffer = False
        return torch.compile(function, dynamic=False)

    def compare(
        self,
        operation: str,
        case: str,
        dtype: torch.dtype | str,
        runs: dict[str, Run],
        *,
        flops: int | None = None,
        size: int | None = None,
        ours: Sequence[str] = (OURS,),
        memory: bool = False,
    ) -> Comparison:
        """Let implementations take turns, print and keep what they took, and write the file.

        Args:
            operation: its name.
            case: its shape, or what else tells it from others.
            dtype: of the numbers.
            runs: by name.
            flops: operations that it needs.
            size: bytes that it needs to move.
            ours: the names of what is ours.
            memory: whether the most memory in use is measured too.
        """
        about = {"operation": operation, "case": case, "dtype": str(dtype).removeprefix("torch.")}
        able, failed = warmed_up(self.device, runs, 1 if self.small else WARM_UP)
        most = 2 if self.small else MOST
        times = take_turns(self.device, able, self.seconds, min(FEWEST, most), most) if able else {}
        print(f"  {operation}, {case}, {about['dtype']}", flush=True)
        for name, taken in times.items():
            found = Quartiles.of(taken)
            row = about | {
                "implementation": name,
                "ms": rounded(found.median),
                "ms_low": rounded(found.low),
                "ms_high": rounded(found.high),
                "turns": len(taken),
            }
            if flops:
                row |= {"flops": flops, "TFLOP/s": rounded(flops / found.median / 1e9)}
            if size:
                row |= {"bytes": size, "GB/s": rounded(size / found.median / 1e6)}
            if memory and (peak := self.device.peak(able[name])) is not None:
                row["peak_mb"] = rounded(peak / 1e6)
            if name in ours:
                ratios = {peer: times_as_fast(other, taken) for peer, other in times.items() if peer not in ours}
                row["times_as_fast_as"] = {
                    peer: [rounded(ratio.median), rounded(ratio.low), rounded(ratio.high)]
                    for peer, ratio in ratios.items()
                }
            self.rows.append(row)
            print("   ", said(row), flush=True)
        for name, error in failed.items():
            self.failed.append(about | {"implementation": name, "error": error})
            print(f"    {name}: could not run: {error}", flush=True)
        self.write()
        return Comparison(times, failed)

    def goal(self, goal: str, reached: float | None, wanted: float, *, at: Literal["least", "most"] = "least") -> None:
        """Hold a result against a goal, and write the file."""
        self.goals.append(Goal(goal, wanted, rounded(reached), at))
        self.write()

    def write(self) -> None:
        """Write what there is so far."""
        hash_, clean = commit(self.of_commit)
        found = {
            "about": f"benchmarks/gpu/{self.name}.py: {self.about}",
            "device": self.device.describe(),
            "python": platform.python_version(),
            "versions": versions(self.device),
            "date": datetime.now(UTC).date().isoformat(),
            "commit": hash_,
            "clean": clean,
            "rows": self.rows,
            "failed": self.failed,
            "goals": [
                {"goal": g.goal, "at": g.at, "wanted": g.wanted, "reached": g.reached, "met": g.met} for g in self.goals
            ],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path) as file:
            json.dump(found, file, indent=1)
            file.write("\n")


def said(row: dict[str, Any]) -> str:
    """A row as a line: time, rate, and how many times as fast as each peer."""
    parts = [f"{row['ms']:.4g} ms ({row['ms_low']:.4g} to {row['ms_high']:.4g})"]
    parts += [f"{row[rate]:.4g} {rate}" for rate in ("TFLOP/s", "GB/s") if rate in row]
    parts += [f"{row['peak_mb']:.4g} MB at most"] if "peak_mb" in row else []
    parts += [f"{ratio[0]:.3g} x {peer}" for peer, ratio in row.get("times_as_fast_as", {}).items()]
    return f"{row['implementation']}: " + ", ".join(parts)


def goals_table(goals: Sequence[dict[str, Any]]) -> str:
    """The goals of all benchmarks, as they stand in the files: one a line.

    Args:
        goals: entries of `goals`.
    """
    if not goals:
        return "no goal was measured"
    words = {True: "met", False: "MISSED", None: "not measured"}
    lines = [
        (
            goal["goal"],
            f"at {goal['at']} {goal['wanted']:g}",
            "-" if goal["reached"] is None else f"{goal['reached']:.3g}",
            words[goal["met"]],
        )
        for goal in goals
    ]
    widths = [max(len(line[i]) for line in [*lines, ("goal", "wanted", "reached", "")]) for i in range(4)]
    head = ("goal", "wanted", "reached", "")
    return "\n".join(
        "  ".join(f"{cell:{w}}" for cell, w in zip(line, widths, strict=True)).rstrip() for line in [head, *lines]
    )
