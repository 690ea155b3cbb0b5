"""Turns the run of `make base-model` into the base model of the package: weights in half precision, and a card.

python tools/base_model.py _build/base-model
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from minigpt.files import atomic_write
from minigpt.models import load_model, save_model
from minigpt.models.base import BASE_MODEL
from minigpt.models.folder import TOKENIZER, WEIGHTS
from minigpt.training import read_record

CARD, CURVE, MEASURES = "README.md", "curve.jsonl", "measures.json"


def measure(folder: Path) -> dict[str, Any]:
    """What `minigpt evaluate` says of the model, as it is stored."""
    command = [sys.executable, "-m", "minigpt", "evaluate", str(folder), "--village", "village"]
    done = subprocess.run(
        [*command, "--stories", "1000", "--samples", "500", "--json"], check=True, capture_output=True
    )
    return json.loads(done.stdout)["village"]


def card(run: dict[str, Any], record: list[dict[str, Any]], found: dict[str, Any], checksum: str) -> str:
    """What a person should know about the model before they use it."""
    training, settings = run["training"], run["settings"]
    last = [line for line in record if "loss" in line][-1]
    loss, written = found["loss"], found["written"]
    share, plateau = loss["excess, share of the true entropy"], loss["the same without the state"]
    rows = [
        f"| excess over the true entropy | {share[0]:.1%} ({share[1]:.1%} to {share[2]:.1%}) |",
        f"| the same for a reader who knows the grammar and not the state | {plateau[0]:.1%} |",
    ]
    rows += [f"| probes of single bindings: {name} | {_shown(value)} |" for name, value in found["probes"].items()]
    rows += [f"| its own stories: {name} | {_shown(value)} |" for name, value in written.items()]
    return "\n".join(
        [
            "# The base model of the village",
            "",
            "A small GPT that writes stories of the village (`minigpt.village`, size `village`), and nothing else. It "
            "is made for the course: its world is invented, its vocabulary is that of a children's book, and whatever "
            "it says about the real world is chance. Weights are stored in float16.",
            "",
            f"- Made by: `make base-model STEPS={training['steps']}`; settings of the run: {json.dumps(settings)}",
            f"- Stories: generated, seed {2 * run['seed']}; none is read twice, none is among those it is measured on",
            f"- Steps: {training['steps']}, {last['tokens']:,} tokens; optimiser {training['optimizer']}, "
            f"schedule {training['schedule']}",
            f"- Machine: {json.dumps(run['machine'])}; {last['seconds'] / 3600:.1f} hours",
            f"- SHA-256 of `{WEIGHTS}`: `{checksum}`",
            f"- Its curve is in `{CURVE}`, everything measured in `{MEASURES}`.",
            "",
            "| measured on the stored file (95 % interval) | |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"{value[0]:.3f} ({value[1]:.3f} to {value[2]:.3f})"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Store, measure, describe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder that `minigpt train` wrote")
    parser.add_argument("--out", type=Path, default=BASE_MODEL)
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True)
    save_model(load_model(arguments.run, dtype=torch.float16), arguments.out)
    shutil.copyfile(arguments.run / TOKENIZER, arguments.out / TOKENIZER)
    record = read_record(arguments.run / "metrics.jsonl")
    # The first steps one by one, later ones ever more rarely: enough for a curve.
    steps, kept = 0.0, []
    for line in record:
        if "validation_loss" in line or line["step"] >= steps:
            kept.append(line)
            steps = max(steps, line["step"]) * 1.03
    with atomic_write(arguments.out / CURVE) as file:
        file.writelines(json.dumps(line) + "\n" for line in kept)
    found = measure(arguments.out)
    with atomic_write(arguments.out / MEASURES) as file:
        json.dump(found, file, indent=1)
        file.write("\n")
    checksum = hashlib.sha256((arguments.out / WEIGHTS).read_bytes()).hexdigest()
    run = json.loads((arguments.run / "run.json").read_bytes())
    with atomic_write(arguments.out / CARD) as file:
        file.write(card(run, record, found, checksum))


if __name__ == "__main__":
    main()
