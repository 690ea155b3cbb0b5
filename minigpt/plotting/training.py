"""The curve of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from minigpt.plotting.style import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_training(
    record: Sequence[Mapping[str, Any]],
    *,
    floor: float | None = None,
    plateau: float | None = None,
    label: str = "",
    color: str = COLORS["blue"],
    ax: Axes | None = None,
) -> Axes:
    """Draw loss and validation loss against the step, on axes with a logarithmic step.

    Args:
        record: lines as `minigpt.training.read_record` gives them, or `Trainer.record.lines`.
        floor: the true entropy in nats a token, where it is known: no model goes below.
        plateau: what a reader reaches who knows the grammar but not the state, in nats a token.
        label: name of the run.
        color: of its lines.
        ax: where to draw; by default new axes.

    Returns:
        The axes.

    Raises:
        ValueError: if the record holds no loss.
    """
    import matplotlib.pyplot as plt

    losses = [(line["step"], line["loss"]) for line in record if "loss" in line]
    validated = [(line["step"], line["validation_loss"]) for line in record if "validation_loss" in line]
    if not losses and not validated:
        raise ValueError("the record holds no loss; has the run made a step?")
    ax = ax or plt.subplots()[1]
    name = f"{label}: " if label else ""
    if losses:
        ax.plot(*zip(*losses, strict=True), color=color, alpha=0.35 if validated else 1, label=f"{name}training")
    if validated:
        ax.plot(*zip(*validated, strict=True), color=color, marker="o", markersize=3, label=f"{name}validation")
    for value, style, what in ((plateau, "--", "knows the grammar only"), (floor, "-", "true entropy")):
        if value is not None:
            ax.axhline(value, color=COLORS["black"], linestyle=style, linewidth=1, label=what)
    ax.set_xscale("log")
    ax.set_xlabel("step")
    ax.set_ylabel("loss (nats a token)")
    ax.legend()
    return ax
