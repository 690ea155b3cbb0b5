"""Measures the cleaning of a crawl: the speed of each stage, and memory over 100,000 pages.

    python benchmarks/cleaning.py

It prints tables and writes `benchmarks/results/cleaning.json`; some three minutes on one core. Speed is that of one
core's time, in megabytes of the text that comes to a stage, the best of five runs; every stage gets all pages.
"""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random

from minigpt.data.cleaning import (
    Document,
    ExactCopies,
    LanguageClassifier,
    LanguageFilter,
    NearCopies,
    Pipeline,
    RepeatedSpans,
    Stage,
    UniqueAddresses,
    WordFilter,
    c4,
    gopher_quality,
    gopher_repetition,
    installed_texts,
    mask_personal,
    precision_and_recall,
    train_language,
)
from minigpt.files import atomic_write
from minigpt.village import sentence_pairs
from minigpt.village.crawl import BAD_WORDS, crawl
from minigpt.village.crawl.stock import SENTENCES

RESULTS = Path(__file__).with_name("results") / "cleaning.json"
SEED = 1
TIMED, STREAMED = 4_000, 100_000
ROUNDS = 5
MEGABYTE = 1e6


def classifier() -> LanguageClassifier:
    """A language classifier trained on 200 sentences of each language."""
    draw = Random(SEED)
    examples = [(write(draw), language) for language, write in SENTENCES.items() for _ in range(200)]
    return train_language(examples + [(pair.english, "en") for pair in sentence_pairs(200, SEED)])


def stages(languages: LanguageClassifier) -> dict[str, Callable[[], Stage]]:
    """What makes each stage anew: some remember what they have seen."""
    return {
        "language": lambda: LanguageFilter(languages),
        "addresses": UniqueAddresses,
        "C4": lambda: c4,
        "Gopher quality": lambda: gopher_quality,
        "Gopher repetition": lambda: gopher_repetition,
        "words": lambda: WordFilter(BAD_WORDS),
        "personal data": lambda: mask_personal,
        "exact copies": ExactCopies,
        "near copies": NearCopies,
        "repeated spans": RepeatedSpans,
    }


RULES = ("addresses", "C4", "Gopher quality", "Gopher repetition", "exact copies")


def seconds(run: Callable[[], object]) -> float:
    """The best of some runs, in seconds of the processor."""
    best = math.inf
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def speeds(documents: list[Document], make: dict[str, Callable[[], Stage]]) -> dict[str, dict[str, float]]:
    """Megabytes a second of each stage alone, and of the five stages of rules in a pipeline."""
    size = sum(len(document.text.encode()) for document in documents) / MEGABYTE

    def alone(new: Callable[[], Stage]) -> None:
        stage = new()
        for document in documents:
            stage(document)

    def together() -> None:
        for _ in Pipeline({name: make[name]() for name in RULES}).run(documents):
            pass

    found = {name: size / seconds(lambda new=new: alone(new)) for name, new in make.items()}
    found["the five stages of rules in a row"] = size / seconds(together)
    return {name: {"MB/s": round(speed, 1)} for name, speed in found.items()}


def megabytes() -> float:
    """The largest memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE


def stream(make: dict[str, Callable[[], Stage]]) -> dict[str, object]:
    """Send pages through the whole pipeline, none of which is kept."""
    good: set[int] = set()
    size = 0

    def documents() -> Iterator[Document]:
        nonlocal size
        for page in crawl(STREAMED, SEED):
            size += len(page.text.encode())
            if page.truth.keep:
                good.add(page.truth.number)
            yield Document(page.url, page.text)

    def numbers(kept: Iterable[Document]) -> list[int]:
        return [document.number for document in kept]

    before = megabytes()
    pipeline = Pipeline({name: new() for name, new in make.items()})
    start = time.process_time()
    kept = numbers(pipeline.run(documents()))
    spent = time.process_time() - start
    precision, recall = precision_and_recall(kept, good)
    print(pipeline.report)
    return {
        "run": {
            "pages": STREAMED,
            "megabytes of text": round(size / MEGABYTE, 1),
            "pages kept": len(kept),
            "precision": round(precision, 3),
            "recall": round(recall, 3),
            "seconds, crawling included": round(spent, 1),
            "MB of memory before": round(before),
            "MB of memory at most": round(megabytes()),
        },
        "stages": {
            passage.name: {"in": passage.seen, "out": passage.kept, "changed": passage.changed}
            for passage in pipeline.report.passages
        },
    }


def main() -> None:
    """Measure, print, and store."""
    make = stages(classifier())
    streamed = stream(make)
    pages = [Document(page.url, page.text) for page in crawl(TIMED, SEED)]
    real = list(installed_texts())[:1500]
    results = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "speed": {"pages of the village": speeds(pages, make), "files of installed packages": speeds(real, make)},
        "stream": streamed,
    }
    for text, found in results["speed"].items():
        print(text, *(f"  {name}: {row['MB/s']} MB/s" for name, row in found.items()), sep="\n")
    print(streamed["run"])
    with atomic_write(RESULTS) as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
