"""A whole run in a folder: text to tokens, a model, its training, and everything needed to go on after a fall.

The folder holds `run.json` (every setting, written once everything is prepared), `tokenizer.json`, `data/` (tokens to
train and to validate on), `checkpoints/`, `metrics.jsonl`, and the model with the smallest validation loss as
`config.json` and `model.safetensors`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from minigpt.data.shards import open_tokens
from minigpt.models import GPT
from minigpt.models.folder import TOKENIZER, config_from_dict
from minigpt.tokenizers import Tokenizer
from minigpt.training.config import TrainingConfig
from minigpt.training.parallel import World
from minigpt.training.prepare import RUN, TRAIN, VALIDATION, make_loader, prepare
from minigpt.training.settings import RunSettings
from minigpt.training.trainer import Trainer


class Run:
    """A run in its folder, ready to train: `Run.new(...)` prepares one, `Run.open(folder)` finds one again.

    Attributes:
        folder: where everything is.
        tokenizer: text to ids.
        trainer: trains the model.
        values: what `run.json` holds.
    """

    def __init__(self, folder: Path, device: torch.device, world: World, *, progress: bool | None = None) -> None:
        self.folder = folder
        self.values = json.loads((folder / RUN).read_bytes())
        self.tokenizer = Tokenizer.load(folder / TOKENIZER)
        values = self.values
        generator = torch.Generator().manual_seed(values["seed"])
        model = GPT(config_from_dict(values["model"]), generator=generator).to(device)
        config = TrainingConfig(**values["training"])
        self.trainer = Trainer(
            model,
            config,
            make_loader(open_tokens(folder / TRAIN), values, world),
            validation=make_loader(open_tokens(folder / VALIDATION), values, world, repeat=False),
            folder=folder,
            world=world,
            progress=progress,
        )

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        device: torch.device | str = "cpu",
        world: World | None = None,
        progress: bool | None = None,
    ) -> Run:
        """A run that was prepared before, gone back to its last whole checkpoint.

        Raises:
            ValueError: if there is none in the folder, or its data changed.
        """
        if not (folder / RUN).exists():
            raise ValueError(f"{str(folder)!r} holds no run to go on with; begin one without --resume")
        run = cls(folder, torch.device(device), world or World(), progress=progress)
        for name in (TRAIN, VALIDATION):
            if open_tokens(folder / name).checksum != run.values["checksums"][name]:
                raise ValueError(f"{str(folder / name)!r} is not the file this run began with; begin a new run")
        run.trainer.resume()
        return run

    @classmethod
    def new(
        cls,
        folder: Path,
        settings: RunSettings,
        *,
        device: torch.device | str = "cpu",
        world: World | None = None,
        progress: bool | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> Run:
        """Prepare a run: tokenizer, tokens, model, number of steps.

        Args:
            folder: where to; made if it is not there.
            settings: what is wanted.
            device: where to train.
            world: the processes that train together; the first one prepares.
            progress: whether to show bars; by default on a terminal.
            say: gets a line of text for each thing that was prepared.

        Raises:
            ValueError: if the folder holds a run already, or the text is too short.
        """
        world = world or World()
        if world.is_first:
            prepare(folder, settings, torch.device(device), world, say)
        world.share(None)
        return cls(folder, torch.device(device), world, progress=progress)
