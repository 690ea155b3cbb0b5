"""Checkpoints: everything a run needs to go on as if nothing had happened, on the disk as a whole or not at all.

A checkpoint is a folder `step-00001000` with `model.safetensors`, `state.safetensors` (what the optimiser and the
random generators remember) and `state.json`, which holds the rest and the SHA-256 of all three. It is written
beside its place, flushed to the disk and renamed in one step; `latest` takes the newest whose files are what
`state.json` says. So a process that is killed, a disk that is full or a file that is cut short costs at most the steps
since the checkpoint before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

MODEL, TENSORS, STATE = "model.safetensors", "state.safetensors", "state.json"
FORMAT, VERSION = "minigpt-checkpoint", 1


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        step: number of steps that were made.
        weights: the parameters of the model, by name.
        state: everything else, as nested dictionaries and lists of JSON values and tensors.
    """

    step: int
    weights: Mapping[str, Tensor]
    state: Mapping[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write a checkpoint, then remove all but the last `keep`.

    Args:
        folder: where the checkpoints of a run are; made if it is not there.
        checkpoint: what to write.
        keep: number of checkpoints that stay, at least 1.

    Returns:
        The folder of this checkpoint.

    Raises:
        OSError: if it cannot be written; the checkpoints before stay as they are.
    """
    target = folder / f"step-{checkpoint.step:08d}"
    part = folder / f".{target.name}.part"
    tensors: dict[str, Tensor] = {}
    tree = _take_tensors(checkpoint.state, tensors)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        sums = {
            MODEL: _write(part / MODEL, save(dict(checkpoint.weights))),
            TENSORS: _write(part / TENSORS, save(tensors)),
        }
        header = {"format": FORMAT, "version": VERSION, "step": checkpoint.step, "state": tree}
        header["sha256"] = sums | {STATE: _checksum_of_state(header)}
        _write(part / STATE, json.dumps(header, indent=1).encode())
        _flush_folder(part)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(part, target)
        _flush_folder(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    for old in _folders(folder)[:-keep]:
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return target


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises:
        ValueError: if it is not whole, or was written by a later version of this package.
    """
    try:
        header = json.loads((path / STATE).read_bytes())
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError(f"{path.name} is no checkpoint of minigpt")
        if header["version"] != VERSION:
            raise ValueError(f"{path.name} has version {header['version']}, this minigpt reads {VERSION}")
        data = {name: (path / name).read_bytes() for name in (MODEL, TENSORS)}
        found = {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}
        found[STATE] = _checksum_of_state(header)
        for name, checksum in found.items():
            if checksum != header["sha256"][name]:
                raise ValueError(f"{path.name}/{name} is damaged: its checksum is not the one in {STATE}")
        tensors = load(data[TENSORS])
        return Checkpoint(header["step"], load(data[MODEL]), _put_tensors(header["state"], tensors))
    except (OSError, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise ValueError(f"{path.name} is not whole: {error}") from error


def latest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole, or `None`.

    Args:
        folder: where the checkpoints of a run are.
    """
    for path in reversed(_folders(folder)):
        try:
            return load_checkpoint(path)
        except ValueError:
            continue
    return None


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if path.name[5:].isdigit())


def _checksum_of_state(header: dict[str, Any]) -> str:
    text = json.dumps([header["step"], header["state"]])
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, data: bytes) -> str:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(data).hexdigest()


def _flush_folder(path: Path) -> None:
    # Names are on the disk only when their folder is; Windows has no such call and does without.
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _take_tensors(tree: Any, tensors: dict[str, Tensor]) -> Any:
    # JSON has neither tensors nor keys that are numbers (as those of an optimiser's state): both get a mark.
    if isinstance(tree, Tensor):
        name = str(len(tensors))
        tensors[name] = tree.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(tree, Mapping):
        return {"items": [[key, _take_tensors(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return [_take_tensors(value, tensors) for value in tree]
    return tree


def _put_tensors(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(tree, list):
        return [_put_tensors(value, tensors) for value in tree]
    if isinstance(tree, dict):
        if "tensor" in tree:
            return tensors[tree["tensor"]]
        return {key: _put_tensors(value, tensors) for key, value in tree["items"]}
    return tree
