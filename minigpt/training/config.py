"""What a training run is: how many steps, how large, how fast, by which optimiser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

OptimizerName = Literal["adamw", "muon", "sgd"]
ScheduleName = Literal["cosine", "linear", "wsd", "constant"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The settings of a `Trainer`. The defaults train a small model from scratch.

    Args:
        steps: number of updates of the weights, at least 1.
        optimizer: `"adamw"`, `"muon"` (for matrices; AdamW for the rest) or `"sgd"` (with momentum).
        lr: largest learning rate of AdamW or SGD.
        muon_lr: largest learning rate of Muon.
        betas: decay of AdamW's two averages; the first is also the momentum of SGD.
        momentum: momentum of Muon.
        weight_decay: share of a matrix that is taken off at each step, times the learning rate; vectors keep theirs.
        schedule: how the learning rate moves: `"cosine"`, `"linear"`, `"wsd"` (warm-up, stable, decay) or `"constant"`.
        warmup: steps in which it rises from 0, fewer than `steps`.
        final: share of the largest learning rate that is left at the end.
        decay: share of the steps in which `"wsd"` decays.
        clip: largest norm of the gradient of all weights together; `math.inf` for no limit.
        z_loss: weight of the square of the log of the softmax's sum (de Brebisson and Vincent, 2016).
        accumulate: parts into which a batch is cut, one after the other, to save memory.
        precision: of the products of matrices; weights and sums stay in float32 (`torch.autocast`).
        compile: whether `torch.compile` translates the model first; it takes a minute and pays for itself later.
        seed: of dropout, the only chance in here: the loader has a seed of its own.
        log_every: steps between two lines of the record.
        evaluate_every: steps between two evaluations; the last step always is followed by one.
        evaluate_batches: number of validation batches that are read for one.
        checkpoint_every: steps between two checkpoints; the last step always is followed by one.
        keep: number of checkpoints that stay, at least 1.

    Raises:
        ValueError: if a value is out of range.
    """

    steps: int
    optimizer: OptimizerName = "adamw"
    lr: float = 1e-3
    muon_lr: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    momentum: float = 0.95
    weight_decay: float = 0.1
    schedule: ScheduleName = "cosine"
    warmup: int = 0
    final: float = 0.1
    decay: float = 0.2
    clip: float = 1.0
    z_loss: float = 0.0
    accumulate: int = 1
    precision: Precision = "float32"
    compile: bool = False
    seed: int = 0
    log_every: int = 10
    evaluate_every: int = 100
    evaluate_batches: int = 8
    checkpoint_every: int = 500
    keep: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        counts = ("steps", "accumulate", "log_every", "evaluate_every", "evaluate_batches", "checkpoint_every", "keep")
        for name in counts:
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)!r} must be an integer of at least 1")
        if type(self.warmup) is not int or not 0 <= self.warmup < max(self.steps, 2):
            raise ValueError(f"warmup={self.warmup!r} must be an integer from 0 to below steps={self.steps}")
        for name, choices in (
            ("optimizer", ("adamw", "muon", "sgd")),
            ("schedule", ("cosine", "linear", "wsd", "constant")),
            ("precision", ("float32", "bfloat16")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r} is not known; use one of {', '.join(choices)}")
        for name in ("lr", "muon_lr"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} must be a positive number")
        for name in ("weight_decay", "z_loss"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} must be a number of at least 0")
        if not self.clip > 0:
            raise ValueError(f"clip={self.clip} must be positive; math.inf sets no limit")
        if not 0 <= self.final <= 1 or not 0 < self.decay <= 1:
            raise ValueError(f"final={self.final} and decay={self.decay} are shares; they must be from 0 to 1")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in (*self.betas, self.momentum)):
            raise ValueError(f"betas={self.betas} and momentum={self.momentum} must be from 0 to below 1")
        if type(self.seed) is not int or self.seed < 0:
            raise ValueError(f"seed={self.seed!r} must be an integer of at least 0")
