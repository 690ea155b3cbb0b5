"""A model in a folder: `config.json`, `model.safetensors`, and beside them the tokenizer and whatever else belongs."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from minigpt.files import atomic_write
from minigpt.models.config import TransformerConfig
from minigpt.models.gpt import GPT
from minigpt.nn.rotary import LinearScaling, Llama3Scaling

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
FORMAT = "minigpt-model"
_SCALINGS = {"linear": LinearScaling, "llama3": Llama3Scaling}


def config_to_dict(config: TransformerConfig) -> dict[str, Any]:
    """What differs from the defaults, as JSON values; `config_from_dict` is the inverse."""
    values = config.changed()
    if config.rope_scaling is not None:
        kind = next((name for name, cls in _SCALINGS.items() if type(config.rope_scaling) is cls), None)
        if kind is None:
            raise ValueError(f"rope_scaling={config.rope_scaling!r} has no name in a file; use one of {_SCALINGS}")
        values["rope_scaling"] = {"kind": kind, **dataclasses.asdict(config.rope_scaling)}
    return values


def config_from_dict(values: dict[str, Any]) -> TransformerConfig:
    """The configuration that `config_to_dict` described.

    Raises:
        ValueError: if a name is unknown, one is missing, or a value does not fit.
    """
    values = dict(values)
    try:
        if values.get("rope_scaling") is not None:
            scaling = dict(values["rope_scaling"])
            values["rope_scaling"] = _SCALINGS[scaling.pop("kind")](**scaling)
        return TransformerConfig(**values)
    except (TypeError, KeyError) as error:
        raise ValueError(f"this is no configuration of a model of ours ({error}): {values}") from error


def save_model(model: GPT, folder: str | os.PathLike[str]) -> None:
    """Write `config.json` and `model.safetensors` into a folder, which is made if it is not there.

    Each file is replaced in one step. A tied table is written once.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = weights(model)
    with atomic_write(folder / WEIGHTS, "wb") as file:
        file.write(save(state, metadata={"format": "pt"}))
    with atomic_write(folder / CONFIG) as file:
        json.dump({"format": FORMAT, **config_to_dict(model.config)}, file, indent=1)
        file.write("\n")


def load_model(
    folder: str | os.PathLike[str], *, dtype: torch.dtype | None = None, device: torch.device | str = "cpu"
) -> GPT:
    """The model that `save_model` wrote, ready for use (`eval()`).

    Args:
        folder: where it is. Its tokenizer, where there is one, is `Tokenizer.load(folder / "tokenizer.json")`.
        dtype: floating-point type of the weights; by default float32, whatever they were stored as.
        device: where the weights are wanted.

    Raises:
        ValueError: if a file is missing, damaged or of another kind, or the tensors do not fit the configuration.
    """
    folder = Path(folder)
    try:
        values = json.loads((folder / CONFIG).read_bytes())
        state = load_file(folder / WEIGHTS, device=str(device))
    except FileNotFoundError as error:
        raise ValueError(f"{str(folder)!r} holds no model: {error.filename or error} is missing") from error
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"the model in {str(folder)!r} is damaged: {error}") from error
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise ValueError(
            f"{str(folder / CONFIG)!r} does not describe a model of minigpt; for a checkpoint of Hugging Face use "
            "minigpt.interop.hugging_face.load"
        )
    model = GPT(config_from_dict(values)).to(device=device, dtype=dtype or torch.float32)
    set_weights(model, state)
    return model.eval()


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter by name, a shared one once, under the first of its names."""
    return {name: parameter.detach().contiguous() for name, parameter in model.named_parameters()}


@torch.no_grad()
def set_weights(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy values into the parameters of a model; all of them, or none.

    Raises:
        ValueError: if a name is missing or unknown, or a shape differs.
    """
    own = dict(model.named_parameters())
    wrong = [f"{name} is missing" for name in own.keys() - state.keys()]
    wrong += [f"{name} is unknown" for name in state.keys() - own.keys()]
    wrong += [
        f"{name} is {tuple(state[name].shape)}, not {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if state[name].shape != own[name].shape
    ]
    if wrong:
        raise ValueError(f"the weights do not fit the model: {'; '.join(sorted(wrong)[:5])}")
    for name, parameter in own.items():
        parameter.copy_(state[name])
