"""Forward and backward pass of this package's GPT beside Hugging Face's GPT-2 and Llama of the same shape, on a CPU.

    python benchmarks/models.py

The two models have the same weights, and their losses are compared before anything is timed. Then they take turns, step
by step, so that whatever else the machine does hits both; what counts is the median of the ratios. Measured is the time
by the clock, and beside it the processor time, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
import transformers
from peers.gpt2 import hugging_face_gpt2
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.files import atomic_write
from minigpt.interop.hugging_face import load

RESULTS = Path(__file__).parent / "results" / "models.json"


class Shape(NamedTuple):
    """The sizes of a model and of what it reads."""

    n_layers: int
    d_model: int
    n_heads: int
    context: int
    batch: int
    vocab_size: int
    steps: int


SHAPES = {"small": Shape(4, 128, 4, 64, 12, 1024, 60), "large": Shape(12, 768, 12, 256, 2, 50257, 8)}


def gpt2(shape: Shape) -> nn.Module:
    """Hugging Face's GPT-2."""
    return hugging_face_gpt2(
        vocab_size=shape.vocab_size,
        context=shape.context,
        layers=shape.n_layers,
        heads=shape.n_heads,
        width=shape.d_model,
    )


def llama(shape: Shape) -> nn.Module:
    """Hugging Face's Llama, with half as many heads of keys and values."""
    config = transformers.LlamaConfig(
        vocab_size=shape.vocab_size,
        max_position_embeddings=shape.context,
        hidden_size=shape.d_model,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_heads // 2,
        # Two thirds of four times the width, up to a multiple of 64, as in Llama.
        intermediate_size=-(-8 * shape.d_model // 3 // 64) * 64,
        use_cache=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    return transformers.LlamaForCausalLM(config)


FAMILIES: dict[str, Callable[[Shape], nn.Module]] = {"gpt-2": gpt2, "llama": llama}


def step(model: nn.Module, logits: Callable[[Tensor], Tensor], ids: Tensor) -> Tensor:
    """One forward and backward pass; returns the loss."""
    model.zero_grad(set_to_none=True)
    loss = F.cross_entropy(logits(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    return loss.detach()


def measure(family: str, shape: Shape, steps: int) -> dict[str, object]:
    """Milliseconds of a step of both, and the ratios, in the present number of threads."""
    torch.manual_seed(0)
    theirs = FAMILIES[family](shape).train()
    ours = load(theirs).train()
    ids = torch.randint(shape.vocab_size, (shape.batch, shape.context + 1))
    runs = {
        "minigpt": lambda: step(ours, ours, ids),
        "transformers": lambda: step(theirs, lambda x: theirs(x).logits, ids),
    }
    losses = [run() for run in runs.values()]
    if not torch.allclose(*losses, rtol=1e-5):
        raise AssertionError(f"{family}: the losses are {losses[0]} and {losses[1]}, not the same")
    clock: dict[str, list[float]] = {name: [] for name in runs}
    processor: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(steps + 2):
        order = list(runs) if turn % 2 else list(runs)[::-1]
        for name in order:
            start, start_processor = time.perf_counter(), time.process_time()
            runs[name]()
            if turn > 1:  # the first two warm up
                processor[name].append(time.process_time() - start_processor)
                clock[name].append(time.perf_counter() - start)

    def ratio(times: dict[str, list[float]]) -> list[float]:
        return [a / b for a, b in zip(times["minigpt"], times["transformers"], strict=True)]

    low, middle, high = statistics.quantiles(ratio(clock), n=4, method="inclusive")
    return {
        "milliseconds": {name: float(f"{1000 * statistics.median(values):.3g}") for name, values in clock.items()},
        "ratio": {
            "median": round(middle, 2),
            "lower_quartile": round(low, 2),
            "upper_quartile": round(high, 2),
            "processor_time": round(statistics.median(ratio(processor)), 2),
        },
    }


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1, help="how many times as many steps as usual")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    results: dict[str, object] = {
        "about": "python benchmarks/models.py: forward and backward, medians over steps taken in turn",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "shapes": {name: shape._asdict() for name, shape in SHAPES.items()},
        "runs": [],
    }
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for name, shape in SHAPES.items():
            for family in FAMILIES:
                row = {"shape": name, "model": family, "threads": str(threads)}
                row |= measure(family, shape, arguments.repeat * shape.steps)
                results["runs"].append(row)
                print(row, flush=True)
    with atomic_write(arguments.out) as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
