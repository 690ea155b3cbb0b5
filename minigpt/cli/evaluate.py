"""`minigpt evaluate`: how good a model is, by any of the measures of `minigpt.evaluation`."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigpt.cli.model import load_folder
from minigpt.cli.values import count, count_from_one, seed
from minigpt.village.stories import SIZES, stories

if TYPE_CHECKING:
    from minigpt.evaluation import CorpusLoss, MultipleChoice
    from minigpt.models import GPT
    from minigpt.tokenizers import Tokenizer

FEWEST = 10
"""Documents, stories or probes below which no interval of a mean is shown."""
_MEASURES = ("data", "village", "hellaswag", "mmlu", "domains")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand `evaluate`."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a language model",
        description="Measure a model by one or more of the measures below. Square brackets hold 95 % confidence "
        "intervals, over documents or questions; of means over fewer than 10 there is none.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL_FOLDER", help="what 'minigpt train' wrote")
    measures = parser.add_argument_group("measures")
    measures.add_argument("--data", metavar="TEXT", help="perplexity and bits per byte of a file or a corpus")
    measures.add_argument("--village", choices=SIZES, help="excess over the true entropy, probes, questions, writing")
    measures.add_argument("--hellaswag", metavar="FILE", help="JSON lines in HellaSwag's published form")
    measures.add_argument("--mmlu", metavar="FILE", help="JSON lines, or a table (*.csv), in MMLU's published form")
    measures.add_argument("--domains", nargs="+", metavar="NAME=TEXT", help="perplexity of several kinds of text")
    options = parser.add_argument_group("options")
    options.add_argument("--limit", type=count_from_one, metavar="N", help="at most N documents or questions of each")
    options.add_argument(
        "--stride", type=count_from_one, metavar="N", help="by how many tokens the window moves on in texts"
    )
    options.add_argument("--shots", type=count, default=0, metavar="N", help="solved examples in a prompt (default: 0)")
    options.add_argument("--examples", metavar="FILE", help="where MMLU's come from (default: the first ones of each "
                         "subject, which are then not asked)")  # fmt: skip
    options.add_argument(
        "--stories", type=count_from_one, default=500, metavar="N", help="of the village (default: 500)"
    )
    options.add_argument("--samples", type=count, default=200, metavar="N", help="stories to write (default: 200)")
    options.add_argument("--seed", type=seed, default=0, metavar="N", help="of what is written and drawn (default: 0)")
    options.add_argument("--device", default="cpu", help="cpu (default), cuda, mps")
    options.add_argument(
        "--batch-tokens", type=count_from_one, default=8192, metavar="N", help="read at once (default: 8192)"
    )
    options.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, and print what came out."""
    asked = [name for name in _MEASURES if getattr(args, name) is not None]
    if not asked:
        raise ValueError(f"nothing to measure; give one of {', '.join('--' + name for name in _MEASURES)}")
    measure = _Measure(*load_folder(args.model, args.device), args)
    results = {name: getattr(measure, name)() for name in asked}
    if args.json:
        print(json.dumps({"model": str(args.model), **results}, ensure_ascii=False, indent=1))
    else:
        print("\n\n".join("\n".join(_lines(name, values)) for name, values in results.items()))
    return 0


@dataclass(frozen=True)
class _Measure:
    """Each method is a measure: from the arguments to a nested mapping of numbers, estimates as `[mean, low, high]`."""

    model: GPT
    tokenizer: Tokenizer
    args: argparse.Namespace

    def data(self) -> dict[str, Any]:
        from minigpt.evaluation import perplexity

        texts = self._texts(self.args.data)
        return _loss(perplexity(self.model, self.tokenizer, texts, stride=self.args.stride, **self._batches))

    def domains(self) -> dict[str, Any]:
        from minigpt.evaluation import evaluate_domains

        named = {}
        for part in self.args.domains:
            name, equals, text = part.partition("=")
            if not (name and equals and text):
                raise ValueError(f"--domains {part!r}: write NAME=TEXT, where TEXT is a file or a corpus")
            if name in named:
                raise ValueError(f"--domains names {name!r} twice; give each text a name of its own")
            named[name] = self._texts(text)
        found = evaluate_domains(self.model, self.tokenizer, named, stride=self.args.stride, **self._batches)
        means = {
            "mean loss": found.macro_loss,
            "mean perplexity": found.macro_perplexity,
            "mean bits per byte": found.macro_bits_per_byte,
        }
        return {name: _loss(loss) for name, loss in found.domains.items()} | {"over domains": means}

    def hellaswag(self) -> dict[str, Any]:
        from minigpt.evaluation import read_hellaswag

        questions = read_hellaswag(self.args.hellaswag)
        examples, rest = questions[: self.args.shots], questions[self.args.shots :]
        if not rest:
            raise ValueError(f"--shots {self.args.shots} takes all {len(questions)} questions; ask for fewer")
        return self._answers([question.after(examples) for question in islice(rest, self.args.limit)])

    def mmlu(self) -> dict[str, Any]:
        from minigpt.evaluation import by_letter, read_mmlu, split_examples

        questions, shots = read_mmlu(self.args.mmlu), self.args.shots
        if self.args.examples is None:
            examples, questions = split_examples(questions, shots)
        else:
            examples, _ = split_examples(read_mmlu(self.args.examples), shots, all_used=True)
        letters = by_letter(questions[: self.args.limit], examples)
        found = {"all": self._answers(letters, ("total",))}
        for subject in sorted({question.subject for question in letters} - {""}):
            found[subject] = self._answers([q for q in letters if q.subject == subject], ("total",))
        return found

    def village(self) -> dict[str, Any]:
        from minigpt.evaluation import SEED, about_story, endings, excess, score_probes, spread

        size, n = self.args.village, self.args.stories
        told = list(stories(n, SEED + self.args.seed, size))
        try:
            above = excess(self.model, self.tokenizer, told, without_state=True, **self._batches)
        except ValueError as error:
            raise ValueError(f"--village {size}: {error}") from error
        found: dict[str, Any] = {
            "loss": _loss(above.loss)
            | {
                "true loss": sum(above.true_nats) / above.loss.tokens,
                "excess, nats a story": _around(above.per_story, len(told)),
                "excess, share of the true entropy": _around(above.share, len(told)),
                "the same without the state": _around(above.plateau, len(told)),
            }
        }
        scores = score_probes(self.model, self.tokenizer, spread(told, n), **self._batches)
        chance, guess = scores.guessing
        found["probes"] = {"right": list(scores.accuracy), "by guessing": chance}
        found["probes"] |= {"loss": _around(scores.loss, len(scores.probes), least=0.0)}
        found["probes"] |= {"loss by guessing": guess}
        for kind in dict.fromkeys(probe.kind for probe in scores.probes):
            part = scores.of_kind(kind)
            found["probes"][f"{kind}, right"] = list(part.accuracy)
            found["probes"][f"{kind}, loss"] = _around(part.loss, len(part.probes), least=0.0)
        for name, questions in (("endings", endings(told)), ("questions", about_story(told))):
            found[name] = self._answers(self._known(questions))
        if self.args.samples:
            found["written"] = self._written(size)
        return found

    @property
    def _batches(self) -> dict[str, int]:
        return {"batch_tokens": self.args.batch_tokens}

    def _texts(self, name: str) -> Iterable[str]:
        from minigpt.data import corpus

        if name in SIZES:
            raise ValueError(f"{name!r}: models are trained on that corpus; use --village {name}, which has others")
        texts = list(islice(corpus(name), self.args.limit))
        if not texts:
            raise ValueError(f"{name!r} holds no text; give a file with some")
        return texts

    def _answers(self, questions: list[MultipleChoice], ways: tuple[str, ...] | None = None) -> dict[str, Any]:
        from minigpt.evaluation import WAYS, accuracies, score_choices

        if not questions:
            return {"questions": 0}
        scores = score_choices(self.model, self.tokenizer, questions, **self._batches)
        found = accuracies(questions, scores, ways or WAYS)
        one = next(iter(found.values()))
        about = {"questions": len(questions), "by guessing": one.chance, "with a context that was cut": one.n_cut}
        return (
            about
            | ({"with unknown words": one.n_inexact} if one.n_inexact else {})
            | {
                f"right, {_NAMES[way] if ways is None else 'by letter'}": list(accuracy.interval)
                for way, accuracy in found.items()
            }
        )

    def _known(self, questions: list[MultipleChoice]) -> list[MultipleChoice]:
        # A tokenizer of the stories may lack the words of questions about them.
        def is_known(text: str) -> bool:
            try:
                return self.tokenizer.decode(self.tokenizer.encode(text)) == text
            except ValueError:
                return False

        return [question for question in questions if all(map(is_known, (question.context, *question.choices)))]

    def _written(self, size: str) -> dict[str, Any]:
        from minigpt.evaluation import end_of_text, judge
        from minigpt.generation import generate

        end, n = end_of_text(self.tokenizer), self.args.samples
        rows: list[list[int]] = []
        while len(rows) < n:
            prompts = [[end]] * min(64, n - len(rows))
            seeds = [self.args.seed + len(rows) + i for i in range(len(prompts))]
            rows += generate(self.model, prompts, self.model.config.context, seed=seeds, end=(end,), overflow="cut")
        judged = judge([self.tokenizer.decode([i for i in row if i != end]) for row in rows], size)
        return {
            "stories": n,
            "grammatical": list(judged.grammatical),
            "grammatical and free of contradiction": list(judged.true),
            "distinct": judged.distinct,
        }


_NAMES = {"total": "total likelihood", "per_token": "likelihood a token", "per_byte": "likelihood a byte"}


def _loss(loss: CorpusLoss) -> dict[str, Any]:
    found = {
        "documents": len(loss),
        "tokens": loss.tokens,
        "bytes": loss.bytes,
        "loss": _around(loss.loss, len(loss), least=0.0),
        "perplexity": loss.perplexity,
        "bits per byte": _around(loss.bits_per_byte, len(loss), least=0.0),
    }
    return found | ({"documents with unknown words": loss.inexact} if loss.inexact else {})


def _around(estimate: Any, n: int, *, least: float = -math.inf) -> list[float | None]:
    # The interval of a mean rests on its being distributed nearly normally, of which a few units know nothing. What
    # cannot be negative has no interval that goes below 0 either.
    mean, half = estimate
    return [mean, max(least, mean - half), mean + half] if n >= FEWEST else [mean, None, None]


def _lines(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield name
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from (f"  {line}" for line in _lines(key, value))
        else:
            yield f"  {key:<38} {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        mean, low, high = value
        return f"{mean:.4f}" + ("" if low is None else f" [{low:.4f}, {high:.4f}]")
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
