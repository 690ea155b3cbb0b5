"""A training step of this package beside a plain loop and Hugging Face's model, on a CPU, in turns.

    python benchmarks/training.py

All train a model of the same shape on the same batches. The plain loop (`benchmarks/peers/plain_loop.py`) and GPT-2
of Transformers run in one process with two threads, as they come; ours is trained by `minigpt.training.Trainer`, once
in one process and once in two processes of one thread each, which share a batch, in float32 and in bfloat16. They
take turns in groups of steps, so that whatever else the machine does hits all; what counts is the median of the
ratios of tokens a second. Our model computes the same function as the plain one, with the exact GELU. That of
Transformers has its usual form through tanh, which PyTorch computes more slowly on a CPU, so the ratio to it is
partly a matter of that function. On one thread, the arithmetic of our step is compared with that of a large product
of matrices, measured in the same turn.

Then the plain loop trains on the characters of a megabyte of Python's documentation, and `minigpt train` with nothing
but that text has as long as it took for everything, from reading the file on: which of them predicts the last tenth
better? At last `minigpt train` reads stories of the hamlet for two minutes and for ten, beside the true entropy.

    python benchmarks/training.py quality hamlet

repeats only those parts and leaves the other results as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import torch
import torch.multiprocessing as mp
from peers.gpt2 import hugging_face_gpt2
from peers.plain_loop import PlainGPT, plain_loss, plain_optimizer, plain_run, plain_step

from minigpt.data import Loader, open_tokens, write_tokens
from minigpt.data.corpora import python_docs, python_docstrings
from minigpt.files import atomic_write
from minigpt.models import GPT, TransformerConfig
from minigpt.training import Trainer, TrainingConfig, flops_per_token, join_world, matmul_rate

RESULTS = Path(__file__).parent / "results" / "training.json"
GROUP = 10
"""Steps in a turn."""


class Shape(NamedTuple):
    """The sizes of the model and of a batch."""

    layers: int = 4
    heads: int = 4
    width: int = 128
    context: int = 64
    batch: int = 12
    vocab_size: int = 65


SHAPE = Shape()


def write_data(folder: Path) -> Path:
    """Random tokens: the time of a step does not depend on what they are."""
    ids = torch.randint(1, SHAPE.vocab_size, (100_000,), generator=torch.Generator().manual_seed(0)).tolist()
    write_tokens([ids], folder / "tokens", vocab_size=SHAPE.vocab_size, end_of_text=0)
    return folder / "tokens"


def loader(path: Path, rank: int = 0, size: int = 1) -> Loader:
    """The batches that all train on."""
    options = {"batch_size": SHAPE.batch // size, "context": SHAPE.context, "seed": 0}
    return Loader(open_tokens(path), **options, rank=rank, world_size=size)


def our_trainer(path: Path, precision: str, rank: int = 0, size: int = 1) -> Trainer:
    """GPT-2's parts at this shape, in our training loop."""
    config = TransformerConfig(
        vocab_size=SHAPE.vocab_size,
        n_layers=SHAPE.layers,
        d_model=SHAPE.width,
        n_heads=SHAPE.heads,
        context=SHAPE.context,
        # The plain loop's form. Through the tanh of the default, PyTorch takes twice as long on a CPU.
        activation="gelu",
    )
    model = GPT(config, generator=torch.Generator().manual_seed(0))
    settings = TrainingConfig(steps=10**6, precision=precision, evaluate_every=10**6)
    return Trainer(model, settings, loader(path, rank, size), world=join_world(), progress=False)


def plain(path: Path) -> Callable[[], None]:
    """A turn of the plain loop."""
    model = PlainGPT(SHAPE.vocab_size, SHAPE.context, SHAPE.layers, SHAPE.heads, SHAPE.width)
    return turn_of(model, model, plain_optimizer(model), loader(path))


def hugging_face(path: Path) -> Callable[[], None]:
    """A turn of Hugging Face's GPT-2 in the same loop, with PyTorch's own AdamW."""
    model = hugging_face_gpt2(
        vocab_size=SHAPE.vocab_size,
        context=SHAPE.context,
        layers=SHAPE.layers,
        heads=SHAPE.heads,
        width=SHAPE.width,
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99))
    return turn_of(model, lambda ids: model(ids).logits, optimizer, loader(path))


def turn_of(
    model: torch.nn.Module, logits: Callable, optimizer: torch.optim.Optimizer, batches: Loader
) -> Callable[[], None]:
    """A group of steps of a model in the plain loop."""
    model.train()
    state = {"step": 0}

    class Called(torch.nn.Module):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return logits(ids)

        def parameters(self, recurse: bool = True):
            return model.parameters(recurse)

    called = Called()

    def turn() -> None:
        for _ in range(GROUP):
            batch = batches.batch(state["step"])
            plain_step(called, optimizer, batch.inputs, batch.targets)
            state["step"] += 1

    return turn


def ours(path: Path, precision: str) -> Callable[[], None]:
    """A turn of our trainer in this process."""
    trainer = our_trainer(path, precision)
    return lambda: trainer.train(until=trainer.step + GROUP) and None


def worker(rank: int, port: int, path: Path, precision: str, pipe: Connection) -> None:
    """One of two processes: waits for a word, makes a group of steps, says so."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    trainer = our_trainer(path, precision, rank, 2)
    while pipe.recv():
        trainer.train(until=trainer.step + GROUP)
        pipe.send(True)


class Pair:
    """Two processes of one thread each that train one model."""

    def __init__(self, path: Path, precision: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        context = mp.get_context("spawn")
        self.pipes, self.processes = [], []
        for rank in range(2):
            own, theirs = context.Pipe()
            process = context.Process(target=worker, args=(rank, port, path, precision, theirs), daemon=True)
            process.start()
            self.pipes.append(own)
            self.processes.append(process)

    def __call__(self) -> None:
        """A group of steps."""
        for pipe in self.pipes:
            pipe.send(True)
        for pipe in self.pipes:
            pipe.recv()

    def close(self) -> None:
        """End both."""
        for pipe in self.pipes:
            pipe.send(False)
        for process in self.processes:
            process.join()


def in_turns(runs: dict[str, Callable[[], None]], turns: int) -> dict[str, list[float]]:
    """Seconds of each turn of each."""
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(turns):
        names = list(runs) if turn % 2 else list(runs)[::-1]
        for name in names:
            start = time.perf_counter()
            runs[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(seconds: dict[str, list[float]], ours: str, theirs: str) -> dict[str, float]:
    """How many times as many tokens a second: median and quartiles over the turns."""
    pairs = [b / a for a, b in zip(seconds[ours], seconds[theirs], strict=True)]
    low, middle, high = statistics.quantiles(pairs, n=4, method="inclusive")
    return {"median": round(middle, 2), "lower_quartile": round(low, 2), "upper_quartile": round(high, 2)}


def step_times(path: Path, turns: int) -> list[dict[str, object]]:
    """The rows of the table: every way to make a step, beside both peers."""
    torch.set_num_threads(2)
    pairs = {precision: Pair(path, precision) for precision in ("float32", "bfloat16")}
    runs: dict[str, Callable[[], None]] = {"plain loop": plain(path), "transformers": hugging_face(path)}
    for precision in pairs:
        runs[f"minigpt, {precision}, two threads"] = ours(path, precision)
        runs[f"minigpt, {precision}, two processes"] = pairs[precision]
    seconds = in_turns(runs, turns)
    for pair in pairs.values():
        pair.close()
    rows = []
    for name, values in seconds.items():
        row: dict[str, object] = {"run": name, "milliseconds": round(1000 * statistics.median(values) / GROUP, 1)}
        row["tokens_per_second"] = round(GROUP * SHAPE.batch * SHAPE.context / statistics.median(values))
        if name.startswith("minigpt"):
            row |= {f"times {peer}": ratios(seconds, name, peer) for peer in ("plain loop", "transformers")}
        rows.append(row)
        print(row, flush=True)
    return rows


def use_of_one_thread(path: Path, turns: int) -> dict[str, object]:
    """The share of the rate of a large product of matrices that a step reaches, in float32 on one thread."""
    torch.set_num_threads(1)
    run = ours(path, "float32")
    run()
    trainer = our_trainer(path, "float32")
    flops = flops_per_token(trainer.model.config, SHAPE.context) * SHAPE.batch * SHAPE.context
    shares, rates = [], []
    for _ in range(turns):
        rates.append(matmul_rate(torch.float32))
        start = time.perf_counter()
        run()
        shares.append(GROUP * flops / (time.perf_counter() - start) / rates[-1])
    row = {
        "matmul_gflops": round(statistics.median(rates) / 1e9),
        "share": round(statistics.median(shares), 2),
        "best_share": round(max(shares), 2),
    }
    print(row, flush=True)
    return row


def documentation(characters: int = 1_000_000) -> str:
    """The first characters of the documentation and the docstrings that ship inside CPython."""
    parts, length = [], 0
    for text in chain(python_docs(), python_docstrings()):
        parts.append(text)
        length += len(text) + 1
        if length > characters:
            break
    return "\n".join(parts)[:characters]


def plain_quality(text: str, steps: int) -> dict[str, object]:
    """What the plain loop reaches on a text, and in what time; the last tenth of it is kept to validate on."""
    torch.set_num_threads(2)
    number = {character: i for i, character in enumerate(sorted(set(text)))}
    ids = torch.tensor([number[character] for character in text])
    train, validation = ids[: -len(ids) // 10], ids[-len(ids) // 10 :]
    torch.manual_seed(0)
    model = PlainGPT(len(number), SHAPE.context, SHAPE.layers, SHAPE.heads, SHAPE.width)
    start = time.perf_counter()
    plain_run(model, train, steps, batch=SHAPE.batch, context=SHAPE.context)
    seconds = time.perf_counter() - start
    row = {
        "characters": len(text),
        "distinct_characters": len(number),
        "steps": steps,
        "seconds": round(seconds, 1),
        "validation_loss": round(plain_loss(model, validation, SHAPE.context), 3),
    }
    print(row, flush=True)
    return row


def trained(folder: Path, *arguments: str) -> dict[str, object]:
    """A run of `minigpt train`: its settings and its record."""
    command = [sys.executable, "-m", "minigpt", "train", "--out", str(folder), *arguments]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    run = json.loads((folder / "run.json").read_bytes())
    record = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {"seconds": time.perf_counter() - start, "run": run, "record": record}


def quality(folder: Path, steps: int) -> list[dict[str, object]]:
    """The plain loop on a megabyte of text, and `minigpt train` in the same time; losses in nats a character."""
    text = documentation()
    plain_row = plain_quality(text, steps)
    rows = [{"run": "plain loop"} | plain_row]
    path = folder / "documentation.txt"
    path.write_text(text, encoding="utf-8")
    for name, more in {"minigpt train": [], "minigpt train --tokenizer char": ["--tokenizer", "char"]}.items():
        out = folder / name.replace(" ", "-")
        done = trained(out, "--data", str(path), "--minutes", str(plain_row["seconds"] / 60), *more)
        kept = text[round(0.9 * len(text)) :]
        tokens = open_tokens(out / "data/validation.tokens")
        losses = [line["validation_loss"] for line in done["record"] if "validation_loss" in line]
        row = {
            "run": name,
            "steps": done["run"]["training"]["steps"],
            "seconds": round(done["seconds"], 1),
            "validation_loss": round(min(losses) * (len(tokens) - 1) / len(kept), 3),
        }
        rows.append(row)
        print(row, flush=True)
    return rows


def hamlet(folder: Path) -> list[dict[str, object]]:
    """What `minigpt train` makes of the hamlet in two and in ten minutes; losses above the entropy, as shares of it."""
    rows = []
    for minutes in (2, 10):
        out = folder / f"hamlet-{minutes}"
        done = trained(out, "--data", "hamlet", "--minutes", str(minutes))
        command = [sys.executable, "-m", "minigpt", "evaluate", str(out), "--village", "hamlet", "--json"]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["village"]
        floor = done["run"]["floor"]
        share, low, high = found["loss"]["excess, share of the true entropy"]
        row = {
            "minutes": minutes,
            "steps": done["run"]["training"]["steps"],
            "seconds": round(done["seconds"], 1),
            "precision": done["run"]["training"]["precision"],
            "excess": [round(share, 4), round((high - low) / 2, 4)],
            "without_the_state": round(found["loss"]["the same without the state"][0], 4),
            "curve": [
                [line["step"], round(line["validation_loss"] / floor - 1, 4)]
                for line in done["record"]
                if "validation_loss" in line
            ],
        }
        rows.append(row)
        print(row, flush=True)
    return rows


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="of steps, quality, hamlet (default: all)")
    parser.add_argument("--turns", type=int, default=20, help="turns of each, of ten steps")
    parser.add_argument("--steps", type=int, default=2000, help="steps of the plain loop on real text")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    parts = arguments.parts or ["steps", "quality", "hamlet"]
    results = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    results |= {
        "about": "python benchmarks/training.py: a training step, medians over turns of ten steps",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "shape": SHAPE._asdict(),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "steps" in parts:
            path = write_data(folder)
            results["steps"] = step_times(path, arguments.turns)
            results["one_thread"] = use_of_one_thread(path, arguments.turns)
        if "quality" in parts:
            results["documentation"] = quality(folder, arguments.steps)
        if "hamlet" in parts:
            results["hamlet"] = hamlet(folder)
    with atomic_write(arguments.out) as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
