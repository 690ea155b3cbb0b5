"""What a person asks for when they begin a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What a person asks for; the rest follows.

    Args:
        data: a file, or the name of a corpus (`minigpt.data.corpora.corpus`).
        preset: a name in `RECIPES` or of a published GPT.
        tokenizer: `"auto"`, `"bpe"`, `"char"`, `"byte"`, `"word"`, or a file that `Tokenizer.save` wrote.
        vocab_size: number of tokens of a new BPE vocabulary; by default what suits the length of the text.
        steps: number of steps; one of `steps` and `minutes`.
        minutes: time for everything; the number of steps follows from the speed of the first ones.
        context: longest sequence, in tokens; by default the preset's. If not nearly all documents fit, rows are windows
            of the stream of documents; of the village, the true entropy is then no floor of the loss, and is not given.
        batch_size: sequences in a batch; by default the recipe's.
        validation: share of the text that is kept for validation, at most half; of the village, other stories are.
        seed: of the initial weights, the order of the batches and the stories.
        model: values of `TransformerConfig` to change.
        training: values of `TrainingConfig` to change.

    Raises:
        ValueError: if a value is out of range.
    """

    data: str
    preset: str = "tiny"
    tokenizer: str = "auto"
    vocab_size: int | None = None
    steps: int | None = None
    minutes: float | None = None
    context: int | None = None
    batch_size: int | None = None
    validation: float = 0.1
    seed: int = 0
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either a number of steps or of minutes")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ValueError(f"minutes={self.minutes} must be a positive number")
        if not 0 < self.validation <= 0.5:
            raise ValueError(f"validation={self.validation} is a share; it must be above 0 and at most 0.5")
        for name in ("steps", "context", "batch_size", "vocab_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
