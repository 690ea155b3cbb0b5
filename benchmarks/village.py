"""Measures the village: speed, words, entropy with and without the state, repeats. Run `python benchmarks/village.py`.

It prints a table and writes `benchmarks/results/village.json`. With `--check N` it also searches all derivations of N
stories (of N / 10 in the town), and fails unless each has exactly one, with the story's own probability.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import time
from collections import Counter
from pathlib import Path

from minigpt.files import atomic_write
from minigpt.village import SIZES, derivations, entropy, stories

RESULTS = Path(__file__).with_name("results") / "village.json"
SEED = 1
WORD = re.compile(r"[a-z]+(?:-[a-z]+)*(?:'s)?")
TIMED = {"hamlet": 2000, "village": 2000, "town": 400}
SCORED = {"hamlet": 4000, "village": 2000, "town": 300}
REPEATS = 10_000


def speed(size: str) -> float:
    """Megabytes of text a second of one core's time, probabilities included: the best of five runs."""
    n = TIMED[size]
    list(stories(20, SEED, size))
    best = math.inf
    for _ in range(5):
        start = time.process_time()
        length = sum(len(story.text) for story in stories(n, SEED, size))
        best = min(best, (time.process_time() - start) / length)
    return 1e-6 / best


def repeats(log_probs: list[float], texts: list[str]) -> tuple[int, float]:
    """Pairs of equal texts, and the number expected: pairs times the mean of the probability."""
    pairs = sum(count * (count - 1) // 2 for count in Counter(texts).values())
    mean = math.fsum(math.exp(log_prob) for log_prob in log_probs) / len(log_probs)
    return pairs, len(texts) * (len(texts) - 1) / 2 * mean


def measure(size: str) -> dict[str, object]:
    """Everything about one size."""
    told = list(stories(REPEATS if size != "town" else 2000, SEED, size))
    words = Counter(word for story in told for word in WORD.findall(story.text.lower()))
    pairs, expected = repeats([story.log_prob for story in told], [story.text for story in told])
    measured = entropy(size, SCORED[size], SEED, without_state=True)
    free = measured.without_state
    return {
        "megabytes_per_second": round(speed(size), 2),
        "stories": len(told),
        "word_forms": len(words),
        "words_per_story": round(sum(words.values()) / len(told), 1),
        "bytes_per_story": round(sum(len(story.text.encode()) for story in told) / len(told), 1),
        "repeated_pairs": pairs,
        "repeated_pairs_expected": float(f"{expected:.2g}"),
        "scored": SCORED[size],
        "nats_per_story": [round(value, 2) for value in measured.per_story],
        "nats_per_byte": [round(value, 5) for value in measured.per_byte],
        "nats_per_story_without_state": [round(value, 2) for value in free.per_story],
        "nats_per_byte_without_state": [round(value, 5) for value in free.per_byte],
        "excess_without_state_percent": round(100 * (free.per_story.mean / measured.per_story.mean - 1), 1),
    }


def check(size: str, n: int) -> dict[str, object]:
    """How many of `n` stories (a tenth in the town) have one derivation, and how far the probabilities are apart."""
    n = max(1, n // 10) if size == "town" else n
    single, apart = 0, 0.0
    for story in stories(n, SEED, size):
        found = derivations(story.text, size)
        single += len(found) == 1
        apart = max(apart, *(abs(each.log_prob - story.log_prob) for each in found))
    return {"stories": n, "with_one_derivation": single, "largest_difference": apart}


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", type=int, metavar="N", help="search all derivations of N stories of each size as well"
    )
    n = parser.parse_args().check
    results: dict[str, object] = {"python": platform.python_version(), "cpus": os.cpu_count(), "sizes": {}}
    old = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for size in SIZES:
        row = measure(size)
        row["check"] = check(size, n) if n else old.get("sizes", {}).get(size, {}).get("check")
        results["sizes"][size] = row
        print(f"{size}: " + ", ".join(f"{name} {value}" for name, value in row.items()))
        if n and row["check"]["with_one_derivation"] != row["check"]["stories"]:
            raise SystemExit(f"{size}: some stories have not exactly one derivation")
    with atomic_write(RESULTS) as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
