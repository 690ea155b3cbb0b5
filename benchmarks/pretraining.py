"""Chapter 9's longer runs: learning rates, batch sizes, what the recipe is made of, a long run, and real text.

    python benchmarks/pretraining.py [rates] [batches] [parts] [long] [stretches] [docs]

Writes `benchmarks/results/pretraining.json` after every run; parts that are not asked for stay as they are. On one
thread all of it takes about an hour. Losses are in nats a token, and those of the village above the true entropy of the
stories that were measured (`excess`, as a share of that entropy).
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from minigpt.data import DocumentLoader, Loader, Tokens, open_tokens, python_docs, write_tokens
from minigpt.evaluation import SEED, ProbeScores, excess, judge, score_probes, spread
from minigpt.files import END_OF_TEXT, atomic_write
from minigpt.generation import generate
from minigpt.models import GPT, preset
from minigpt.tokenizers import BPETokenizer, Tokenizer, WordTokenizer
from minigpt.training import Trainer, TrainingConfig
from minigpt.village import stories
from minigpt.village.entropy import ratio

RESULTS = Path(__file__).with_name("results") / "pretraining.json"
SETTINGS: dict[str, Any] = {"weight_decay": 0.0, "schedule": "linear", "final": 0.02, "lr": 0.01, "muon_lr": 0.02}
GRIDS = {
    "sgd": ("lr", (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
    "adamw": ("lr", (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)),
    "muon": ("muon_lr", (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)),
}
"""The rate that is varied; with Muon that of the matrices, while AdamW's, for the rest, stays at 0.01."""
LONG = (("linear", 6000), ("wsd", 3000))
POINTS = (0, 10, 20, 50, 100, 150, 200, 300, 400, 600, 800, 1000, 1300, 1700, 2000, 2400, 2700, 3000)
POINTS += (3500, 4000, 4500, 5000, 5500, 6000)
STRETCHES = (1000, 1300, 1700, 2400, 3000)


class Hamlet:
    """Stories to train on, and others to measure on.

    Args:
        folder: where the tokens are written.
        n: number of stories to train on.
    """

    def __init__(self, folder: Path, n: int) -> None:
        self.tokenizer = WordTokenizer.train(
            (story.text for story in stories(5000, 0, "hamlet")), special_tokens=[END_OF_TEXT]
        )
        self.tokens = written(folder / "hamlet", self.tokenizer, (story.text for story in stories(n, 0, "hamlet")))
        self.held_out = list(stories(500, SEED, "hamlet"))

    def trainer(self, *, seed: int, batch_size: int, width: int = 128, shift: bool = True, **settings: Any) -> Trainer:
        """A trainer of a model of two blocks; the seed is that of the weights and of the order of the stories."""
        config = preset("tiny", vocab_size=self.tokenizer.vocab_size, context=128, d_model=width, token_shift=shift)
        model = GPT(config, generator=torch.Generator().manual_seed(seed))
        loader = DocumentLoader(self.tokens, batch_size=batch_size, context=128, seed=seed)
        return Trainer(model, TrainingConfig(**SETTINGS | settings), loader, progress=False)

    def excess(self, model: GPT) -> float:
        """What the loss on held-out stories is above the true entropy, as a share of it."""
        return round(excess(model, self.tokenizer, self.held_out).share.mean, 4)


def written(path: Path, tokenizer: Tokenizer, texts: Iterable[str]) -> Tokens:
    """Texts as tokens in a file."""
    ids = (tokenizer.encode(text) for text in texts)
    end = tokenizer.special_tokens[END_OF_TEXT]
    write_tokens(ids, path, vocab_size=tokenizer.vocab_size, end_of_text=end)
    return open_tokens(path)


def curve(trainer: Trainer, every: int) -> list[list[float]]:
    """Step and mean training loss of each stretch of `every` steps."""
    losses = [line["loss"] for line in trainer.record.lines if "loss" in line]
    means = [sum(losses[i : i + every]) / every for i in range(0, len(losses) - every + 1, every)]
    return [[every * (i + 1), round(mean, 3)] for i, mean in enumerate(means)]


def finished(trainer: Trainer) -> bool:
    """Train to the end; whether the loss stayed finite."""
    try:
        trainer.train()
    except FloatingPointError:
        return False
    return all(torch.isfinite(p).all() for p in trainer.model.parameters())


def rates(folder: Path, done: Callable[[dict], None]) -> None:
    """Every optimiser at six rates, three seeds: 300 steps of 16 stories, width 64."""
    hamlet = Hamlet(folder, 6000)
    for optimizer, (name, grid) in GRIDS.items():
        for rate in grid:
            for seed in range(3):
                settings = {"steps": 300, "warmup": 20, "log_every": 1, "optimizer": optimizer, name: rate}
                trainer = hamlet.trainer(seed=seed, batch_size=16, width=64, **settings)
                ends = finished(trainer)
                found = hamlet.excess(trainer.model) if ends else None
                result = {"optimizer": optimizer, "rate": rate, "seed": seed, "excess": found}
                done(result | {"curve": curve(trainer, 10)})


def batches(folder: Path, done: Callable[[dict], None]) -> None:
    """AdamW on the same 2,400 stories in batches of 4 to 64, at three rates, two seeds, width 64."""
    hamlet = Hamlet(folder, 2400)
    for batch_size in (4, 8, 16, 32, 64):
        steps = 2400 // batch_size
        for rate in (3e-3, 1e-2, 3e-2):
            for seed in range(2):
                settings = {"steps": steps, "warmup": steps // 15, "optimizer": "adamw", "lr": rate}
                trainer = hamlet.trainer(seed=seed, batch_size=batch_size, width=64, **settings)
                found = hamlet.excess(trainer.model) if finished(trainer) else None
                done({"batch_size": batch_size, "steps": steps, "rate": rate, "seed": seed, "excess": found})


def parts(folder: Path, done: Callable[[dict], None]) -> None:
    """The recipe of chapter 9 with and without the token shift and Muon: 400 steps of 16 stories, two seeds."""
    hamlet = Hamlet(folder, 8000)
    for optimizer, rate in (("muon", 1e-2), ("adamw", 5e-3)):
        for shift in (True, False):
            for seed in range(2):
                settings = {"steps": 400, "warmup": 20, "optimizer": optimizer, "lr": rate}
                trainer = hamlet.trainer(seed=seed, batch_size=16, shift=shift, **settings)
                found = hamlet.excess(trainer.model) if finished(trainer) else None
                done({"optimizer": optimizer, "rate": rate, "shift": shift, "seed": seed, "excess": found})


def long(folder: Path, done: Callable[[dict], None]) -> None:
    """The recipe for thousands of steps, measured on the way: loss, bindings, and what the model writes."""
    asked = spread(stories(2000, SEED + 1, "hamlet"), 150)
    kinds = list(dict.fromkeys(probe.kind for probe in asked))
    for schedule, steps in LONG:
        hamlet = Hamlet(folder, 16 * steps)
        end = hamlet.tokenizer.special_tokens[END_OF_TEXT]
        settings = {"optimizer": "muon", "schedule": schedule, "final": 0.02 if schedule == "linear" else 0.0}
        trainer = hamlet.trainer(seed=0, batch_size=16, steps=steps, warmup=20, **settings)
        for step in (point for point in POINTS if point <= steps):
            trainer.train(until=step)
            scores = score_probes(trainer.model, hamlet.tokenizer, asked)
            rows = generate(trainer.model, [[end]] * 100, 120, seed=1, end=[end])
            texts = [hamlet.tokenizer.decode(ids[:-1] if ids[-1] == end else ids) for ids in rows]
            judged = judge(texts, "hamlet")
            done({
                "schedule": schedule, "step": step, "excess": hamlet.excess(trainer.model),
                "probes": {kind: _scores(scores.of_kind(kind)) for kind in kinds},
                "grammatical": round(judged.grammatical.estimate, 2), "true": round(judged.true.estimate, 2),
            })  # fmt: skip


def stretches(folder: Path, done: Callable[[dict], None]) -> None:
    """The long run with WSD once more: what each stretch gains, as a share of the entropy, story by story.

    Both ends of a stretch are measured on the same stories, so what makes a story hard cancels, and half the width of
    the 95 % interval is that of the difference.
    """
    schedule, steps = LONG[1]
    hamlet = Hamlet(folder, 16 * steps)
    settings = {"optimizer": "muon", "schedule": schedule, "final": 0.0}
    trainer = hamlet.trainer(seed=0, batch_size=16, steps=steps, warmup=20, **settings)
    measured = []
    for step in STRETCHES:
        trainer.train(until=step)
        measured.append(excess(trainer.model, hamlet.tokenizer, hamlet.held_out))
    for begin, end, before, after in zip(STRETCHES, STRETCHES[1:], measured, measured[1:], strict=False):
        gains = [b - a for b, a in zip(before.differences, after.differences, strict=True)]
        gained = [round(number, 4) for number in ratio(gains, after.true_nats)]
        done({"begin": begin, "end": end, "excess": round(after.share.mean, 4), "gained": gained})


def _scores(scores: ProbeScores) -> dict[str, float]:
    accuracy, loss = scores.guessing
    return {"n": len(scores.probes), "accuracy": round(scores.accuracy.estimate, 3), "loss": round(scores.loss.mean, 3),
            "guessing": [round(accuracy, 3), round(loss, 3)]}  # fmt: skip


def docs(folder: Path, done: Callable[[dict], None]) -> None:
    """Python's own documentation: AdamW and Muon at two rates, two seeds, 200 steps of 16 windows of 128 tokens."""
    texts = list(python_docs())
    kept = texts[::10]
    learnt = [text for i, text in enumerate(texts) if i % 10]
    tokenizer = BPETokenizer.train(learnt, 1024, special_tokens=[END_OF_TEXT])
    tokens = [written(folder / name, tokenizer, part) for name, part in (("train", learnt), ("kept", kept))]
    n_bytes = sum(len(text.encode()) + 1 for text in kept)
    validation = Loader(tokens[1], batch_size=16, context=128, seed=0, repeat=False)
    for optimizer, name, grid in (("adamw", "lr", (3e-3, 1e-2)), ("muon", "muon_lr", (2e-2, 6e-2))):
        for rate in grid:
            for seed in range(2):
                settings = {"steps": 200, "warmup": 20, "optimizer": optimizer, "log_every": 1, name: rate,
                            "evaluate_batches": validation.batches_per_epoch, "evaluate_every": 200}  # fmt: skip
                model = GPT(preset("tiny", vocab_size=1024, context=128), generator=torch.Generator().manual_seed(seed))
                loader = Loader(tokens[0], batch_size=16, context=128, seed=seed)
                config = TrainingConfig(**SETTINGS | settings)
                trainer = Trainer(model, config, loader, validation=validation, progress=False)
                bits = None
                if finished(trainer):
                    nats = trainer.record.lines[-1]["validation_loss"] * (len(tokens[1]) - 1)
                    bits = round(nats / math.log(2) / n_bytes, 3)
                result = {"optimizer": optimizer, "rate": rate, "seed": seed, "bits_per_byte": bits}
                done(result | {"curve": curve(trainer, 20)})


EXPERIMENTS = {"rates": rates, "long": long, "batches": batches, "parts": parts, "stretches": stretches, "docs": docs}


def main() -> None:
    """Make the runs that are asked for, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", metavar="NAME", help=f"of {', '.join(EXPERIMENTS)} (default: all)")
    chosen = parser.parse_args().experiments or list(EXPERIMENTS)
    torch.set_num_threads(1)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results["torch"] = torch.__version__
    for name in chosen:
        results[name] = []

        def done(result: dict, name: str = name) -> None:
            results[name].append(result)
            with atomic_write(RESULTS) as file:
                rows = {key: [json.dumps(row) for row in value] for key, value in results.items() if key != "torch"}
                body = ",\n".join(f'"{key}": [\n' + ",\n".join(value) + "\n]" for key, value in rows.items())
                file.write(f'{{"torch": "{results["torch"]}",\n{body}}}\n')
            print({key: value for key, value in result.items() if key != "curve"}, flush=True)

        with tempfile.TemporaryDirectory() as folder:
            EXPERIMENTS[name](Path(folder), done)


if __name__ == "__main__":
    main()
