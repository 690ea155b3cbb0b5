"""Whole models to and from checkpoints of Hugging Face's `transformers`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.interop.hugging_face import files
from minigpt.interop.hugging_face.config import Description, read_config, write_config
from minigpt.interop.hugging_face.files import CheckpointError, Header, some
from minigpt.interop.hugging_face.names import NAMES, Names, Piece, pieces
from minigpt.models import BERT, GPT, MaskedLanguageModel, SequenceClassifier, TokenClassifier
from minigpt.models.parts import make_rotary
from minigpt.nn import Attention

Model = GPT | BERT | MaskedLanguageModel | SequenceClassifier | TokenClassifier
"""What a checkpoint can become."""

WITHOUT_HEAD = {"GPT2Model": "GPT2LMHeadModel", "LlamaModel": "LlamaForCausalLM", "MistralModel": "MistralForCausalLM"}


def load(
    source: str | os.PathLike[str] | nn.Module,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Model:
    """The same model in our modules, ready for use (`eval()`), from a folder or from a model of Transformers.

    Read are GPT-2, Llama and Mistral, which become a `GPT`; BERT, which becomes a `BERT` (without its pooler, which
    only the classifier of texts uses); and BERT as a masked language model or a classifier of texts or of tokens.
    Configuration, names and shapes are checked before anything is read, tensors are read one after the other, and
    nothing is shared with the source. Transformers need not be installed.

    Args:
        source: a folder with `config.json` and `model.safetensors` (or its shards and their index), or a model.
        dtype: floating-point type of the weights; by default as they are stored.
        device: where the weights are wanted.

    Raises:
        CheckpointError: if files are missing or damaged; if tensors are unknown, missing, twice there or of the wrong
            shape; or if the configuration asks for something that we do not have.
        TypeError: if the source is neither a path nor such a model, or `dtype` is no floating-point type.
    """
    if dtype is not None and dtype not in files.CODES:
        raise TypeError(f"dtype={dtype} is not one for weights; use one of {', '.join(map(str, files.CODES))}")
    if isinstance(source, (str, os.PathLike)):
        folder = Path(source)
        if not folder.is_dir():
            raise CheckpointError(f"{folder} is no folder; nothing is downloaded here: fetch the checkpoint first")
        raw = files.read_json(folder / files.CONFIG)
        paths = files.shards(folder)
        header, tensors = files.read_header(paths), files.read_tensors(paths)
        listed = raw.get("architectures")
        if not isinstance(listed, list) or len(listed) != 1:
            raise CheckpointError(
                f'architectures={listed!r} in {files.CONFIG} does not name one class; add it, as ["BertForMaskedLM"]'
            )
        architecture = listed[0]
    elif isinstance(source, nn.Module) and hasattr(source, "config") and hasattr(source.config, "to_dict"):
        raw, state, architecture = source.config.to_dict(), source.state_dict(), type(source).__name__
        header, tensors = {key: (tuple(value.shape), value.dtype) for key, value in state.items()}, state.items()
    else:
        raise TypeError(f"source is {type(source).__name__}; give the path of a folder, or a model of Transformers")
    architecture = WITHOUT_HEAD.get(architecture, architecture) if isinstance(architecture, str) else architecture
    if not isinstance(architecture, str) or architecture not in NAMES:
        raise CheckpointError(f"the architecture {architecture!r} is not known; use one of {', '.join(NAMES)}")
    return _load(read_config(raw, architecture), header, tensors, dtype, device)


def export(
    model: Model,
    path: str | os.PathLike[str],
    *,
    shard_size: int = 5_000_000_000,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a folder that `transformers.AutoModelForCausalLM.from_pretrained` (or its like) opens, and `load` as well.

    The folder appears when it is complete, or not at all. A bare `BERT` has no pooler: open it with
    `AutoModel.from_pretrained(path, add_pooling_layer=False)`.

    Args:
        model: it is written in the dtype that its weights have.
        path: the folder, which must not exist or be empty.
        shard_size: largest size of a file of tensors, in bytes, at least 1. More go into several files.
        extra: entries for `config.json` that the model does not hold, such as `eos_token_id` or `id2label`.

    Raises:
        ValueError: if Transformers cannot express the model exactly, or `shard_size` is smaller than 1. (Rotary
            positions are expressed in the layout "half"; `minigpt.nn.rotary.reorder` brings weights into it.)
        TypeError: if the model is none of those that `load` gives.
        FileExistsError: if there is something under this path already.
        FileNotFoundError: if the folder around it does not exist.
    """
    if shard_size < 1:
        raise ValueError(f"shard_size={shard_size} must be at least 1 byte")
    described = _describe(model)
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    raw = write_config(described, dtype, extra or {})
    names = NAMES[described.architecture](described.config)
    parameters = dict(model.named_parameters())
    tensors = {piece.theirs: piece.of(parameters[piece.ours]) for piece in pieces(names, model, described.config)}
    _check_unchanged(described, names, tensors)
    tensors |= {copy: tensors[original] for copy, original in names.written.items()}
    with files.new_folder(path) as folder:
        files.write_tensors(folder, tensors, shard_size)
        files.write_json(folder / files.CONFIG, raw)


def _check_unchanged(described: Description, names: Names, tensors: dict[str, Tensor]) -> None:
    # Whoever resizes a table, breaks a tie or quantises has a model that its configuration no longer describes.
    template = _build(described)
    shapes = dict(template.named_parameters())
    expected = {p.theirs: p.of(shapes[p.ours]).shape for p in pieces(names, template, described.config)}
    found = {key: tensor.shape for key, tensor in tensors.items()}
    if different := sorted(key for key in expected | found if expected.get(key) != found.get(key)):
        raise ValueError(
            f"the model is not what its configuration describes; other shapes, or more or less: {some(different)}"
        )
    if strange := sorted(key for key, tensor in tensors.items() if tensor.dtype not in files.CODES):
        raise ValueError(f"{some(strange)}: dtypes other than {', '.join(files.CODES.values())} are not written")


def _describe(model: Model) -> Description:
    match model:
        case GPT():
            config = model.config
            if config.positions != "rotary":
                return Description("GPT2LMHeadModel", config)
            # Llama wants d_model to be a multiple of n_heads even where the width of a head is given.
            llama = config.window is None and config.d_model % config.n_heads == 0
            return Description("LlamaForCausalLM" if llama else "MistralForCausalLM", config)
        case BERT():
            return Description("BertModel", model.config)
        case MaskedLanguageModel():
            return Description("BertForMaskedLM", model.encoder.config)
        case SequenceClassifier():
            return Description("BertForSequenceClassification", model.encoder.config, len(model.output.weight))
        case TokenClassifier():
            return Description("BertForTokenClassification", model.encoder.config, len(model.output.weight))
    raise TypeError(f"{type(model).__name__} has no counterpart in Transformers; give a GPT, a BERT or one with a head")


def _build(described: Description) -> Model:
    # On this device tensors have shapes, and no memory.
    with torch.device("meta"):
        match described.architecture:
            case "BertModel":
                return BERT(described.config)
            case "BertForMaskedLM":
                return MaskedLanguageModel(BERT(described.config))
            case "BertForSequenceClassification":
                return SequenceClassifier(BERT(described.config), described.n_classes)
            case "BertForTokenClassification":
                return TokenClassifier(BERT(described.config), described.n_classes)
        return GPT(described.config)


def _load(
    described: Description,
    header: Header,
    tensors: Iterable[tuple[str, Tensor]],
    dtype: torch.dtype | None,
    device: torch.device | str,
) -> Model:
    if described.config.n_layers > len(header):
        raise CheckpointError(f"the configuration has {described.config.n_layers} layers for {len(header)} tensors")
    try:
        model = _build(described)
        with torch.device(device):
            rotary = make_rotary(described.config)
    except (ValueError, RuntimeError, TypeError, OverflowError) as error:
        raise CheckpointError(f"the configuration describes no model: {error}") from error
    names = NAMES[described.architecture](described.config)
    places = {piece.theirs: piece for piece in pieces(names, model, described.config)}
    shapes = dict(model.named_parameters())
    keys = _match(names, places, header, shapes, dtype)
    found: dict[str, Tensor] = {}
    repeated: list[tuple[str, Tensor]] = []
    for key, tensor in tensors:
        name = keys.get(key)
        if name in places:
            piece = places[name]
            if piece.ours not in found:
                found[piece.ours] = torch.empty(shapes[piece.ours].shape, dtype=dtype or tensor.dtype, device=device)
            piece.of(found[piece.ours]).copy_(tensor.detach())
        elif name in names.tied:
            repeated.append((name, tensor))
    for name, tensor in repeated:
        piece = places[names.tied[name]]
        original = piece.of(found[piece.ours])
        if not torch.equal(tensor.detach().to(original), original):
            raise CheckpointError(
                f"{name} and {piece.theirs} differ, though the configuration says that they are one matrix; set "
                "tie_word_embeddings to false in config.json if they are two"
            )
    return _fill(model, found, rotary)


def _match(
    names: Names,
    places: dict[str, Piece],
    header: Header,
    shapes: dict[str, nn.Parameter],
    dtype: torch.dtype | None,
) -> dict[str, str]:
    # Key in the file to name in `places` (or among the tied); what is ignored has none.
    known = places.keys() | names.tied.keys() | names.written.keys()
    keys = {key: name for key in header if (name := names.canonical(key, known)) is not None}
    wrong = []
    by_name: dict[str, list[str]] = {}
    for key, name in keys.items():
        by_name.setdefault(name, []).append(key)
    if unknown := sorted(key for key, name in keys.items() if name not in known):
        wrong.append(f"unknown: {some(unknown)}")
    if missing := sorted(places.keys() - by_name.keys()):
        wrong.append(f"missing: {some(missing)}")
    if twice := sorted(" = ".join(sorted(found)) for found in by_name.values() if len(found) > 1):
        wrong.append(f"twice there: {some(twice)}")
    misshapen = []
    for key, name in sorted(keys.items()):
        piece = places.get(names.tied.get(name, name))
        if piece is None:
            continue
        shape, stored = header[key]
        expected = tuple(piece.of(shapes[piece.ours]).shape)
        if shape != expected:
            misshapen.append(f"{key} is {list(shape)}, expected {list(expected)}")
        if stored not in files.CODES:
            misshapen.append(f"{key} holds {stored}, expected one of {', '.join(files.DTYPES)}")
    if misshapen:
        wrong.append(f"wrong shape or type: {some(misshapen)}")
    if dtype is None:
        kinds: dict[str, set[Any]] = {}
        for name, found in by_name.items():
            if name in places:
                kinds.setdefault(places[name].ours, set()).add(header[found[0]][1])
        if mixed := sorted(ours for ours, stored in kinds.items() if len(stored) > 1):
            wrong.append(f"stored in several dtypes, though they are one tensor here (give a dtype): {some(mixed)}")
    if wrong:
        raise CheckpointError("the tensors are not those of the configuration; " + "; ".join(wrong))
    return keys


def _fill(model: Model, tensors: dict[str, Tensor], rotary: nn.Module | None) -> Model:
    # A parameter that stands in two modules is one object, before and after.
    filled = {parameter: nn.Parameter(tensors[name]) for name, parameter in model.named_parameters()}
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, filled[parameter])
        if isinstance(module, Attention):
            module.rotary = rotary
    return model.eval()
