"""Loss scaling: gradients are moved up to where a short format has numbers, and back (Micikevicius et al., 2018)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


class LossScale:
    """A factor for the loss, and with it for every gradient, that finds its own size.

    Multiply the loss by `scale` before the backward pass. Then give the gradients to `unscale`, which divides them and
    says whether to make the step: when one of them is infinite or NaN, the step is to be left out, and the factor
    falls. After `interval` good steps in a row it rises. The gradients may be arrays of NumPy or tensors of PyTorch.

    Args:
        scale: the factor to begin with; a power of two changes no digit of a gradient.
        growth: the factor by which it rises, at least 1.
        backoff: the factor by which it falls, more than 0 and less than 1.
        interval: good steps until it rises; `None` for a static scale, which neither rises nor falls.
        smallest: where the fall ends.
        largest: where the rise ends; the default is the largest power of two in FP32.

    Raises:
        ValueError: if a number is out of range.
    """

    def __init__(
        self,
        scale: float = 2.0**16,
        *,
        growth: float = 2.0,
        backoff: float = 0.5,
        interval: int | None = 2000,
        smallest: float = 2.0**-24,
        largest: float = 2.0**127,
    ) -> None:
        if not (0 < smallest <= scale <= largest < math.inf):
            raise ValueError(f"scale={scale} must lie between smallest={smallest} > 0 and largest={largest}")
        if not (1 <= growth < math.inf and 0 < backoff < 1):
            raise ValueError(f"growth={growth} must be at least 1, and backoff={backoff} between 0 and 1")
        if interval is not None and interval < 1:
            raise ValueError(f"interval={interval} must be at least 1 step, or None for a static scale")
        self.scale, self.growth, self.backoff, self.interval = float(scale), growth, backoff, interval
        self.smallest, self.largest = smallest, largest
        self.good_steps = 0
        self.skipped = 0

    def unscale(self, gradients: Iterable[Any]) -> bool:
        """Divide gradients by the scale, in place, and adapt it.

        Args:
            gradients: arrays or tensors of floating-point numbers in a format wide enough for the quotient: FP32, as
                master weights have it. `None` stands for a parameter that got no gradient.

        Returns:
            Whether all of them were finite, that is, whether to make the step.
        """
        finite = True
        for gradient in gradients:
            if gradient is None:
                continue
            gradient /= self.scale
            # Also false for NaN, which compares as false with everything.
            finite = finite and bool((abs(gradient) < math.inf).all())
        self.update(finite)
        return finite

    def update(self, finite: bool) -> None:
        """Adapt the scale to a step whose gradients were finite, or were not."""
        self.skipped += not finite
        if self.interval is None:
            return
        if not finite:
            self.scale, self.good_steps = max(self.scale * self.backoff, self.smallest), 0
            return
        self.good_steps += 1
        if self.good_steps == self.interval:
            self.scale, self.good_steps = min(self.scale * self.growth, self.largest), 0

    def state_dict(self) -> dict[str, float | int]:
        """What a checkpoint needs, so that a run goes on as if it had not stopped."""
        return {"scale": self.scale, "good_steps": self.good_steps, "skipped": self.skipped}

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        """Take over what `state_dict` gave."""
        self.scale = float(state["scale"])
        self.good_steps, self.skipped = int(state["good_steps"]), int(state["skipped"])

    def __repr__(self) -> str:
        kind = "static" if self.interval is None else f"interval={self.interval}"
        return f"LossScale({self.scale:g}, {kind})"
