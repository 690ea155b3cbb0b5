"""Times of things that take turns on one device: CUDA events on a GPU, the clock on a CPU."""

from __future__ import annotations

import math
import statistics
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Run = Callable[[], Any]

WARM_UP = 3
"""Turns that do not count: in them kernels are compiled, and libraries choose their algorithms."""
FEWEST, MOST = 7, 40
"""Turns that count."""


class Device(ABC):
    """Where things are measured."""

    type: str

    @abstractmethod
    def milliseconds(self, runs: Sequence[Run]) -> list[float]:
        """The time of each of these, run one after the other, none of which finds its data in a cache."""

    @abstractmethod
    def peak(self, run: Run) -> int | None:
        """Most bytes in use while something runs, above those before; `None` where that cannot be told."""

    @abstractmethod
    def describe(self) -> dict[str, str | int | float]:
        """What stands in the results about it, `"name"` first."""


class Gpu(Device):
    """The current CUDA device.

    Before each run a buffer larger than the L2 cache is overwritten, again and again for about a millisecond. So the
    run finds the cache full of something else, and all its launches are queued before the device is ready for them:
    what is measured is the device, not the interpreter of Python.
    """

    type = "cuda"
    WAIT = 1.0

    def __init__(self) -> None:
        self.properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        self.buffer = torch.empty(max(2 * self.properties.L2_cache_size, 64 << 20), dtype=torch.uint8, device="cuda")
        self.flushes = 1
        self.milliseconds([lambda: None])
        once = statistics.median(self.milliseconds([self._flush])[0] for _ in range(5))
        self.flushes = max(1, math.ceil(self.WAIT / once))

    def _flush(self) -> None:
        for _ in range(self.flushes):
            self.buffer.zero_()

    def milliseconds(self, runs: Sequence[Run]) -> list[float]:
        """By a pair of events around each."""
        events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in runs]
        for run, (start, end) in zip(runs, events, strict=True):
            self._flush()
            start.record()
            run()
            end.record()
        torch.cuda.synchronize()
        return [start.elapsed_time(end) for start, end in events]

    def peak(self, run: Run) -> int:
        """By the counters of PyTorch's allocator."""
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before

    def describe(self) -> dict[str, str | int | float]:
        """Name, compute capability, and sizes."""
        found = self.properties
        return {
            "name": found.name,
            "capability": f"{found.major}.{found.minor}",
            "multiprocessors": found.multi_processor_count,
            "memory_gb": round(found.total_memory / 1e9),
            "l2_mb": round(found.L2_cache_size / 1e6),
        }

    @staticmethod
    def driver() -> str:
        """The version of NVIDIA's driver, as `nvidia-smi` says it."""
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        except (OSError, subprocess.CalledProcessError):
            return "unknown"
        return said[0] if said else "unknown"


class Cpu(Device):
    """The processor, by the clock: to see that the benchmarks run. Its times say nothing about a kernel."""

    type = "cpu"

    def milliseconds(self, runs: Sequence[Run]) -> list[float]:
        """By the clock."""
        found = []
        for run in runs:
            start = time.perf_counter()
            run()
            found.append(1000 * (time.perf_counter() - start))
        return found

    def peak(self, run: Run) -> None:
        """Unknown; it runs all the same."""
        run()

    def describe(self) -> dict[str, str | int | float]:
        """A name."""
        return {"name": "CPU"}


@dataclass(frozen=True)
class Quartiles:
    """A median with the quartiles beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        """Of at least one value.

        Raises:
            ValueError: if there is none.
        """
        if not values:
            raise ValueError("no value was measured, so that there is no median; measure at least one turn")
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


def warmed_up(device: Device, runs: Mapping[str, Run], turns: int = WARM_UP) -> tuple[dict[str, Run], dict[str, str]]:
    """Those that run, and of the others what they said: a peer may be missing, or not take such tensors.

    Args:
        device: where they run.
        runs: by name.
        turns: how often each runs.
    """
    able, failed = {}, {}
    for name, run in runs.items():
        try:
            for _ in range(turns):
                device.milliseconds([run])
        except Exception as error:  # whatever a library says stands in the results
            failed[name] = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        else:
            able[name] = run
    return able, failed


def take_turns(
    device: Device, runs: Mapping[str, Run], seconds: float = 2.0, fewest: int = FEWEST, most: int = MOST
) -> dict[str, list[float]]:
    """Milliseconds of each in every turn; in each turn another one is the first.

    Args:
        device: where they run.
        runs: by name; at least one, each warmed up.
        seconds: no new turn begins after so many.
        fewest: but so many turns are taken in any case.
        most: turns.
    """
    names = list(runs)
    found: dict[str, list[float]] = {name: [] for name in names}
    start = time.perf_counter()
    for turn in range(most):
        if turn >= fewest and time.perf_counter() - start > seconds:
            break
        first = turn % len(names)
        order = names[first:] + names[:first]
        for name, taken in zip(order, device.milliseconds([runs[name] for name in order]), strict=True):
            found[name].append(taken)
    return found


def times_as_fast(peer: Sequence[float], ours: Sequence[float]) -> Quartiles:
    """How many times as fast we are: the peer's time by ours, turn by turn.

    Args:
        peer: milliseconds of each turn.
        ours: of the same turns.
    """
    return Quartiles.of([other / own for other, own in zip(peer, ours, strict=True)])
