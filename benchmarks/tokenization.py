"""Speed of byte-level BPE beside Hugging Face tokenizers, rustbpe, tiktoken and gigatoken.

    pip install -r requirements-bench.txt
    python benchmarks/tokenization.py

The corpus is what CPython brings along: its sources, and as prose its documentation topics, docstrings and text files.
All take turns within a round, and rounds are repeated: what counts are the ratios of the medians. Peers that are not
installed are left out. The published vocabularies come from tiktoken, which downloads them unless TIKTOKEN_CACHE_DIR
holds them; without them, vocabularies of 32,768 trained here are used.
"""

from __future__ import annotations

import argparse
import ast
import base64
import gc
import json
import os
import platform
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from minigpt.files import atomic_write
from minigpt.tokenizers import BPETokenizer
from minigpt.tokenizers.patterns import pattern_of

MEGABYTE = 1_000_000
VOCAB_SIZES = (4096, 32768)
PEERS = ("tokenizers", "rustbpe", "tiktoken", "gigatoken")
RESULTS = Path(__file__).parent / "results" / "tokenizers.json"


def optional(name: str) -> ModuleType | None:
    """A peer's module, or `None`."""
    try:
        return import_module(name)
    except ImportError:
        return None


tokenizers, rustbpe, tiktoken, gigatoken = map(optional, PEERS)


# The corpus


def source_and_prose() -> tuple[list[str], list[str]]:
    """Documents of source code and of prose, each in an order that depends on their content alone."""
    root = Path(sysconfig.get_paths()["stdlib"])
    sources, prose = [], []
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if path.suffix not in (".py", ".txt", ".rst") or "site-packages" in parts:
            continue
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue
        of_tests = {"test", "tests", "idle_test"} & set(parts)
        if path.suffix == ".py":
            sources.append(text)
            prose += [] if of_tests else prose_of(text, path.name == "topics.py")
        elif not of_tests:
            prose.append(text)
    return sorted(set(sources), key=digest), sorted(set(prose), key=digest)


def digest(text: str) -> bytes:
    """A key that mixes texts in an order that is the same everywhere."""
    return sha256(text.encode()).digest()


def prose_of(source: str, topics: bool) -> Iterator[str]:
    """The docstrings of a module as one document; of the documentation topics, each topic."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    if topics:
        yield from ast.literal_eval(module.body[-1].value).values()
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = [ast.get_docstring(node) for node in ast.walk(module) if isinstance(node, documented)]
    if any(found):
        yield "\n\n".join(filter(None, found)) + "\n"


def megabytes(texts: Sequence[str]) -> float:
    """Size in UTF-8."""
    return sum(len(text.encode()) for text in texts) / MEGABYTE


def split_at(texts: Sequence[str], size: float) -> tuple[list[str], list[str]]:
    """The first texts up to `size` megabytes, and the rest."""
    total = 0.0
    for i, text in enumerate(texts):
        total += len(text.encode()) / MEGABYTE
        if total > size:
            return list(texts[:i]), list(texts[i:])
    return list(texts), []


# Measuring


Run = Callable[[list[str]], object]


Times = list[list[float]]


def in_turns(prepare: dict[str, Callable[[], Run]], blocks: list[list[str]], rounds: int) -> dict[str, Times]:
    """Wall-clock seconds of each competitor, for each block in each round.

    In a round, everyone is prepared anew, untimed; then all do the first block, all the second, and so on, so that
    whatever else the machine does hits all alike. The order rotates.
    """
    names = list(prepare)
    times: dict[str, Times] = {name: [[] for _ in blocks] for name in names}
    for turn in range(rounds):
        runs = {name: prepare[name]() for name in names}
        gc.collect()
        for i, block in enumerate(blocks):
            first = (turn + i) % len(names)
            for name in names[first:] + names[:first]:
                start = time.perf_counter()
                runs[name](block)
                times[name][i].append(time.perf_counter() - start)
    return times


def seconds(times: Times) -> float:
    """The median over the rounds of each block, summed."""
    return sum(map(statistics.median, times))


def spread(times: Times) -> float:
    """Interquartile range over median of the rounds' totals: how noisy the machine was."""
    totals = list(map(sum, zip(*times, strict=True)))
    if len(totals) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(totals, n=4, method="inclusive")
    return round((high - low) / middle, 2)


def in_blocks(texts: list[str], size: float = 0.2) -> list[list[str]]:
    """The texts in groups of about `size` megabytes."""
    blocks = []
    while texts:
        block, rest = split_at(texts, size)
        blocks.append(block or texts[:1])
        texts = rest if block else texts[1:]
    return blocks


# Training


def training(corpus: list[str], vocab_size: int, rounds: int) -> dict[str, object]:
    """Times of all trainers. Where ties are broken alike, the merges must be ours."""
    pattern = pattern_of("gpt2").portable
    competitors: dict[str, Callable[[], Run]] = {"minigpt": lambda: lambda texts: BPETokenizer.train(texts, vocab_size)}
    if tokenizers:
        competitors["tokenizers"] = lambda: lambda texts: train_hugging_face(texts, vocab_size)
    if rustbpe:
        peer = rustbpe.Tokenizer()
        peer.train_from_iterator(iter(corpus), vocab_size, pattern=pattern)
        learned = {bytes(token): rank for token, rank in peer.get_mergeable_ranks()}
        assert learned == BPETokenizer.train(corpus, vocab_size).ranks, "rustbpe learned other merges"
        competitors["rustbpe"] = lambda: (
            lambda texts: rustbpe.Tokenizer().train_from_iterator(iter(texts), vocab_size, pattern=pattern)
        )
    if gigatoken:
        joined = "".join(corpus).encode()
        competitors["gigatoken"] = lambda: lambda _: gigatoken.train_bpe(joined, vocab_size, [])
    times = in_turns(competitors, [corpus], rounds)
    total = {name: seconds(values) for name, values in times.items()}
    return {
        "vocab_size": vocab_size,
        "megabytes": round(megabytes(corpus), 2),
        "seconds": {name: round(value, 2) for name, value in total.items()},
        "times_the_peers_time": {
            name: round(total["minigpt"] / value, 2) for name, value in total.items() if name != "minigpt"
        },
        "spread": {name: spread(values) for name, values in times.items()},
    }


def train_hugging_face(corpus: list[str], vocab_size: int) -> None:
    """Byte-level BPE with the GPT-2 pattern, as `tokenizers` documents it."""
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = byte_level
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size, show_progress=False, initial_alphabet=byte_level.alphabet()
    )
    tokenizer.train_from_iterator(iter(corpus), trainer)


# Encoding


def vocabularies(corpus: list[str]) -> Iterator[tuple[str, BPETokenizer]]:
    """The published vocabularies, or trained ones where they are not at hand."""
    for name, pattern in (("r50k_base", "gpt2"), ("cl100k_base", "cl100k")):
        try:
            yield name, BPETokenizer.from_tiktoken(name)
        except Exception as error:  # tiktoken raises what its download raises
            print(f"{name} is not at hand ({type(error).__name__}); training one instead")
            yield f"trained-{pattern}", BPETokenizer.train(corpus, max(VOCAB_SIZES), pattern=pattern)


def encoding(
    name: str, tokenizer: BPETokenizer, kinds: dict[str, dict[str, list[str]]], rounds: int
) -> dict[str, object]:
    """Speeds of encoding text from cold, unseen text after 10 MB, and text that was seen before."""
    pattern, ranks, special_tokens = tokenizer.pattern, tokenizer.ranks, tokenizer.special_tokens

    def ours(seen: list[str]) -> Callable[[], Run]:
        def prepare() -> Run:
            fresh = BPETokenizer(ranks, pattern, special_tokens)
            for text in seen:
                fresh.encode(text)
            return lambda texts: [fresh.encode(text) for text in texts]

        return prepare

    def theirs(encode: Callable[[str], object]) -> Callable[[], Run]:
        return lambda: lambda texts: [encode(text) for text in texts]

    peers = dict(encoders(tokenizer))
    rows = []
    for kind, texts in kinds.items():
        for peer, encode in peers.items():
            for text in [*texts["first"], *texts["unseen"]][::20]:
                assert list(encode(text)) == tokenizer.encode(text), f"{peer} gives other ids"
        for situation, measured, seen in (
            ("cold", texts["first"], []),
            ("unseen", texts["unseen"], texts["before"]),
            ("seen", texts["first"], texts["first"]),
        ):
            compared = peers if situation == "seen" else {peer: peers[peer] for peer in peers if peer == "tiktoken"}
            competitors = {"minigpt": ours(seen)} | {peer: theirs(encode) for peer, encode in compared.items()}
            times = in_turns(competitors, in_blocks(measured), rounds)
            size = megabytes(measured)
            row = {
                "kind": kind,
                "situation": situation,
                "megabytes": round(size, 2),
                "megabytes_per_second": {peer: round(size / seconds(t), 2) for peer, t in times.items()},
                "spread": {peer: spread(t) for peer, t in times.items()},
            }
            rows.append(row)
            print(name, row, flush=True)
    result = {"vocabulary": name, "vocab_size": tokenizer.vocab_size, "rows": rows}
    if "tiktoken" in peers:
        result["times_the_speed_of_tiktoken"] = {
            situation: round(
                statistics.geometric_mean(
                    speeds["minigpt"] / speeds["tiktoken"]
                    for row in rows
                    if row["situation"] == situation and (speeds := row["megabytes_per_second"])
                ),
                2,
            )
            for situation in ("cold", "unseen", "seen")
        }
    return result


def encoders(tokenizer: BPETokenizer) -> Iterator[tuple[str, Callable[[str], Sequence[int]]]]:
    """A function from text to ids for each peer, with the same vocabulary."""
    if tiktoken:
        yield "tiktoken", tokenizer.to_tiktoken().encode_ordinary
    with tempfile.TemporaryDirectory() as folder:
        if tokenizers:
            path = Path(folder) / "tokenizer.json"
            tokenizer.to_hugging_face(path)
            theirs = tokenizers.Tokenizer.from_file(str(path))
            yield "tokenizers", lambda text: theirs.encode(text).ids
        if gigatoken:
            path = Path(folder) / "ranks.tiktoken"
            lines = [f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in tokenizer.ranks.items()]
            path.write_text("".join(lines))
            kind = {"gpt2": "gpt2", "cl100k": "gpt4"}[tokenizer.pattern]
            yield "gigatoken", gigatoken.Tokenizer.from_tiktoken(path, kind, tokenizer.special_tokens).encode


def versions() -> dict[str, str]:
    """Versions of the packages measured."""
    found = {}
    for name in ("minigpt", "regex", *PEERS):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=10, help="size of the corpus (default 10)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--skip-training", action="store_true")
    arguments = parser.parse_args()
    size = arguments.megabytes
    sources, prose = source_and_prose()
    seen_prose, unseen_prose = split_at(prose, 0.7 * megabytes(prose))
    seen_sources, rest = split_at(sources, size)
    unseen_sources, _ = split_at(rest, 0.4 * size)
    corpus = sorted(seen_prose + split_at(sources, size - megabytes(seen_prose))[0], key=digest)
    results: dict[str, object] = {
        "about": "python benchmarks/tokenization.py: medians over rounds in which all took turns on one machine",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "rounds": arguments.rounds,
        "versions": versions(),
        "training": [],
        "encoding": [],
    }
    for vocab_size in () if arguments.skip_training else VOCAB_SIZES:
        row = training(corpus, vocab_size, arguments.rounds)
        results["training"].append(row)
        print("training", row, flush=True)
    kinds = {
        "source": {"first": seen_sources, "unseen": unseen_sources, "before": seen_sources},
        "prose": {"first": seen_prose, "unseen": unseen_prose, "before": corpus},
    }
    for name, tokenizer in vocabularies(corpus):
        row = encoding(name, tokenizer, kinds, arguments.rounds)
        results["encoding"].append(row)
        print(name, row.get("times_the_speed_of_tiktoken"), flush=True)
    with atomic_write(arguments.out) as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
