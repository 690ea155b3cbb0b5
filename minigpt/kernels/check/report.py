"""What the check found, as data: the tables of kernels in the book are made from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from minigpt.kernels.check.table import ARCHITECTURES, Task, Usage
from minigpt.kernels.cuda import compile as cuda
from minigpt.kernels.dispatch import has_triton


def report(found: Iterable[tuple[Task, Usage]]) -> dict[str, Any]:
    """What each kernel takes on each architecture, and which compilers made it.

    Args:
        found: compilations, with what came of them.
    """
    kernels: dict[str, dict[str, Any]] = {}
    for task, usage in found:
        module, _, name = task.name.partition(".")
        entry = kernels.setdefault(task.name, {"module": module, "kernel": name, "usage": {}})
        entry["usage"][str(task.architecture)] = asdict(usage)
    versions = {}
    if has_triton():
        versions["triton"] = version("triton")
    if cuda.has_nvrtc():
        versions["nvrtc"] = ".".join(map(str, cuda.version()))
    return {
        "about": "python -m minigpt.kernels.check --store: what each kernel takes of a GPU, found without one",
        "versions": versions,
        "architectures": {str(number): architecture.name for number, architecture in ARCHITECTURES.items()},
        "kernels": list(kernels.values()),
    }
