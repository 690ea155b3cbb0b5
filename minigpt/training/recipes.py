"""Recipes: how a model of a size is trained, so that a text file alone is enough to begin."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from minigpt.models import PRESETS, TransformerConfig, preset
from minigpt.models.presets import ALIASES, NOT_DESCRIBED


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model and how to train it.

    Args:
        model: name of the configuration in `minigpt.models.PRESETS`.
        batch_size: sequences in a batch.
        settings: values of `TrainingConfig` that differ from its defaults; `warmup` as a number of steps.
    """

    model: str
    batch_size: int
    settings: dict[str, Any] = field(default_factory=dict)


_FROM_SCRATCH: dict[str, Any] = {
    "optimizer": "muon",
    "lr": 0.01,
    "muon_lr": 0.02,
    "weight_decay": 0.0,
    "schedule": "linear",
    "final": 0.02,
    "warmup": 20,
}
_PUBLISHED: dict[str, Any] = {"lr": 6e-4, "betas": (0.9, 0.95), "weight_decay": 0.1, "warmup": 500}

RECIPES: dict[str, Recipe] = {
    "tiny": Recipe(model="tiny", batch_size=16, settings=_FROM_SCRATCH),
    "small": Recipe(model="small", batch_size=16, settings=_FROM_SCRATCH),
}
"""The recipes of this course, by name of the preset."""


def recipe(name: str) -> Recipe:
    """The recipe of a preset; models that were published get the settings of GPT-2's size in GPT-3's paper.

    Raises:
        ValueError: if there is no such preset, or it is not a `GPT`.
    """
    if name in RECIPES:
        return RECIPES[name]
    if name not in PRESETS and name not in ALIASES and not name.startswith(tuple(NOT_DESCRIBED)):
        writers = [known for known in PRESETS if PRESETS[known].architecture == "gpt"]
        near = difflib.get_close_matches(name.lower(), writers, n=3) or ["tiny", "small", "gpt-2", "llama-3.2-1b"]
        raise ValueError(f"there is no preset {name!r}; models that write are, for instance, {', '.join(near)}")
    preset(name)
    if name in PRESETS and PRESETS[name].architecture != "gpt":
        raise ValueError(f"preset {name!r} is no GPT; `minigpt train` trains models that write, such as tiny or gpt-2")
    return Recipe(model=name, batch_size=32, settings=_PUBLISHED)


def model_config(recipe: Recipe, vocab_size: int, context: int | None = None, **changes: Any) -> TransformerConfig:
    """The model of a recipe for a vocabulary.

    Args:
        recipe: of which preset.
        vocab_size: number of token ids.
        context: longest sequence; by default the preset's.
        changes: further values of `TransformerConfig`.
    """
    if context is not None:
        changes["context"] = context
    return preset(recipe.model, vocab_size=vocab_size, **changes)
