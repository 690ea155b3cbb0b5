"""Writing with a model of 124 million parameters on a CPU: this package beside Hugging Face's `generate`, and the
key-value cache beside the loop without one.

    python benchmarks/generation.py

The model is GPT-2 with random weights, the same in both libraries; it reads a prompt of 256 tokens and then writes, one
text at a time, always the most likely token. Before anything is timed, the tokens of both are compared. Then all take
turns, round by round, so that whatever else the machine does hits all; what counts is the median of the ratios. Beside
the time by the clock stands the processor time, which other programs disturb less.
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

import torch
import transformers
from torch import Tensor, nn

from minigpt.files import atomic_write
from minigpt.generation import GREEDY, Decoder, beam_search, generate
from minigpt.interop.hugging_face import load
from minigpt.models import GPT

RESULTS = Path(__file__).parent / "results" / "generation.json"
PROMPT, TOKENS, TOKENS_WITHOUT_CACHE = 256, 64, 2
LENGTHS = (16, 64, 128, 256, 512, 900)
BEAMS = (1, 2, 4, 8)


def gpt2() -> nn.Module:
    """Hugging Face's GPT-2 of 124 million parameters, with random weights."""
    torch.manual_seed(0)
    return transformers.GPT2LMHeadModel(transformers.GPT2Config()).eval()


def theirs_writes(model: nn.Module, ids: Tensor, n_tokens: int) -> list[int]:
    """The tokens that `transformers` writes."""
    written = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=n_tokens,
        do_sample=False,
        pad_token_id=0,
        eos_token_id=None,
    )
    return written[0, ids.shape[1] :].tolist()


def ours_writes(model: GPT, ids: Tensor, n_tokens: int, *, use_cache: bool = True) -> list[int]:
    """The tokens that this package writes."""
    return generate(model, ids.tolist(), n_tokens, sampling=GREEDY, use_cache=use_cache)[0]


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    start, start_processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - start_processor


def in_turn(
    runs: dict[str, Callable[[], object]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Clock and processor seconds of each, taken in turn; the first round warms up and does not count."""
    clock: dict[str, list[float]] = {name: [] for name in runs}
    processor: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name in list(runs) if turn % 2 else list(runs)[::-1]:
            seconds, seconds_processor = timed(runs[name])
            if turn:
                clock[name].append(seconds)
                processor[name].append(seconds_processor)
    return clock, processor


def ratios(times: dict[str, list[float]], name: str, other: str) -> list[float]:
    """How many times as fast the one is as the other, round by round."""
    return [theirs / ours for ours, theirs in zip(times[name], times[other], strict=True)]


def beside_transformers(rounds: int) -> dict[str, object]:
    """Tokens a second of both, prompt included, in float32 and bfloat16, and how many times as fast this package is."""
    theirs = {"float32": gpt2(), "bfloat16": gpt2().to(torch.bfloat16)}
    ours = {dtype: load(model) for dtype, model in theirs.items()}
    ids = torch.randint(50257, (1, PROMPT), generator=torch.Generator().manual_seed(1))
    if ours_writes(ours["float32"], ids, 8) != theirs_writes(theirs["float32"], ids, 8):
        raise AssertionError("the two libraries write different tokens")
    runs = {f"minigpt, {dtype}": lambda dtype=dtype: ours_writes(ours[dtype], ids, TOKENS) for dtype in ours}
    runs |= {f"transformers, {dtype}": lambda dtype=dtype: theirs_writes(theirs[dtype], ids, TOKENS) for dtype in ours}
    # The text is as long as it is when half of the tokens are written: the mean of what is read again.
    half = torch.cat([ids, ids[:, : TOKENS // 2]], dim=1)
    runs["minigpt without cache, float32"] = lambda: ours_writes(
        ours["float32"], half, TOKENS_WITHOUT_CACHE, use_cache=False
    )
    clock, processor = in_turn(runs, rounds)
    for times in (clock, processor):
        # As if that one had written as many tokens.
        slow = times["minigpt without cache, float32"]
        slow[:] = [seconds * TOKENS / TOKENS_WITHOUT_CACHE for seconds in slow]
    pairs = {
        "float32": ("minigpt, float32", "transformers, float32"),
        "bfloat16": ("minigpt, bfloat16", "transformers, bfloat16"),
        "bfloat16 beside their float32": ("minigpt, bfloat16", "transformers, float32"),
        "float32 beside no cache": ("minigpt, float32", "minigpt without cache, float32"),
    }
    times_as_fast = {}
    for name, pair in pairs.items():
        low, middle, high = statistics.quantiles(ratios(clock, *pair), n=4, method="inclusive")
        times_as_fast[name] = {
            "median": round(middle, 2),
            "lower_quartile": round(low, 2),
            "upper_quartile": round(high, 2),
            "processor_time": round(statistics.median(ratios(processor, *pair)), 2),
        }
    return {
        "tokens_per_second": {name: round(TOKENS / statistics.median(values), 1) for name, values in clock.items()},
        "times_as_fast": times_as_fast,
    }


@torch.inference_mode()
def over_length(rounds: int) -> list[dict[str, object]]:
    """Milliseconds of processor time of one new token behind texts of several lengths, with a cache and without."""
    model = load(gpt2())
    rows = []
    for length in LENGTHS:
        ids = torch.randint(50257, (1, length), generator=torch.Generator().manual_seed(1)).tolist()
        decoder = Decoder(model, ids, 8 * (rounds + 1) + 1)
        token = torch.tensor([7])

        def with_cache(decoder: Decoder = decoder, token: Tensor = token) -> None:
            for _ in range(8):
                decoder.append(token)

        runs = {"with cache": with_cache, "without": lambda ids=ids: Decoder(model, ids, 1, use_cache=False)}
        _, processor = in_turn(runs, rounds)
        row = {
            "length": length,
            "with_cache": round(1000 / 8 * statistics.median(processor["with cache"]), 1),
            "without": round(1000 * statistics.median(processor["without"]), 1),
        }
        rows.append(row)
        print(row, flush=True)
    return rows


def over_beams(rounds: int) -> list[dict[str, object]]:
    """Milliseconds of processor time of one step of beam search, over the number of beams."""
    model = load(gpt2())
    ids = torch.randint(50257, (PROMPT,), generator=torch.Generator().manual_seed(1)).tolist()
    n = 8
    runs = {str(beams): lambda beams=beams: beam_search(model, ids, n + 1, n_beams=beams) for beams in BEAMS}
    runs["reading"] = lambda: Decoder(model, [ids], 1)
    with torch.inference_mode():
        _, processor = in_turn(runs, rounds)
    reading = statistics.median(processor.pop("reading"))
    return [
        {"beams": int(beams), "milliseconds": round(1000 / n * (statistics.median(values) - reading), 1)}
        for beams, values in processor.items()
    ]


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    results: dict[str, object] = {
        "about": f"python benchmarks/generation.py: a prompt of {PROMPT} tokens, {TOKENS} new ones, reading included; "
        "medians over rounds taken in turn",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "runs": [],
    }
    for threads in (1, 2):
        torch.set_num_threads(threads)
        row = {"threads": str(threads)} | beside_transformers(arguments.rounds)
        results["runs"].append(row)
        print(row, flush=True)
    torch.set_num_threads(1)
    results["length"] = over_length(arguments.rounds)
    results["beams"] = over_beams(arguments.rounds)
    print(results["beams"])
    with atomic_write(arguments.out) as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
