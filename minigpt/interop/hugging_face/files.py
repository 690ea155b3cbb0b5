"""The files of a checkpoint: `config.json`, and the tensors in one safetensors file or in several with an index.

A safetensors file is eight bytes with the length of the header, the header (JSON: dtype, shape and place of every
tensor), and the numbers. Unlike the pickles of `torch.save` it can only hold data, and no code that runs when it is
read.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from minigpt.files import atomic_write

CONFIG, SINGLE, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
CODES = {dtype: code for code, dtype in DTYPES.items()}
Header = dict[str, tuple[tuple[int, ...], torch.dtype | str]]


class CheckpointError(ValueError):
    """A checkpoint that is damaged or incomplete, or that describes a model which this package cannot build exactly."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        CheckpointError: if the file is missing or holds something else.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.parent} has no {path.name}, which a checkpoint needs") from error
    except (ValueError, RecursionError, OSError) as error:
        raise CheckpointError(f"{path} is no readable JSON ({error}); fetch it again") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds a JSON {type(value).__name__}, expected an object: {{...}}")
    return value


def shards(folder: Path) -> list[Path]:
    """The files that hold the tensors.

    Raises:
        CheckpointError: if there are none, or others than the index names.
    """
    single, index = folder / SINGLE, folder / INDEX
    if single.exists() and index.exists():
        raise CheckpointError(f"{folder} has both {SINGLE} and {INDEX}; remove the one that is out of date")
    if single.exists():
        return [single]
    if not index.exists():
        pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
        if pickles:
            raise CheckpointError(
                f"{folder} has only {', '.join(pickles)}: a pickle, which can run any code when it is opened. Only "
                f"{SINGLE} is read. If you trust the source, convert it: open it with Transformers' from_pretrained, "
                "and store it with save_pretrained"
            )
        raise CheckpointError(f"{folder} has neither {SINGLE} nor {INDEX}")
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise CheckpointError(f"{index} has no 'weight_map' from the names of tensors to those of files")
    files = sorted(set(places.values()))
    outside = [name for name in files if Path(name).name != name]
    if outside:
        raise CheckpointError(f"{index} names files that are not in its folder: {', '.join(outside)}")
    missing = [name for name in files if not (folder / name).exists()]
    if missing:
        raise CheckpointError(f"{folder} lacks the shards {', '.join(missing)}, which {INDEX} names; fetch them")
    wrong = []
    for name in files:
        inside, expected = set(read_header([folder / name])), {key for key, file in places.items() if file == name}
        wrong += [f"{key} is not in {name}" for key in sorted(expected - inside)]
        wrong += [f"{key} is in {name}" for key in sorted(inside - expected)]
    if wrong:
        raise CheckpointError(f"{index} and the shards disagree: {some(wrong)}")
    return [folder / name for name in files]


def read_header(paths: Iterable[Path]) -> Header:
    """Shape and dtype of every tensor, without reading the numbers. A dtype that is not ours keeps its name.

    Raises:
        CheckpointError: if a file is damaged.
    """
    header: Header = {}
    for path in paths:
        with _opened(path) as file:
            for key in file.keys():  # noqa: SIM118 (it is no dictionary)
                part = file.get_slice(key)
                header[key] = (tuple(part.get_shape()), DTYPES.get(part.get_dtype(), part.get_dtype()))
    return header


def read_tensors(paths: Iterable[Path]) -> Iterator[tuple[str, Tensor]]:
    """Every tensor, one after the other; what is not kept does not stay in memory.

    Raises:
        CheckpointError: if a file is damaged.
    """
    for path in paths:
        with _opened(path) as file:
            for key in file.keys():  # noqa: SIM118
                yield key, file.get_tensor(key)


def write_tensors(folder: Path, tensors: Mapping[str, Tensor], shard_size: int) -> None:
    """Write the tensors into one file, or where they exceed `shard_size` bytes into several with an index.

    One tensor at a time is copied. A tensor larger than `shard_size` gets a file of its own.
    """
    groups: list[dict[str, Tensor]] = []
    room = 0
    for key, tensor in tensors.items():
        if not groups or tensor.nbytes > room:
            groups.append({})
            room = shard_size
        groups[-1][key] = tensor
        room -= tensor.nbytes
    if len(groups) == 1:
        _write_safetensors(folder / SINGLE, groups[0])
        return
    places = {}
    for i, group in enumerate(groups, start=1):
        name = f"model-{i:05}-of-{len(groups):05}.safetensors"
        _write_safetensors(folder / name, group)
        places |= dict.fromkeys(group, name)
    total = sum(tensor.nbytes for tensor in tensors.values())
    write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": places})


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object."""
    with atomic_write(path) as file:
        json.dump(value, file, indent=2, sort_keys=True, allow_nan=False)
        file.write("\n")


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder to fill that appears under its name only if the block ends without an error.

    Raises:
        FileExistsError: if there is something under this name, other than an empty folder.
        FileNotFoundError: if the folder around it does not exist.
    """
    target = Path(path).resolve()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FileExistsError(f"{target} exists and is not an empty folder; remove it, or choose another name")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {target.parent} does not exist; create it before writing {target.name!r}")
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    part.mkdir()
    try:
        yield part
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def some(items: Iterable[str], limit: int = 8) -> str:
    """A list for an error message, which stops after `limit` items and says how many there are."""
    items = list(items)
    return ", ".join(items[:limit]) + (f", ... ({len(items)} in all)" if len(items) > limit else "")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is no whole safetensors file ({error}); it was damaged, or not fetched to its end: fetch it again"
        ) from error


def _write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    # Wide numbers first, so that each tensor starts at a multiple of its numbers' width.
    ordered = sorted(tensors.items(), key=lambda item: -item[1].itemsize)
    for key, tensor in ordered:
        start, end = end, end + tensor.nbytes
        header[key] = {"dtype": CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, tensor in ordered:
            file.write(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
