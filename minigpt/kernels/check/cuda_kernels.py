"""Every kernel in CUDA C++, compiled for every architecture, on a machine without a GPU."""

from __future__ import annotations

import functools

from minigpt.kernels.check.table import ARCHITECTURES, Task
from minigpt.kernels.cuda.compile import usage
from minigpt.kernels.cuda.rungs import RUNGS, source


def tasks() -> list[Task]:
    """One for each rung of the ladder and each architecture; tensor cores are expected of the last rung alone."""
    return [
        Task(
            name=f"cuda.{name}",
            architecture=architecture,
            run=functools.partial(usage, source(name), name, architecture),
            matrix="wmma.mma" if name == "matmul_wmma" else None,
            registers=128,
        )
        for name in RUNGS
        for architecture in ARCHITECTURES
    ]
