"""`{kernels} triton` and `{kernels} cuda`: each kernel, for which GPUs it was compiled, and on which it has run.

The first is told by `benchmarks/results/compiled.json`, which `python -m minigpt.kernels.check --store` writes, the
second by the folders of devices in `benchmarks/results/`, which `make gpu` writes: no cell is typed by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from minigpt_book.tables import table

PARTS = {
    "memory": ("softmax", "norm", "norm_wide", "rotary", "activation", "adamw"),
    "loss": ("loss",),
    "matmul": ("matmul",),
    "attention": ("attention", "attention_backward", "attention_backward_kv", "attention_backward_q"),
    "decode": ("decode",),
    "scaled": ("quantize", "quantize_blocks"),
    "moe": ("moe",),
    "ladder": ("cuda",),
}
"""Which benchmark of `benchmarks/gpu` runs the kernels of which modules."""


def runs(results: Path) -> dict[str, list[str]]:
    """For each module of kernels the devices on which a benchmark of it was stored, with the date.

    Args:
        results: the folder of all results.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(results.glob("*/*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        for module in PARTS.get(path.stem, ()) if data.get("rows") else ():
            found.setdefault(module, []).append(f"{data['device']['name']}, {data['date']}")
    return found


def taken(usage: dict[str, Any] | None) -> str:
    """Registers of a thread, and what spills; a dash where a kernel is not compiled."""
    if usage is None:
        return "–"
    return str(usage["registers"]) + (f" + {usage['local']} B" if usage["local"] else "")


def rows(data: dict[str, Any], modules: set[str], ran: dict[str, list[str]]) -> list[list[str]]:
    """The table of some modules: its head, then a line for each kernel.

    Args:
        data: what the check stored.
        modules: whose kernels to show.
        ran: on which devices the kernels of a module have run.
    """
    columns = data["architectures"]
    lines = [["module", "kernel", *(f"{name} (sm_{number})" for number, name in columns.items()), "matrices", "run on"]]
    for entry in data["kernels"]:
        if entry["module"] in modules:
            matrices = dict.fromkeys(usage["matrix"] for usage in entry["usage"].values() if usage["matrix"])
            lines.append(
                [
                    entry["module"],
                    entry["kernel"],
                    *(taken(entry["usage"].get(number)) for number in columns),
                    ", ".join(matrices) or "–",
                    "; ".join(ran.get(entry["module"], ())) or "no GPU yet",
                ]
            )
    return lines


class Kernels(SphinxDirective):
    """The directive."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table, and the line with the compilers."""
        results = Path(self.env.srcdir, "benchmarks", "results")
        path = results / "compiled.json"
        if not path.is_file() or self.arguments[0] not in ("triton", "cuda"):
            raise self.error(f"{{kernels}} takes triton or cuda, and {path.name} from minigpt.kernels.check --store")
        for source in (path, *results.glob("*/*.json")):
            self.env.note_dependency(str(source))
        data = json.loads(path.read_text(encoding="utf-8"))
        cuda = self.arguments[0] == "cuda"
        modules = {entry["module"] for entry in data["kernels"] if (entry["module"] == "cuda") == cuda}
        compiler = ("NVRTC", "nvrtc") if cuda else ("Triton", "triton")
        said = f"Compiled with {compiler[0]} {data['versions'][compiler[1]]}."
        return [
            table(rows(data, modules, runs(results)), heads=2),
            nodes.paragraph("", said, classes=["conditions"]),
        ]


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("kernels", Kernels)
