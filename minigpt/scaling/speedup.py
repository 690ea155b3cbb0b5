"""How much faster a program becomes with more workers: Amdahl's law, Gustafson's law, and the way back from a speed-up.

Both laws divide a program into a part that only one worker can do and a part that divides evenly. They differ in what
they hold fixed: Amdahl the problem, Gustafson the time.
"""

from __future__ import annotations

import math


def amdahl(serial: float, workers: float) -> float:
    """The speed-up of a fixed problem: `1 / (s + (1 - s) / m)` (Amdahl, 1967).

    Args:
        serial: `s`, from 0 to 1: the share of the time *of one worker* in the part that cannot be divided.
        workers: `m`, at least 1; `math.inf` gives the limit `1 / s`.

    Raises:
        ValueError: if a number is out of range.
    """
    _check(serial, workers)
    share = serial + (1 - serial) / workers
    return 1 / share if share else math.inf


def gustafson(serial: float, workers: float) -> float:
    """The speed-up of a problem that grows with the workers: `s + (1 - s) m` (Gustafson, 1988).

    Args:
        serial: from 0 to 1: the share of the time *of all workers together* (by the clock) in the part that cannot be
            divided. It is not Amdahl's `s`, which is a share of the time of one worker.
        workers: `m`, at least 1.

    Raises:
        ValueError: if a number is out of range.
    """
    _check(serial, workers)
    return serial + (1 - serial) * workers if serial < 1 else 1.0


def serial_fraction(speedup: float, workers: float) -> float:
    """The serial share that would explain a measured speed-up by Amdahl's law (Karp and Flatt, 1990, equation 2).

    If it grows with the workers, something that the law leaves out (starting, handing out, waiting) grows with them.

    Args:
        speedup: the time of one worker divided by that of `workers`, above 0.
        workers: more than 1.

    Raises:
        ValueError: if a number is out of range.
    """
    if not (speedup > 0 and workers > 1):
        raise ValueError(f"speedup={speedup} must be above 0 and workers={workers} above 1: one worker tells nothing")
    return (1 / speedup - 1 / workers) / (1 - 1 / workers)


def _check(serial: float, workers: float) -> None:
    if not 0 <= serial <= 1:
        raise ValueError(f"serial={serial} is a share of the time; it must be from 0 to 1")
    if not workers >= 1:
        raise ValueError(f"workers={workers} must be at least 1")
