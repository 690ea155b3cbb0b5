"""What chapter 23 says about speed, measured: vectors, worker processes, and the roofline of this machine.

    python benchmarks/parallel.py            # everything, some four minutes
    python benchmarks/parallel.py workers    # one part anew; the others stay as they are in the file

It writes `benchmarks/results/parallel.json`. Everything runs on one thread but for the part with worker processes. What
is compared takes turns, round by round, so that whatever else the machine does hits all. Rates are those of the
processor time, the best of the rounds; of the programs with workers there are both, the clock and the processor time.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import copy
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace

import numpy as np
import torch
from torch.nn import functional as F

from minigpt.data import write_tokens
from minigpt.data.cleaning import (
    Document,
    ExactCopies,
    LanguageClassifier,
    LanguageFilter,
    MinHash,
    NearCopies,
    Rejection,
    UniqueAddresses,
    WordFilter,
    c4,
    gopher_quality,
    gopher_repetition,
    mask_personal,
    train_language,
)
from minigpt.files import atomic_write
from minigpt.models import GPT, preset
from minigpt.tokenizers import BPETokenizer
from minigpt.village import sentence_pairs
from minigpt.village.crawl import BAD_WORDS, crawl
from minigpt.village.crawl.stock import SENTENCES

RESULTS = Path(__file__).with_name("results") / "parallel.json"

ROUNDS = 5
SEED = 1
DOT, MATRIX, LOOPED_MATRIX = 32_768, 1024, 96
PAGES, CHUNK, REAL_FILES, REAL_CHUNK = 4_000, 200, 400, 20
SIZES = (500, 1_000, 2_000, 4_000, 8_000)
MEGABYTES = 768
WIDTH = 4096
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
BATCHES, READ = (1, 2, 4, 8, 16, 32, 64), 32

SETTINGS = {"pages": PAGES, "chunk": CHUNK, "files": REAL_FILES, "chunk of files": REAL_CHUNK}

# For the BLAS of NumPy: what it may use of the vector instructions, numbers in one, and operations of one instruction.
INSTRUCTIONS = {
    "SSE3": ("Prescott", "sse3", 4, 4),
    "AVX": ("Sandybridge", "avx", 8, 8),
    "AVX2, FMA": ("Haswell", "avx2", 8, 16),
    "AVX-512, FMA": ("SkylakeX", "avx512f", 16, 32),
}
# The same for PyTorch's products in bfloat16.
BFLOAT16 = {
    "AVX-512, by way of float32": ("AVX512_CORE", "avx512f"),
    "AVX-512 BF16": ("AVX512_CORE_BF16", "avx512_bf16"),
    "AMX": ("AVX512_CORE_AMX", "amx_bf16"),
}


def best(runs: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """The least processor time of each in turns, in seconds; each runs once beforehand."""
    found = dict.fromkeys(runs, math.inf)
    for i in range(rounds + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            if i:
                found[name] = min(found[name], time.process_time() - start)
    return found


def rounded(value: float) -> float:
    """Four digits that count."""
    return float(f"{value:.4g}")


def often(run: Callable[[], object], times: int) -> Callable[[], None]:
    """Something that is too short for the clock, so many times."""

    def runs() -> None:
        for _ in range(times):
            run()

    return runs


# Vectors


def python_dot(a: list[float], b: list[float]) -> float:
    """A dot product as a beginner writes it."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


def python_saxpy(alpha: float, x: list[float], y: list[float]) -> list[float]:
    """`alpha x + y`, likewise."""
    return [alpha * x[i] + y[i] for i in range(len(x))]


def python_product(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
    """A product of matrices, likewise."""
    return [[sum(a[i][k] * b[k][j] for k in range(len(b))) for j in range(len(b[0]))] for i in range(len(a))]


def ways() -> dict[str, dict[str, float]]:
    """Operations a second of the same three tasks, done in four ways."""
    draw = np.random.default_rng(SEED)
    x, y = draw.random((2, DOT), dtype=np.float32)
    a, b = draw.random((2, MATRIX, MATRIX), dtype=np.float32)
    few = a[:LOOPED_MATRIX, :LOOPED_MATRIX].tolist(), b[:LOOPED_MATRIX, :LOOPED_MATRIX].tolist()
    lists = x.tolist(), y.tolist()
    out = np.empty_like(x)
    torches = {name: [torch.from_numpy(v).to(dtype) for v in (x, y, a, b)] for name, dtype in DTYPES.items()}
    tasks: dict[str, dict[str, tuple[Callable[[], object], float]]] = {
        "dot product": {
            "Python loop": (lambda: python_dot(*lists), 2 * DOT),
            "NumPy, float32": (often(lambda: x @ y, 1000), 2000 * DOT),
            **{f"PyTorch, {name}": (often(lambda v=v: v[0] @ v[1], 1000), 2000 * DOT) for name, v in torches.items()},
        },
        "a x + y": {
            "Python loop": (lambda: python_saxpy(0.5, *lists), 2 * DOT),
            "NumPy, float32": (often(lambda: np.add(np.multiply(x, 0.5, out=out), y, out=out), 1000), 2000 * DOT),
            **{
                f"PyTorch, {name}": (often(lambda v=v: torch.add(v[1], v[0], alpha=0.5), 1000), 2000 * DOT)
                for name, v in torches.items()
            },
        },
        "product of matrices": {
            "Python loop": (lambda: python_product(*few), 2 * LOOPED_MATRIX**3),
            "NumPy, float32": (lambda: a @ b, 2 * MATRIX**3),
            **{f"PyTorch, {name}": (lambda v=v: v[2] @ v[3], 2 * MATRIX**3) for name, v in torches.items()},
        },
    }
    found = {}
    for task, rows in tasks.items():
        seconds = best({name: run for name, (run, _) in rows.items()})
        found[task] = {name: rounded(flops / seconds[name] / 1e9) for name, (_, flops) in rows.items()}
    return found


DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def flags() -> set[str]:
    """What the processor can do, where Linux says it; empty elsewhere."""
    try:
        line = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return set()
    return set(line.split(":")[1].split())


def product_here(dtype: str) -> float:
    """Billions of operations a second of a product of matrices in this process."""
    a = np.random.default_rng(SEED).random((MATRIX, MATRIX), dtype=np.float32)
    matrix = a if dtype == "numpy" else torch.from_numpy(a).bfloat16()
    return rounded(2 * MATRIX**3 / best({"product": lambda: matrix @ matrix})["product"] / 1e9)


def in_a_process(setting: dict[str, str], dtype: str) -> float:
    """The same in a new process with other variables of the environment."""
    command = [sys.executable, __file__, "--product", dtype]
    done = subprocess.run(command, env=os.environ | setting, capture_output=True, text=True, check=True)
    return float(done.stdout)


def instructions() -> dict[str, list[dict[str, object]]]:
    """One product of matrices with narrower and wider instructions: same library, same processor, same program."""
    can = flags()
    float32 = [
        {
            "instructions": name,
            "numbers": lanes,
            "operations": operations,
            "GFLOP/s": in_a_process({"OPENBLAS_CORETYPE": core}, "numpy"),
        }
        for name, (core, flag, lanes, operations) in INSTRUCTIONS.items()
        if flag in can or (flag == "sse3" and "pni" in can)
    ]
    bfloat16 = [
        {"instructions": name, "GFLOP/s": in_a_process({"ONEDNN_MAX_CPU_ISA": isa}, "bfloat16")}
        for name, (isa, flag) in BFLOAT16.items()
        if flag in can
    ]
    return {"float32": float32, "bfloat16": bfloat16}


# Programs with worker processes


def classifier(n_examples: int) -> LanguageClassifier:
    """A language classifier trained on so many sentences of each language."""
    draw = Random(SEED)
    examples = [(write(draw), language) for language, write in SENTENCES.items() for _ in range(n_examples)]
    return train_language(examples + [(pair.english, "en") for pair in sentence_pairs(n_examples, SEED)])


class Rules:
    """The stages that look at one page at a time."""

    def __init__(self, languages: LanguageClassifier) -> None:
        stages = [LanguageFilter(languages), c4, gopher_quality, gopher_repetition, WordFilter(BAD_WORDS)]
        self.stages = [*stages, mask_personal]

    def __call__(self, page: Document) -> Document | None:
        for stage in self.stages:
            page = stage(page)
            if isinstance(page, Rejection):
                return None
        return page


class Program(ABC):
    """A program in three parts: read (alone), work on chunks (by anyone), finish (alone).

    Subclasses say what the parts are. `work` runs in the workers, which are forked and so have everything that was
    there before; what it is given and what it returns goes through a pipe.
    """

    @abstractmethod
    def read(self) -> list:
        """What there is to do."""

    @abstractmethod
    def work(self, chunk: list) -> list:
        """Do a part of it."""

    @abstractmethod
    def finish(self, results: list) -> object:
        """Put the results of all parts together."""


class Cleaning(Program):
    """A crawl in a file: the rules for each page, then copies and near copies, which have to remember what came."""

    def __init__(self, folder: Path, n_pages: int, signatures: bool = False) -> None:
        self.source, self.target = folder / f"pages-{n_pages}.jsonl", folder / "clean.jsonl"
        if not self.source.exists():
            with open(self.source, "w", encoding="utf-8") as file:
                for page in crawl(n_pages, SEED):
                    file.write(json.dumps({"url": page.url, "text": page.text}) + "\n")
        self.rules, self.signatures = Rules(classifier(200)), signatures

    def read(self) -> list[Document]:
        with open(self.source, encoding="utf-8") as file:
            rows = map(json.loads, file)
            return [Document(row["url"], row["text"], number) for number, row in enumerate(rows)]

    def work(self, chunk: list[Document]) -> list:
        kept = [page for page in map(self.rules, chunk) if page]
        return [(page, MinHash().signature(page.text)) for page in kept] if self.signatures else kept

    def finish(self, results: list) -> int:
        near = NearCopies()
        if self.signatures:
            ready = {page.text: signature for page, signature in results}
            results = [page for page, _ in results]
            near.min_hash = SimpleNamespace(signature=ready.__getitem__)
        stages, kept = (UniqueAddresses(), ExactCopies(), near), 0
        with open(self.target, "w", encoding="utf-8") as file:
            for page in results:
                if all(isinstance(stage(page), Document) for stage in stages):
                    file.write(json.dumps({"url": page.url, "text": page.text}) + "\n")
                    kept += 1
        return kept


class RulesOnly(Cleaning):
    """The same without copies: a classifier is trained (alone), and each chunk becomes a file of its own."""

    def read(self) -> list[Document]:
        self.rules = Rules(classifier(2_000))
        return super().read()

    def work(self, chunk: list[Document]) -> list:
        kept = [page for page in map(self.rules, chunk) if page]
        with open(self.target.with_name(f"clean-{chunk[0].number}.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"url": page.url, "text": page.text}) + "\n" for page in kept)
        return [len(kept)]

    def finish(self, results: list) -> int:
        return sum(results)


class Tokenizing(Program):
    """Real text, the sources of Python's own library: read files, encode them, write all ids to one file."""

    def __init__(self, folder: Path) -> None:
        library = Path(sysconfig.get_path("stdlib"))
        files = sorted(path for path in library.rglob("*.py") if not {"site-packages", "test"} & {*path.parts})
        self.files, self.target = files[:REAL_FILES], folder / "ids.bin"
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in self.files[:40]]
        self.trained = BPETokenizer.train(texts, vocab_size=2048)
        self.end = self.trained.vocab_size

    def read(self) -> list[str]:
        self.tokenizer = copy(self.trained)  # without what it remembers of earlier rounds
        return [path.read_text(encoding="utf-8", errors="replace") for path in self.files]

    def work(self, chunk: list[str]) -> list[np.ndarray]:
        return [np.array(self.tokenizer.encode(text), np.uint16) for text in chunk]

    def finish(self, results: list) -> int:
        write_tokens(results, self.target, vocab_size=self.end + 1, end_of_text=self.end)
        return len(results)


CURRENT: list[Program] = []


def work(chunk: list) -> tuple[float, list]:
    """What a worker does with a chunk, and the processor time that it took."""
    start = time.process_time()
    results = CURRENT[0].work(chunk)
    return time.process_time() - start, results


def chunks(items: list, size: int) -> Iterator[list]:
    """Runs of so many items."""
    return (items[i : i + size] for i in range(0, len(items), size))


def profile(program: Program, chunk: int = CHUNK) -> dict[str, float]:
    """The program in this process alone: seconds of the processor in each part, and by the clock."""
    clock, marks = time.perf_counter(), [time.process_time()]
    items = program.read()
    marks.append(time.process_time())
    results = [result for part in chunks(items, chunk) for result in program.work(part)]
    marks.append(time.process_time())
    answer = program.finish(results)
    marks.append(time.process_time())
    read, worked, finished = (end - start for start, end in pairwise(marks))
    return {
        "read": read,
        "work": worked,
        "finish": finished,
        "clock": time.perf_counter() - clock,
        "answer": answer,
        "serial": (read + finished) / (read + worked + finished),
    }


def pool(program: Program, workers: int, chunk: int = CHUNK) -> dict[str, float]:
    """The program with worker processes: by the clock; and the processor time of this process and of the workers."""
    clock, start = time.perf_counter(), time.process_time()
    items = program.read()
    CURRENT[:] = [program]
    children = sum(os.times()[2:4])
    with multiprocessing.get_context("fork").Pool(workers) as processes:
        done = list(processes.imap(work, chunks(items, chunk)))
        processes.close()
        processes.join()
    worked = sum(os.times()[2:4]) - children
    answer = program.finish([result for _, results in done for result in results])
    return {
        "clock": time.perf_counter() - clock,
        "alone": time.process_time() - start,
        "workers": worked,
        "inside": sum(seconds for seconds, _ in done),
        "answer": answer,
    }


def compare(program: Program, chunk: int) -> dict[str, object]:
    """One process, a pool of one and a pool of two in turns: what a profile of the first says about the third."""
    rounds = []
    for _ in range(ROUNDS):
        one = profile(program, chunk)
        pools = [pool(program, workers, chunk) for workers in (1, 2)]
        if any(run["answer"] != one["answer"] for run in pools):
            raise RuntimeError("the program gives another result with workers")
        rounds.append((one, *pools))

    def middle(value: Callable[[dict, dict, dict], float]) -> float:
        return rounded(statistics.median(value(*one_round) for one_round in rounds))

    def processor(run: dict) -> float:
        # What the clock would say with a processor for each worker, and work that divides evenly.
        return run["alone"] + run["workers"] / 2

    def alone(run: dict) -> float:
        return run["read"] + run["work"] + run["finish"]

    return {
        "seconds": {part: middle(lambda one, *_, part=part: one[part]) for part in ("read", "work", "finish")},
        "serial": middle(lambda one, *_: one["serial"]),
        "result": rounds[0][0]["answer"],
        "speed-up": {
            "two processes, clock": middle(lambda one, _, two: one["clock"] / two["clock"]),
            "two processes, clock, quartiles": [
                rounded(q) for q in statistics.quantiles([one["clock"] / two["clock"] for one, _, two in rounds])[::2]
            ],
            "two processes, processor": middle(lambda one, _, two: alone(one) / processor(two)),
            "one process, clock": middle(lambda one, single, _: one["clock"] / single["clock"]),
        },
        "work in two processes beside one": middle(lambda one, _, two: two["inside"] / one["work"]),
        "seconds of the pool": middle(lambda one, _, two: two["alone"] - one["read"] - one["finish"]),
    }


def growing(folder: Path) -> dict[str, object]:
    """Serial shares of problems of several sizes, and twice the pages for two processes, in Gustafson's sense."""
    found: dict[str, object] = {"pages": list(SIZES)}
    for name, program in (("all", Cleaning), ("rules only", RulesOnly)):
        runs = {size: [profile(program(folder, size)) for _ in range(3)] for size in SIZES}
        found[name] = [rounded(statistics.median(run["serial"] for run in rounds)) for rounds in runs.values()]
    ratios, shares = [], []
    small, large = RulesOnly(folder, SIZES[2]), RulesOnly(folder, SIZES[3])
    for _ in range(ROUNDS):
        one, twice, two = profile(small), profile(large), pool(large, 2)
        ratios.append((twice["read"] + twice["work"] + twice["finish"]) / (two["alone"] + two["workers"] / 2))
        shares.append(one["serial"])
    return found | {
        "twice the pages": {
            "serial": rounded(statistics.median(shares)),
            "speed-up": rounded(statistics.median(ratios)),
        }
    }


def workers() -> dict[str, object]:
    """Everything with worker processes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = {
            "cleaning": (Cleaning(folder, PAGES), CHUNK),
            "cleaning, signatures in the workers": (Cleaning(folder, PAGES, signatures=True), CHUNK),
            "tokenizing Python's sources": (Tokenizing(folder), REAL_CHUNK),
        }
        found = {name: compare(program, chunk) for name, (program, chunk) in programs.items()}
        return {
            "settings": SETTINGS,
            "programs": found,
            "growing": growing(folder),
        }


# The roofline


def rates(dtype: torch.dtype) -> dict[str, float]:
    """Gigabytes a second of three ways through much memory, and billions of operations a second of products."""
    n = MEGABYTES * 1_000_000 // dtype.itemsize
    x, y = torch.ones(n // 2, dtype=dtype), torch.ones(n // 2, dtype=dtype)
    size = x.numel() * x.element_size()
    seconds = best({"copy": lambda: y.copy_(x), "read": lambda: x.sum(), "a x + y": lambda: y.add_(x, alpha=0.5)})
    moved = {"copy": 2 * size, "read": size, "a x + y": 3 * size}
    found = {name: rounded(moved[name] / 1e9 / s) for name, s in seconds.items()}
    for side in (512, 1024, 2048):
        a = torch.ones(side, side, dtype=dtype)
        found[f"product {side}"] = rounded(2 * side**3 / best({"": lambda a=a: a @ a})[""] / 1e9)
    return found


def elementwise(dtype: torch.dtype) -> list[dict[str, object]]:
    """What sums and norms of data that fits no cache reach: operations a byte, operations a second."""
    width = dtype.itemsize
    n = MEGABYTES * 1_000_000 // (WIDTH * width) // 2
    x = torch.rand(n, WIDTH, dtype=torch.float32).to(dtype)
    y = torch.ones_like(x)
    runs = {  # name: what runs, its operations and numbers moved, for each number of x, as minigpt.scaling counts
        "sum": (lambda: x.sum(), 1, 1),
        "x + x": (lambda: torch.add(x, x, out=y), 1, 2),
        "layer norm": (lambda: F.layer_norm(x, (WIDTH,)), 8, 2),
        "softmax": (lambda: x.softmax(dim=-1), 5, 2),
        "GELU": (lambda: F.gelu(x), 8, 2),
    }
    seconds = best({name: run for name, (run, _, _) in runs.items()}, 3)
    return [
        {
            "what": name,
            "intensity": rounded(flops / (moved * width)),
            "GFLOP/s": rounded(flops * x.numel() / seconds[name] / 1e9),
        }
        for name, (_, flops, moved) in runs.items()
    ]


def rows(dtype: torch.dtype) -> list[dict[str, object]]:
    """The same for products of a few rows with a matrix, another one each time."""
    found, width = [], dtype.itemsize
    weights = [torch.ones(WIDTH, WIDTH, dtype=dtype) for _ in range(MEGABYTES * 1_000_000 // (WIDTH**2 * width))]
    for n in ROWS:
        x = torch.ones(n, WIDTH, dtype=dtype)
        taken = best({"": lambda x=x: [x @ w for w in weights]}, 1 if n > 32 else 3)[""]
        flops = 2 * n * WIDTH**2 * len(weights)
        moved = width * (WIDTH**2 + 2 * n * WIDTH) * len(weights)
        found.append(
            {"what": "rows", "rows": n, "intensity": rounded(flops / moved), "GFLOP/s": rounded(flops / taken / 1e9)}
        )
    return found


def decoding() -> dict[str, list]:
    """Tokens a second of a model of GPT-2's size that writes for several readers at once, behind some tokens each."""
    model = GPT(preset("gpt-2"), generator=torch.Generator().manual_seed(SEED)).eval()
    found: dict[str, list] = {"batch": list(BATCHES), "tokens read": READ}
    for name, dtype in DTYPES.items():
        model = model.to(dtype)
        found[name] = []
        for batch in BATCHES:
            ids = torch.ones(batch, READ, dtype=torch.long)
            with torch.inference_mode():
                cache = model.new_cache(READ + 8)
                model(ids[:, :-1], cache=cache)
                taken = math.inf
                for _ in range(6):
                    start = time.process_time()
                    model(ids[:, :1], cache=cache)
                    taken = min(taken, time.process_time() - start)
            found[name].append(rounded(batch / taken))
    return found


def roofline() -> dict[str, object]:
    """What this machine can do and what operations reach, on one thread."""
    return {
        name: {"rates": rates(dtype), "points": elementwise(dtype) + rows(dtype)} for name, dtype in DTYPES.items()
    } | {"decoding": decoding()}


PARTS: dict[str, Callable[[], dict]] = {
    "ways": ways,
    "instructions": instructions,
    "workers": workers,
    "roofline": roofline,
}


def processor() -> str:
    """What the processor calls itself, where Linux says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; without: all")
    parser.add_argument("--product", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.product:
        print(product_here(args.product))
        return
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results |= {
        "about": "python benchmarks/parallel.py: one thread, processor time, best of rounds taken in turns",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": processor(),
        "cpus": os.cpu_count(),
        "versions": {"torch": version("torch"), "numpy": version("numpy")},
    }
    for name in args.parts or PARTS:
        results[name] = PARTS[name]()
        print(name, json.dumps(results[name], indent=1))
        with atomic_write(RESULTS) as file:
            json.dump(results, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for the processes that this one starts
    main()
