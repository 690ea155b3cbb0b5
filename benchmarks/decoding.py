"""What the choice of a decoding method does to stories of the village: truth, repetition, distinctness, surprise.

    python benchmarks/decoding.py [MODEL_FOLDER]

The model (by default the one that comes with the package) continues the beginnings of new stories, 20 tokens of each,
by every method. Five groups of stories, each with its own beginnings and its own draws, show how much is chance.
At some temperatures it also writes as many stories from the first word, and so chooses the opening itself.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import mean

import torch

from minigpt.evaluation import judge
from minigpt.files import atomic_write
from minigpt.generation import (
    Sampling,
    beam_search,
    distinct,
    generate,
    power,
    repeated,
    self_bleu,
)
from minigpt.models import GPT, load_model
from minigpt.models.base import BASE_MODEL
from minigpt.tokenizers import Tokenizer
from minigpt.village import stories

RESULTS = Path(__file__).parent / "results" / "decoding.json"
SEED, PROMPT, LONGEST = 77, 20, 300

Writer = Callable[[list[list[int]], int], list[list[int]]]


def sampled(sampling: Sampling, model: GPT, end: int) -> Writer:
    """Continues prompts by sampling."""
    return lambda prompts, seed: generate(model, prompts, LONGEST, sampling=sampling, seed=seed, end={end})


def beamed(n_beams: int, alpha: float, model: GPT, end: int) -> Writer:
    """Continues prompts by beam search."""
    return lambda prompts, seed: [
        list(beam_search(model, prompt, LONGEST, n_beams=n_beams, end={end}, normalisation=power(alpha))[0].ids)
        for prompt in prompts
    ]


def methods(model: GPT, end: int, beams: tuple[int, ...]) -> Iterator[tuple[str, float, Writer]]:
    """Name, value and writer of every method."""
    for value in (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5):
        yield "temperature", value, sampled(Sampling(temperature=value), model, end)
    for value in (1, 2, 3, 5, 10, 30, 100):
        yield "top-k", value, sampled(Sampling(top_k=value), model, end)
    for value in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99):
        yield "top-p", value, sampled(Sampling(top_p=value), model, end)
    for value in (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.005):
        yield "min-p", value, sampled(Sampling(min_p=value), model, end)
    for name, settings in (("top-k 10", {"top_k": 10}), ("top-p 0.9", {"top_p": 0.9}), ("min-p 0.1", {"min_p": 0.1})):
        yield f"temperature 1.5, {name}", 1.5, sampled(Sampling(temperature=1.5, **settings), model, end)
    yield "repetition penalty", 1.2, sampled(Sampling(temperature=0, repetition_penalty=1.2), model, end)
    yield "no repeated 4-gram", 4, sampled(Sampling(temperature=0, no_repeat_ngram=4), model, end)
    for value in beams:
        yield "beams, sum", value, beamed(value, 0.0, model, end)
    for value in beams:
        yield "beams, mean", value, beamed(value, 1.0, model, end)


def verdict(text: str) -> str:
    """`true` if the village can tell this; else whether it contradicts itself, or is no text of the village at all."""
    (story,) = judge([text]).stories
    if story.is_true:
        return "true"
    return "contradicts itself" if story.is_grammatical else "broken"


@torch.inference_mode()
def surprise(model: GPT, prompts: list[list[int]], written: list[list[int]]) -> float:
    """Mean of `-log p` of a written token under the model, at temperature 1."""
    total = count = 0.0
    for prompt, new in zip(prompts, written, strict=True):
        ids = torch.tensor([[*prompt, *new]])[:, : model.config.context]
        log_p = model(ids[:, :-1])[0].log_softmax(-1)
        own = -log_p.gather(-1, ids[0, 1:, None])[len(prompt) - 1 :]
        total, count = total + float(own.sum()), count + len(own)
    return total / count


def measures(
    model: GPT, tokenizer: Tokenizer, end: int, prompts: list[list[int]], written: list[list[int]]
) -> dict[str, float]:
    """All measures of one group of stories."""
    bare = [row[:-1] if row[-1] == end else row for row in written]
    texts = [tokenizer.decode([*prompt[1:], *row]) for prompt, row in zip(prompts, bare, strict=True)]
    verdicts = [verdict(text) if row[-1:] == [end] else "broken" for text, row in zip(texts, written, strict=True)]
    long = [row for row in bare if len(row) >= 4]
    return {
        "true": verdicts.count("true") / len(texts),
        "contradicts": verdicts.count("contradicts itself") / len(texts),
        "broken": verdicts.count("broken") / len(texts),
        "distinct_4": distinct(bare, 4),
        "repeated_4": mean(repeated(row, 4) for row in bare),
        "self_bleu": self_bleu(long),
        "tokens": mean(map(len, bare)),
        "surprise": surprise(model, prompts, written),
    }


def spread(groups: list[dict[str, float]]) -> dict[str, list[float]]:
    """Mean, smallest and largest value over the groups."""
    values = {name: [group[name] for group in groups] for name in groups[0]}
    return {name: [round(v, 4) for v in (mean(of), min(of), max(of))] for name, of in values.items()}


def main() -> None:
    """Write, measure, store."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", type=Path, nargs="?", default=BASE_MODEL)
    arguments.add_argument("--stories", type=int, default=60, help="in a group")
    arguments.add_argument("--groups", type=int, default=5)
    arguments.add_argument("--beams", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    arguments.add_argument("--out", type=Path, default=RESULTS)
    args = arguments.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = load_model(args.model), Tokenizer.load(args.model / "tokenizer.json")
    end = tokenizer.special_tokens["<|endoftext|>"]
    rows = [[end, *tokenizer.encode(story.text), end] for story in stories(args.groups * args.stories, SEED)]
    groups = [rows[i : i + args.stories] for i in range(0, len(rows), args.stories)]
    results: dict[str, object] = {
        "about": f"python benchmarks/decoding.py: {args.groups} groups of {args.stories} stories of the village, "
        f"continued from their first {PROMPT} tokens, or written from the first word; mean, smallest and largest value "
        "of the groups",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": {"torch": version("torch")},
        "parameters": sum(p.numel() for p in model.parameters()),
        "stories": args.stories,
        "groups": args.groups,
        "runs": [],
    }

    def add(method: str, value: float, write: Writer, given: int = PROMPT) -> None:
        found = []
        for seed, group in enumerate(groups):
            prompts = [row[: given + 1] for row in group]
            found.append(measures(model, tokenizer, end, prompts, write(prompts, seed)))
        results["runs"].append({"method": method, "value": value, **spread(found)})
        print(method, value, results["runs"][-1], flush=True)

    add("village", 0, lambda prompts, seed: [row[PROMPT + 1 :] for row in groups[seed]])
    for method, value, write in methods(model, end, tuple(args.beams)):
        add(method, value, write)
    for value in (0.1, 0.3, 0.5, 0.7, 1.0, 1.5):
        add("from the first word", value, sampled(Sampling(temperature=value), model, end), given=0)
    with atomic_write(args.out) as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
