"""How the learning rate moves: up from nothing, then down. Each is a function from the step to a factor up to 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from minigpt.training.config import TrainingConfig


def warm(step: int, warmup: int) -> float:
    """The factor while the learning rate rises in a straight line: `(step + 1) / warmup`, and 1 from there on."""
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def cosine(step: int, *, steps: int, warmup: int = 0, final: float = 0.0) -> float:
    """Half a period of a cosine from 1 down to `final` (Loshchilov and Hutter, 2017, equation 5)."""
    return warm(step, warmup) * (final + (1 - final) * (1 + math.cos(math.pi * _progress(step, warmup, steps))) / 2)


def linear(step: int, *, steps: int, warmup: int = 0, final: float = 0.0) -> float:
    """A straight line from 1 down to `final`."""
    return warm(step, warmup) * (1 - (1 - final) * _progress(step, warmup, steps))


def wsd(step: int, *, steps: int, warmup: int = 0, final: float = 0.0, decay: float = 0.2) -> float:
    """Warm-up, stable, decay (Hu et al., 2024): at 1 until the last share `decay` of the steps, then a straight line.

    Until the decay begins nothing depends on the number of steps, so a run can be made longer. In the paper the
    decay is exponential.
    """
    return warm(step, warmup) * (1 - (1 - final) * _progress(step, round(steps * (1 - decay)), steps))


def constant(step: int, *, warmup: int = 0) -> float:
    """1, after the warm-up."""
    return warm(step, warmup)


def schedule(config: TrainingConfig) -> Callable[[int], float]:
    """The function from the step, counted from 0, to the factor that a configuration asks for."""
    match config.schedule:
        case "constant":
            return partial(constant, warmup=config.warmup)
        case "wsd":
            return partial(wsd, steps=config.steps, warmup=config.warmup, final=config.final, decay=config.decay)
        case "linear":
            return partial(linear, steps=config.steps, warmup=config.warmup, final=config.final)
    return partial(cosine, steps=config.steps, warmup=config.warmup, final=config.final)


def _progress(step: int, begin: int, steps: int) -> float:
    # From 0 at the step where the way down begins to 1 at the last one.
    return min(max(step - begin, 0) / max(steps - 1 - begin, 1), 1.0)
