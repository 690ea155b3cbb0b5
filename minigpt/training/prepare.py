"""From what a person asks for to a folder that is ready to train: tokenizer, tokens, model, number of steps."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from minigpt.data.documents import DocumentLoader
from minigpt.data.loader import Loader
from minigpt.data.shards import Tokens, open_tokens, write_tokens
from minigpt.files import END_OF_TEXT, atomic_write
from minigpt.models import GPT, TransformerConfig, count_parameters
from minigpt.models.folder import TOKENIZER, config_to_dict
from minigpt.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer
from minigpt.training.config import TrainingConfig
from minigpt.training.parallel import World
from minigpt.training.recipes import model_config, recipe
from minigpt.training.settings import RunSettings
from minigpt.training.sources import TextSource, VillageSource, has_short_documents
from minigpt.training.throughput import matmul_rate
from minigpt.training.trainer import Trainer
from minigpt.village import SIZES

RUN, TRAIN, VALIDATION = "run.json", "data/train.tokens", "data/validation.tokens"
_SPEED_SECONDS, _FIRST_STEPS = 4.0, 3


def prepare(
    folder: Path, settings: RunSettings, device: torch.device, world: World, say: Callable[[str], None]
) -> None:
    """Write a tokenizer, the tokens and at last `run.json` into a folder.

    Args:
        folder: where to; made if it is not there.
        settings: what is wanted.
        device: where to train; the number of steps depends on its speed.
        world: the processes that train together.
        say: gets a line of text for each thing that was prepared.

    Raises:
        ValueError: if the folder holds a run already, the text is too short, or a setting does not fit.
    """
    start = time.perf_counter()
    if (folder / RUN).exists():
        raise ValueError(f"{str(folder)!r} holds a run already; go on with --resume, or choose another folder")
    chosen = recipe(settings.preset)
    source = VillageSource(settings) if settings.data in SIZES else TextSource(settings)
    tokenizer = make_tokenizer(settings, source)
    config = model_config(chosen, tokenizer.vocab_size, settings.context, **settings.model)
    n_parameters = check_memory(config, chosen.settings | settings.training, device)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / TOKENIZER)
    fewer = settings.vocab_size is not None and tokenizer.vocab_size < settings.vocab_size
    asked = f", not {settings.vocab_size:,}: the text has no more pairs to merge" if fewer else ""
    say(f"tokenizer: {tokenizer.kind}, {tokenizer.vocab_size:,} tokens{asked}")
    say(f"model: {n_parameters:,} parameters")
    paths = {name: folder / name for name in (TRAIN, VALIDATION)}
    encoding = time.perf_counter()
    _write(source.validation(), tokenizer, paths[VALIDATION])
    validation = open_tokens(paths[VALIDATION])
    seconds_per_document = (time.perf_counter() - encoding) / validation.n_documents
    values: dict[str, Any] = {
        "settings": dataclasses.asdict(settings),
        "seed": settings.seed,
        "model": config_to_dict(config),
        "context": config.context,
        "batch_size": settings.batch_size or chosen.batch_size,
        "whole_documents": has_short_documents(validation, config.context),
        "floor": source.floor(validation, config.context),
        "machine": {"python": platform.python_version(), "torch": torch.__version__, "device": device.type},
    }
    training: dict[str, Any] = {"precision": fastest_precision(device), "seed": settings.seed}
    training |= chosen.settings | settings.training
    training["evaluate_batches"] = make_loader(validation, values, world, repeat=False).batches_per_epoch
    if not isinstance(source, VillageSource):
        _write(source.training(), tokenizer, paths[TRAIN])
        seconds_per_document = 0.0
    # So many stories that none is read twice: one a row, or as many as fill the windows, and a tenth for good measure.
    per_row = 1.0 if values["whole_documents"] else 1.1 * config.context / float(validation.lengths.mean())
    steps = settings.steps
    if steps is None:
        model = GPT(config, generator=torch.Generator().manual_seed(settings.seed)).to(device)
        left = 60 * settings.minutes - (time.perf_counter() - start)
        per_batch = seconds_per_document * values["batch_size"] * per_row
        steps = affordable_steps(left, model, training, make_loader(validation, values, world), per_batch)
        say(f"{steps:,} steps fit into {settings.minutes:g} minute{'' if settings.minutes == 1 else 's'}")
    training |= {"steps": steps, "warmup": min(training.get("warmup", 0), steps // 10)}
    tenth = max(1, steps // 10)
    training = {"evaluate_every": tenth, "checkpoint_every": tenth, "log_every": max(1, steps // 500)} | training
    values["training"] = dataclasses.asdict(TrainingConfig(**training))
    if isinstance(source, VillageSource):
        n_stories = math.ceil(steps * values["batch_size"] * per_row) + (not values["whole_documents"])
        _write(source.training(n_stories), tokenizer, paths[TRAIN])
    tokens = open_tokens(paths[TRAIN])
    # Whatever can be refused is refused before the folder holds a run.
    n_rows = make_loader(tokens, values, world).batch_size
    if values["training"]["accumulate"] > n_rows:
        raise ValueError(f"accumulate={values['training']['accumulate']} parts need as many rows; a batch has {n_rows}")
    values["checksums"] = {TRAIN: tokens.checksum, VALIDATION: validation.checksum}
    say(f"{len(tokens):,} tokens to train on, {len(validation):,} to validate on")
    if lost := what_is_lost(np.concatenate([tokens.lengths, validation.lengths]), values):
        say(lost)
    with atomic_write(folder / RUN) as file:
        json.dump(values, file, indent=1)
        file.write("\n")


def what_is_lost(lengths: Int[np.ndarray, " documents"], values: dict[str, Any]) -> str | None:
    """A line about documents that are longer than the context, if that takes something from the run; else `None`.

    Args:
        lengths: of all documents in tokens, the separator included.
        values: what `run.json` holds.
    """
    context, longest = values["context"], int(lengths.max())
    n = int((lengths > context).sum())
    if not n or not (values["whole_documents"] or values["settings"]["data"] in SIZES):
        return None
    what = f"{n:,} of {len(lengths):,} documents are longer than the context of {context} tokens and "
    what += "lose their end" if values["whole_documents"] else "are read in pieces"
    if values["settings"]["data"] in SIZES and values["floor"] is None:
        what += ", so that the true entropy is no floor of the loss"
    return f"{what}; context={longest} has room for the longest"


def memory_of(device: torch.device) -> int | None:
    """The memory of a device in bytes, if that can be found out."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_memory(config: TransformerConfig, training: dict[str, Any], device: torch.device) -> int:
    """The number of parameters of a model, if they, their gradients and the optimiser's averages fit into memory.

    Args:
        config: the model.
        training: values of `TrainingConfig`; the optimiser matters.
        device: where to train.

    Raises:
        ValueError: if they do not fit, whatever the batch.
    """
    n = count_parameters(config)
    copies = 4 if training.get("optimizer", "adamw") == "adamw" else 3
    there = memory_of(device)
    if there is not None and 4 * copies * n > there:
        raise ValueError(
            f"the model has {n:,} parameters; to train them takes {4 * copies * n / 1e9:,.0f} GB and more, and this "
            f"machine has {there / 1e9:,.0f} GB; take a smaller preset"
        )
    return n


def make_loader(
    tokens: Tokens, values: dict[str, Any], world: World, *, repeat: bool = True
) -> Loader | DocumentLoader:
    """The batches of a run, of one process's part; without `repeat`, every token of them once.

    Raises:
        ValueError: if the processes cannot share a batch in equal parts.
    """
    if values["batch_size"] % world.size:
        raise ValueError(f"batch_size={values['batch_size']} is no multiple of {world.size} processes; choose another")
    return (DocumentLoader if values["whole_documents"] else Loader)(
        tokens,
        batch_size=values["batch_size"] // world.size,
        context=values["context"],
        seed=values["seed"],
        rank=world.rank,
        world_size=world.size,
        repeat=repeat,
    )


def affordable_steps(
    seconds: float,
    model: GPT,
    training: dict[str, Any],
    loader: Loader,
    data_seconds: float = 0.0,
) -> int:
    """How many steps fit into a time, by the speed of the first ones, on a copy of the model.

    Args:
        seconds: time for training, evaluations (ten of them) and what is measured here.
        model: what is to be trained; it stays as it is.
        training: values of `TrainingConfig`.
        loader: batches of the size that is wanted.
        data_seconds: what the data of one batch costs beside its step.

    Raises:
        ValueError: if not even ten steps fit.
    """
    start = time.perf_counter()
    until = start + min(_SPEED_SECONDS, 0.05 * seconds)
    config = TrainingConfig(**training | {"steps": 10**6, "warmup": 0, "log_every": 10**6, "evaluate_every": 10**6})
    trainer = Trainer(copy.deepcopy(model), config, loader, validation=loader, progress=False)
    trainer.train(until=_FIRST_STEPS)
    first = time.perf_counter()
    while trainer.step < 2 * _FIRST_STEPS or time.perf_counter() < until:
        trainer.train(until=trainer.step + 1)
    per_step = (time.perf_counter() - first) / (trainer.step - _FIRST_STEPS) + data_seconds
    evaluating = time.perf_counter()
    trainer.evaluate()
    evaluations = 10 * (time.perf_counter() - evaluating)
    steps = int((seconds - (time.perf_counter() - start) - evaluations) / per_step)
    if steps < 10:
        raise ValueError(f"{max(steps, 0)} steps of {per_step:.2g} s fit into the time; give more, or a smaller preset")
    return steps


def fastest_precision(device: torch.device) -> str:
    """`"bfloat16"` where products of matrices are measured to be half as fast again in it, else `"float32"`."""
    if device.type == "mps":
        return "float32"
    faster = matmul_rate(torch.bfloat16, device) > 1.5 * matmul_rate(torch.float32, device)
    return "bfloat16" if faster else "float32"


def make_tokenizer(settings: RunSettings, source: TextSource | VillageSource) -> Tokenizer:
    """The tokenizer of a run, from a file or learned from the text to train on.

    Raises:
        ValueError: if there is neither such a kind nor such a file, a file has no token for the end of a text, or a
            kind has no use for `vocab_size`.
    """
    kind, special = settings.tokenizer, [END_OF_TEXT]
    if kind == "auto":
        kind = "word" if isinstance(source, VillageSource) else "bpe"
    if settings.vocab_size is not None and kind != "bpe":
        raise ValueError(f"vocab_size={settings.vocab_size} belongs to tokenizer='bpe', not to {kind!r}")
    match kind:
        case "word":
            return WordTokenizer.train(source.sample(), special_tokens=special)
        case "char":
            return CharTokenizer.train(source.sample(whole=True), unknown="replace", special_tokens=special)
        case "byte":
            return ByteTokenizer(special)
        case "bpe":
            texts = list(source.sample())
            return BPETokenizer.train(texts, settings.vocab_size or _vocab_size(texts), special_tokens=special)
    if not Path(kind).is_file():
        raise ValueError(f"tokenizer={kind!r} is neither a kind (bpe, char, byte, word) nor a file")
    try:
        tokenizer = Tokenizer.load(kind)
    except ValueError as error:
        raise ValueError(f"tokenizer={kind!r} is no file that 'minigpt tokenizer train' wrote: {error}") from error
    if END_OF_TEXT not in tokenizer.special_tokens:
        raise ValueError(f"{kind!r} has no token {END_OF_TEXT}; train it with `--special '{END_OF_TEXT}'`")
    return tokenizer


def _vocab_size(texts: Iterable[str]) -> int:
    # Twice the vocabulary for four times the text: at 1 MB about 1,400 tokens, at 10 MB 4,500.
    length = sum(map(len, texts))
    return max(256 + 64, min(16384, round(1.4 * math.sqrt(length))))


def _write(documents: Iterable[str], tokenizer: Tokenizer, path: Path) -> None:
    write_tokens(
        (tokenizer.encode(text) for text in documents),
        path,
        vocab_size=tokenizer.vocab_size,
        end_of_text=tokenizer.special_tokens[END_OF_TEXT],
    )
