"""Multiple choice: which of several texts a model holds to be the likeliest continuation of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

from minigpt.evaluation.intervals import Interval, bootstrap, wilson
from minigpt.evaluation.scoring import end_of_text, token_log_probs
from minigpt.models import GPT
from minigpt.tokenizers import Tokenizer

Way = Literal["total", "per_token", "per_byte"]
WAYS: tuple[Way, ...] = get_args(Way)
"""How choices are compared: by log-likelihood, or by log-likelihood divided by a length."""


@dataclass(frozen=True)
class MultipleChoice:
    """A text and several ways to go on, of which one is right.

    Attributes:
        context: what comes before the choice, without the space between them.
        choices: at least two.
        answer: index of the right one.
        subject: what the question is about, such as `"college_physics"`; questions of one subject share examples.
        joint: what stands between context and choice.

    Raises:
        ValueError: if there are fewer than two choices, one is empty, or `answer` is none of them.
    """

    context: str
    choices: tuple[str, ...]
    answer: int
    subject: str = ""
    joint: str = " "

    def __post_init__(self) -> None:
        if len(self.choices) < 2 or not all(self.choices):
            raise ValueError(f"choices={self.choices!r}: give at least two, none of them empty")
        if not 0 <= self.answer < len(self.choices):
            raise ValueError(f"answer={self.answer!r} is the index of none of {len(self.choices)} choices")

    @property
    def solved(self) -> str:
        """The context with the right choice."""
        return f"{self.context}{self.joint}{self.choices[self.answer]}"

    def after(self, examples: Sequence[MultipleChoice], separator: str = "\n\n") -> MultipleChoice:
        """The same question behind solved examples ("few-shot")."""
        solved = "".join(example.solved + separator for example in examples)
        return replace(self, context=solved + self.context)


@dataclass(frozen=True)
class ChoiceScores:
    """How likely a model holds each choice of a question to be.

    Attributes:
        log_probs: of each choice, natural log of its probability behind the context.
        tokens: of each, how many tokens that is a sum over.
        bytes: of each, its bytes in UTF-8, without what joins it to the context.
        is_cut: whether the beginning of the context was left out because it did not fit.
        is_exact: whether the tokenizer gives context and choices back as they were. If not, words that it does not know
            were compared as if they were the same.
    """

    log_probs: tuple[float, ...]
    tokens: tuple[int, ...]
    bytes: tuple[int, ...]
    is_cut: bool = False
    is_exact: bool = True

    def values(self, way: Way) -> tuple[float, ...]:
        """What is compared; the largest wins.

        Raises:
            ValueError: if the way is unknown.
        """
        if way not in WAYS:
            raise ValueError(f"way={way!r} is not known; use one of {', '.join(WAYS)}")
        if way == "total":
            return self.log_probs
        sizes = self.tokens if way == "per_token" else self.bytes
        return tuple(value / size for value, size in zip(self.log_probs, sizes, strict=True))

    def best(self, way: Way) -> tuple[int, ...]:
        """The index of the best choice; of several, if they tie."""
        values = self.values(way)
        return tuple(i for i, value in enumerate(values) if value == max(values))

    def credit(self, answer: int, way: Way) -> float:
        """1 if the answer is best, `1 / k` if it is one of `k` that tie, else 0: what guessing among them would get.

        (Evaluation harnesses take the first of them, so that their score hangs on the order of the choices.)
        """
        best = self.best(way)
        return (answer in best) / len(best)


@dataclass(frozen=True)
class Accuracy:
    """The share of questions that were answered right.

    Attributes:
        credits: of each question: 1, 0, or in a tie the share of a guess.
        chance: the share that guessing gets.
        n_cut: how many contexts were cut.
        n_inexact: how many questions hold words that the tokenizer does not know.
    """

    credits: tuple[float, ...]
    chance: float
    n_cut: int = 0
    n_inexact: int = 0

    @cached_property
    def interval(self) -> Interval:
        """The share with Wilson's 95 % interval."""
        return wilson(math.fsum(self.credits), len(self.credits))

    def bootstrap(self, seed: int = 0) -> Interval:
        """The share with an interval from questions drawn anew with replacement."""
        return bootstrap(self.credits, seed=seed)


def score_choices(
    model: GPT, tokenizer: Tokenizer, questions: Sequence[MultipleChoice], *, batch_tokens: int = 8192
) -> list[ChoiceScores]:
    """The log-likelihood of every choice of every question.

    Context and choice are encoded as one text, since a tokenizer may put the border inside a token. Scored are the
    tokens behind those that the context and all its choices begin with alike. So every choice is judged from the same
    tokens, and their differences are exactly those of the log-probabilities of the whole texts. (EleutherAI's
    `lm-evaluation-harness` encodes the context and the whole, moves spaces at the end of the context to the choice, and
    scores what is longer than the context's encoding: the same, unless a token crosses the border.)

    `<|endoftext|>` comes first; if context and longest choice do not fit, the beginning is left out, as much for every
    choice, and `is_cut` says so.

    Args:
        model: a decoder.
        tokenizer: that of the model.
        questions: what to score.
        batch_tokens: how many tokens are read at once.

    Raises:
        ValueError: if a choice alone is longer than the context of the model.
    """
    first = end_of_text(tokenizer)
    sequences: list[list[int]] = []
    last: list[int] = []
    flags: list[tuple[bool, bool]] = []
    for number, question in enumerate(questions):
        texts = [question.context + question.joint + choice for choice in question.choices]
        wholes = [[first, *tokenizer.encode(text)] for text in texts]
        shared = _shared([[first, *tokenizer.encode(question.context)], *wholes])
        left_out = max(0, max(map(len, wholes)) - model.config.context - 1)
        if left_out >= shared:
            raise ValueError(
                f"a choice of question {number} is longer than the context of the model, {model.config.context} tokens"
            )
        sequences += [whole[left_out:] for whole in wholes]
        last += [len(whole) - shared for whole in wholes]
        flags.append(
            (left_out > 0, all(tokenizer.decode(w[1:]) == text for w, text in zip(wholes, texts, strict=True)))
        )
    found = iter(token_log_probs(model, sequences, last=last, batch_tokens=batch_tokens))
    scores = []
    for question, (is_cut, is_exact) in zip(questions, flags, strict=True):
        values = [next(found).tolist() for _ in question.choices]
        scores.append(
            ChoiceScores(
                tuple(map(math.fsum, values)),
                tuple(map(len, values)),
                tuple(len(choice.encode()) for choice in question.choices),
                is_cut,
                is_exact,
            )
        )
    return scores


def accuracies(
    questions: Sequence[MultipleChoice], scores: Sequence[ChoiceScores], ways: Sequence[Way] = WAYS
) -> dict[Way, Accuracy]:
    """The accuracy by each way of comparing the choices.

    Raises:
        ValueError: if there is no question, or not one score for each.
    """
    if not questions or len(questions) != len(scores):
        raise ValueError(f"{len(questions)} questions and {len(scores)} scores; give one for each, and at least one")
    pairs = list(zip(questions, scores, strict=True))
    chance = math.fsum(1 / len(question.choices) for question in questions) / len(questions)
    counts = (sum(score.is_cut for score in scores), sum(not score.is_exact for score in scores))
    return {
        way: Accuracy(tuple(score.credit(question.answer, way) for question, score in pairs), chance, *counts)
        for way in ways
    }


def _shared(lists: Sequence[Sequence[int]]) -> int:
    # How many tokens all begin with; a choice has at least one token of its own. Between the first and the last in
    # order, all others agree with both as far as these agree.
    low, high = min(lists), max(lists)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return min(same, *(len(ids) - 1 for ids in lists[1:]))
