"""Time of one attention layer and of one LSTM layer over the length of the text, on one CPU thread.

    python benchmarks/attention_lstm.py

Both map T vectors of width `D_MODEL` to as many, T = 16 to 4096, one text at a time. The two take turns within a round,
and rounds are repeated: what counts are the ratios of the medians, of processor time. Forward is without gradients;
training is forward and backward. Beside the times stand the numbers of multiplications, which follow from the sizes.
They count all T^2 pairs; the kernel behind `causal=True` skips blocks of pairs that the mask hides.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor, nn

from minigpt.files import atomic_write
from minigpt.nn import Attention

D_MODEL, N_HEADS, ROUNDS = 256, 4, 15
LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
RESULTS = Path(__file__).parent / "results" / "attention_lstm.json"


def multiplications(length: int) -> dict[str, int]:
    """Products of numbers in one forward pass, from the sizes alone."""
    return {
        "attention": 4 * length * D_MODEL**2 + 2 * length**2 * D_MODEL,
        "lstm": 8 * length * D_MODEL**2,
    }


def layers() -> dict[str, Callable[[Tensor], Tensor]]:
    """The two layers, each as a map from (1, T, D) to (1, T, D)."""
    generator = torch.Generator().manual_seed(0)
    attention = Attention(D_MODEL, N_HEADS, causal=True, generator=generator)
    lstm = nn.LSTM(D_MODEL, D_MODEL, batch_first=True)
    return {"attention": attention, "lstm": lambda x: lstm(x)[0]}


def forward(layer: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Processor seconds of one forward pass."""
    with torch.no_grad():
        start = time.process_time()
        layer(x)
        return time.process_time() - start


def training(layer: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Processor seconds of one forward and backward pass."""
    x = x.clone().requires_grad_()
    start = time.process_time()
    layer(x).sum().backward()
    return time.process_time() - start


def measure(length: int) -> dict[str, object]:
    """Milliseconds of processor time, medians over rounds in which both layers take turns."""
    x = torch.rand(1, length, D_MODEL, generator=torch.Generator().manual_seed(length)) - 0.5
    both = layers()
    row: dict[str, object] = {"length": length, "multiplications": multiplications(length)}
    for way in (forward, training):
        seconds: dict[str, list[float]] = {name: [] for name in both}
        for round_number in range(ROUNDS + 1):
            for name, layer in both.items():
                taken = way(layer, x)
                if round_number:  # the first round warms up
                    seconds[name].append(taken)
        row[way.__name__] = {name: float(f"{1000 * statistics.median(s):.3g}") for name, s in seconds.items()}
    return row


def main() -> None:
    """Measure, print, and store."""
    torch.set_num_threads(1)
    results: dict[str, object] = {
        "about": "python benchmarks/attention_lstm.py: milliseconds of processor time, medians over rounds in turn",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "rounds": ROUNDS,
        "versions": {"torch": torch.__version__},
        "sizes": {"d_model": D_MODEL, "n_heads": N_HEADS, "batch": 1, "threads": 1},
        "lengths": [],
    }
    for length in LENGTHS:
        row = measure(length)
        results["lengths"].append(row)
        print(row)
    with atomic_write(RESULTS) as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
