"""What `make gpu` measured: the ladder in CUDA C++, kernels beside their peers, and the roofline of a GPU.

The files are those of `benchmarks/results/<device>/`; `benchmarks/gpu/README.md` tells their form. Where nothing was
measured there is nothing to draw, and the functions say so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigpt.plotting.style import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Results = Mapping[str, Mapping[str, Any]]
"""By the name of a benchmark, what is in its file."""

COPY = "copy"
HUES = ("orange", "green", "purple", "sky", "yellow")


def gpu_results(folder: str | os.PathLike[str], device: str | None = None) -> dict[str, dict[str, Any]]:
    """Read what was measured on a GPU; empty where nothing was.

    Args:
        folder: the folder of all results, such as `"../benchmarks/results"`.
        device: the folder in it that is the device's, such as `"nvidia-h200"`; by default the first of those there are.

    Raises:
        ValueError: if a device is named of which there are no results.
    """
    measured = sorted(path.name for path in Path(folder).glob("*/") if any(path.glob("*.json")))
    if device is not None and device not in measured:
        raise ValueError(f"there are no results of {device!r} in {os.fspath(folder)}; there are {measured or 'none'}")
    if not measured:
        return {}
    files = sorted(Path(folder, device or measured[0]).glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def conditions(results: Results) -> str:
    """One line on which GPU the results are from, with which versions, when, and of which commit.

    Args:
        results: from `gpu_results`.

    Raises:
        ValueError: if there are none.
    """
    _check(results)
    each = list(results.values())
    last = max(each, key=lambda one: one["date"])
    versions = ", ".join(f"{name} {version}" for name, version in last["versions"].items())
    commits = sorted({(one["commit"] or "unknown")[:7] + ("" if one["clean"] else " with changes") for one in each})
    return f"{last['device']['name']}; {versions}; {last['date']}; commit {', '.join(commits)}"


def plot_ladder(results: Results, operation: str = "matmul ladder", ax: Axes | None = None) -> Axes:
    """Draw the rate of each rung, from the bottom of the ladder up, and that of its peers below.

    Args:
        results: from `gpu_results`.
        operation: `"matmul ladder"`, `"sum"`, `"softmax"` or `"vector addition"`.
        ax: where to draw; by default new axes.

    Raises:
        ValueError: if the ladder was not measured.
    """
    rows = [row for row in _rows(results, ["ladder"]) if row["operation"] == operation]
    if not rows:
        known = sorted({row["operation"] for row in _rows(results, ["ladder"])})
        raise ValueError(f"the ladder of {operation!r} was not measured; there are {known}")
    unit = "TFLOP/s" if all("TFLOP/s" in row for row in rows) else "GB/s"
    several = len({row["dtype"] for row in rows}) > 1
    ax = ax or _axes(len(rows))
    for place, row in enumerate(rows):
        # A rate is a constant divided by the time, so that the quartiles change places.
        low, high = (row[unit] * row["ms"] / row[end] for end in ("ms_high", "ms_low"))
        ours = "times_as_fast_as" in row
        ax.barh(place, row[unit], color=COLORS["blue" if ours else "grey"])
        ax.plot([low, high], [place, place], color=COLORS["black"], linewidth=1)
        ax.annotate(f"{row[unit]:.3g}", (high, place), (3, 0), textcoords="offset points", va="center", fontsize=9)
    names = [row["implementation"].replace("_", " ") + (f", {row['dtype']}" if several else "") for row in rows]
    ax.set_yticks(range(len(rows)), names)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.margins(x=0.12)
    ax.set_xlabel(f"{rows[0]['case']}: {unit}")
    return ax


def plot_peers(results: Results, names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw for each comparison how many times as fast as each of its peers we are; to the right of 1 we are faster.

    Args:
        results: from `gpu_results`.
        names: which benchmarks; by default all but the ladder.
        ax: where to draw; by default new axes.

    Raises:
        ValueError: if none of them was measured.
    """
    rows = _ours(results, names)
    ax = ax or _axes(len(rows))
    peers = list(dict.fromkeys(peer for row in rows for peer in row["times_as_fast_as"]))
    for i, peer in enumerate(peers):
        points = [
            (place, *row["times_as_fast_as"][peer]) for place, row in enumerate(rows) if peer in row["times_as_fast_as"]
        ]
        places, median, low, high = zip(*points, strict=True)
        color = COLORS["grey"] if peer == COPY else COLORS[HUES[i % len(HUES)]]
        ax.hlines(places, low, high, color=color, linewidth=1.5)
        ax.plot(median, places, "osDv^"[i % 5], color=color, markersize=5, label=peer)
    ax.axvline(1, color=COLORS["black"], linewidth=1)
    ax.set_yticks(range(len(rows)), [f"{row['operation']}, {row['case']}, {row['dtype']}" for row in rows], fontsize=8)
    ax.invert_yaxis()
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("times as fast as")
    ax.legend(fontsize=8)
    return ax


def plot_gpu_roofline(results: Results, names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw what our kernels reach over their intensity, below the roof of the best that was measured in the same runs.

    The slope is the bandwidth of the fastest copy, the flat part the highest rate of anything in 16 bits.

    Args:
        results: from `gpu_results`.
        names: which benchmarks; by default all but the ladder.
        ax: where to draw; by default new axes.

    Raises:
        ValueError: if nothing was measured of which both operations and bytes were counted, or no copy.
    """
    import matplotlib.pyplot as plt

    every = _rows(results, list(results))
    copies = [row["GB/s"] for row in every if row["implementation"] == COPY and "GB/s" in row]
    rates = [row["TFLOP/s"] for row in every if row["dtype"] in ("bfloat16", "float16") and "TFLOP/s" in row]
    ours = [row for row in _ours(results, names) if "flops" in row and "bytes" in row]
    if not copies or not ours or not rates:
        raise ValueError(
            "a roofline needs a copy, and kernels whose operations and bytes were counted; measure `memory`"
        )
    bandwidth, most = max(copies) / 1000, max(rates)  # TB/s and TFLOP/s
    ax = ax or plt.subplots()[1]
    intensities = [row["flops"] / row["bytes"] for row in ours]
    ridge = most / bandwidth
    ends = min([*intensities, ridge]) / 2, max([*intensities, ridge]) * 2
    ax.plot([ends[0], ridge, ends[1]], [ends[0] * bandwidth, most, most], color=COLORS["grey"])
    for i, benchmark in enumerate(dict.fromkeys(row["benchmark"] for row in ours)):
        points = [
            (x, row["TFLOP/s"]) for x, row in zip(intensities, ours, strict=True) if row["benchmark"] == benchmark
        ]
        color = COLORS[("blue", *HUES)[i % (1 + len(HUES))]]
        ax.plot(*zip(*points, strict=True), "osDv^P"[i % 6], color=color, label=benchmark)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("intensity (operations a byte)")
    ax.set_ylabel("TFLOP/s")
    ax.legend()
    return ax


def _check(results: Results) -> None:
    if not results:
        raise ValueError("nothing was measured on a GPU yet; whoever has one runs `make gpu`, which writes the results")


def _rows(results: Results, names: Sequence[str]) -> list[dict[str, Any]]:
    _check(results)
    return [{**row, "benchmark": name} for name in names if name in results for row in results[name]["rows"]]


def _ours(results: Results, names: Sequence[str] | None) -> list[dict[str, Any]]:
    asked = [name for name in results if name != "ladder"] if names is None else names
    found = [row for row in _rows(results, asked) if row.get("times_as_fast_as")]
    if not found:
        raise ValueError(f"nothing of {', '.join(asked) or 'all'} was measured; there are {', '.join(results)}")
    return found


def _axes(rows: int) -> Axes:
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(7.0, 0.9 + 0.28 * rows))[1]
