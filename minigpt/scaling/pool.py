"""A pool of workers as a row of events: who does what when, with all that Amdahl's law leaves out.

A program does something alone, hands tasks to workers through a queue, waits for the last of them, and does something
alone again. Time here is a number that is added up, so the result is the same on every machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Span(NamedTuple):
    """One chunk of tasks on one worker.

    Attributes:
        worker: its number, from 0.
        start: when the worker takes the chunk.
        end: when it has finished it.
        first: the number of the first task of the chunk.
    """

    worker: int
    start: float
    end: float
    first: int


@dataclass(frozen=True)
class Timeline:
    """What happened.

    Attributes:
        spans: one for each chunk, in the order in which they were handed out.
        seconds: from the beginning to the end of the whole program.
        parallel_end: when the last worker finished.
    """

    spans: list[Span]
    seconds: float
    parallel_end: float


def simulate(
    tasks: Sequence[float],
    workers: int,
    *,
    before: float = 0.0,
    after: float = 0.0,
    start_up: float = 0.0,
    hand_out: float = 0.0,
    chunk: int = 1,
) -> Timeline:
    """Run tasks on a pool: each chunk goes to the worker that is free first (list scheduling; Graham, 1969).

    Without costs of handing out, the time of the tasks is at most `total / workers + (1 - 1 / workers) * largest chunk`
    (Graham's argument, for tasks that do not wait for one another).

    Args:
        tasks: seconds of each, in the order of the queue, at least 0.
        workers: at least 1.
        before: seconds that the program needs alone before the first task.
        after: the same after the last.
        start_up: seconds to start a worker; they are started one after the other.
        hand_out: seconds in which the program puts a chunk into the queue, one chunk after the other.
        chunk: tasks that are handed out together.

    Raises:
        ValueError: if a number is out of range, or there is no task.
    """
    if not len(tasks) or min(tasks) < 0:
        raise ValueError(f"there are {len(tasks)} tasks; at least one is needed, and none may take less than 0 seconds")
    if workers < 1 or chunk < 1:
        raise ValueError(f"workers={workers} and chunk={chunk} must be at least 1")
    if min(before, after, start_up, hand_out) < 0:
        raise ValueError("a time is below 0: before, after, start_up and hand_out must be at least 0")
    free = [(before + start_up * (worker + 1), worker) for worker in range(workers)]  # a heap: the first to be free
    queued = before + start_up * workers
    spans = []
    for first in range(0, len(tasks), chunk):
        queued += hand_out
        ready, worker = heapq.heappop(free)
        start = max(ready, queued)
        end = start + sum(tasks[first : first + chunk])
        spans.append(Span(worker, start, end, first))
        heapq.heappush(free, (end, worker))
    parallel_end = max(span.end for span in spans)
    return Timeline(spans, parallel_end + after, parallel_end)
