"""One benchmark in a process of its own: `python -m benchmarks.gpu matmul`. `tools/gpu.py` calls it."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.results import RESULTS, Bench
from benchmarks.gpu.timing import Cpu, Gpu


def main(arguments: Sequence[str] | None = None) -> Bench:
    """Run it; returns what it found, which is in the file too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("name", help="of a module of this folder")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of all results")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each comparison")
    parser.add_argument("--commit", help="of which commit this folder is a copy, where it is no repository")
    parser.add_argument(
        "--trial", action="store_true", help="on the CPU at tiny sizes, to see that it runs; needs --out"
    )
    asked = parser.parse_args(arguments)
    if asked.trial and asked.out == RESULTS:
        parser.error("--trial measures nothing that may stand among the results: give another folder by --out")
    module = importlib.import_module(f"benchmarks.gpu.{asked.name}")
    device = Cpu() if asked.trial else Gpu()
    bench = Bench(asked.name, module.ABOUT, device, asked.out, asked.trial, asked.seconds, asked.commit)
    module.run(bench)
    print(f"  written to {bench.path}", flush=True)
    return bench


if __name__ == "__main__":
    main()
