"""Rotary positions in the configuration of Transformers: their base, and how they are scaled for longer texts."""

from __future__ import annotations

from typing import Any

from minigpt.interop.hugging_face.files import CheckpointError
from minigpt.models import TransformerConfig
from minigpt.nn import LinearScaling, Llama3Scaling

# Entry of each kind to the argument of our scaling.
LINEAR = {"factor": "factor"}
LLAMA3 = {
    "factor": "factor",
    "low_freq_factor": "low",
    "high_freq_factor": "high",
    "original_max_position_embeddings": "original_context",
}
KINDS = {"default": (type(None), {}), "linear": (LinearScaling, LINEAR), "llama3": (Llama3Scaling, LLAMA3)}
"""`rope_type` to our class, and its entries to the arguments of that class."""

GENERAL = {"rope_theta", "rope_type", "type", "partial_rotary_factor", "original_max_position_embeddings"}


def typed(raw: dict[str, Any], name: str, default: Any, *, optional: bool = False) -> Any:
    """An entry of a configuration.

    Args:
        raw: the configuration.
        name: of the entry.
        default: its value where it is not there; the entry must be of the same type (`int` if the default is `None`).
        optional: whether `None` is a value too.

    Raises:
        CheckpointError: if the entry is of another type.
    """
    value = raw.get(name, default)
    if value is None and optional:
        return None
    kind = int if default is None else type(default)
    fits = type(value) in (int, float) if kind is float else type(value) is kind
    if not fits:
        raise CheckpointError(f"{name}={value!r} is no {kind.__name__}")
    return value


def read_rope(raw: dict[str, Any], context: int) -> dict[str, Any]:
    """The fields `rope_base` and `rope_scaling` of a `TransformerConfig`.

    Args:
        raw: the content of `config.json`. Before version 5 of Transformers the base was an entry of its own, and the
            rest was called `rope_scaling`.
        context: longest text.

    Raises:
        CheckpointError: if a value is of the wrong kind, or we have nothing that corresponds to it exactly.
    """
    rope = raw.get("rope_scaling") or raw.get("rope_parameters") or {}
    if not isinstance(rope, dict):
        raise CheckpointError(f"rope_scaling={rope!r} is no mapping")
    turning = rope.get("partial_rotary_factor", raw.get("partial_rotary_factor", 1))
    if turning not in (1, None):
        raise CheckpointError(f"partial_rotary_factor={turning!r} has no counterpart here: all coordinates turn")
    kind = rope.get("rope_type", rope.get("type", "default"))
    if not isinstance(kind, str) or kind not in KINDS:
        raise CheckpointError(f"rope_type={kind!r} has no counterpart here; use one of {', '.join(KINDS)}")
    scaling, arguments = KINDS[kind]
    if strange := sorted(rope.keys() - GENERAL - arguments.keys()):
        raise CheckpointError(f"rope_type={kind!r} has no entries {', '.join(strange)}")
    defaults = {name: raw[name] for name in ("original_max_position_embeddings", "rope_theta") if name in raw}
    rope = {"original_max_position_embeddings": context, "rope_theta": 10000.0} | defaults | rope
    types = {"original_max_position_embeddings": 0}
    values = {ours: typed(rope, name, types.get(name, 0.0)) for name, ours in arguments.items() if name in rope}
    if missing := sorted(arguments.keys() - rope.keys()):
        raise CheckpointError(f"rope_type={kind!r} needs {', '.join(missing)}")
    try:
        return {"rope_base": typed(rope, "rope_theta", 0.0), "rope_scaling": scaling(**values)}
    except ValueError as error:
        raise CheckpointError(f"rope_type={kind!r}: {error}") from error


def write_rope(config: TransformerConfig) -> dict[str, Any]:
    """The entries that say the same, in the old form, which all versions of Transformers read."""
    kind, arguments = next(
        (kind, arguments) for kind, (scaling, arguments) in KINDS.items() if isinstance(config.rope_scaling, scaling)
    )
    entries = {name: getattr(config.rope_scaling, ours) for name, ours in arguments.items()}
    return {"rope_theta": config.rope_base, "rope_scaling": {"rope_type": kind} | entries if entries else None}
