"""Chapter 7 with other seeds: translators with and without positions, trained by the chapter's own cells.

    python benchmarks/encoders.py

Writes `benchmarks/results/encoders.json`; about a minute of one core for each translator.
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CELLS = ("hide-code", "muon-code", "train-code", "pairs-code", "distance-code", "translator-code", "translator-train")
CELLS += ("write-code", "look-code", "count-code")
LAST = ("\nmodel, losses =", "\nmorning =", "\nverb =")  # what comes from here on uses the chapter's own model
RUNS = ((1, "learned"), (0, "none"), (2, "learned"), (1, "none"))


def chapter() -> dict:
    """The names that the chapter's cells define, without its own training runs."""
    notebook = json.loads((ROOT / "notebooks" / "07-encoders.ipynb").read_text(encoding="utf-8"))
    sources = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}
    names: dict = {}
    exec(sources["imports"], names)
    names["plt"].switch_backend("agg")
    names["parts"] = {"norm": "rms", "bias": False, "activation": "relu"}  # as in the cell "readers-code"
    for id in CELLS:
        defined = sources[id]
        for last in LAST:
            defined = defined.partition(last)[0]
        exec(defined, names)
    return names


def measure(names: dict, seed: int, positions: str) -> dict:
    """Train a translator, and measure what the chapter measures."""
    model, losses = names["translator"](seed, positions=positions)
    held_out, words = names["held_out"], names["words"]
    wrong = [
        (row, words(pair.german))
        for row, pair in zip(names["write"](model, held_out), held_out, strict=True)
        if row != words(pair.german)
    ]
    verb = names["on_the_verb"](model, names["separable"])
    return {
        "seed": seed,
        "positions": positions,
        "sentences": len(held_out),
        "right": len(held_out) - len(wrong),
        "only the order wrong": sum(sorted(row) == sorted(german) for row, german in wrong),
        "last loss": round(sum(losses[-20:]) / 20, 3),
        "heads with both halves on the verb": int((verb > 0.5).all(0).sum()),
        "weight on the verb": [[round(float(x), 3) for x in half.flatten()] for half in verb],
    }


def main() -> None:
    """Measure every run, and write after each."""
    names, results = chapter(), []
    for seed, positions in RUNS:
        results.append(measure(names, seed, positions))
        text = json.dumps({"torch": names["torch"].__version__, "runs": results}, indent=1)
        (ROOT / "benchmarks" / "results" / "encoders.json").write_text(text + "\n", encoding="utf-8")
        print(results[-1], flush=True)


if __name__ == "__main__":
    main()
