"""The training loop."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm import tqdm

from minigpt.data.loader import Batch
from minigpt.models import GPT, save_model
from minigpt.models.folder import set_weights, weights
from minigpt.nn import evaluating
from minigpt.training.checkpoint import Checkpoint, latest, save_checkpoint
from minigpt.training.config import TrainingConfig
from minigpt.training.objective import language_model_loss
from minigpt.training.optimizer import make_optimizer
from minigpt.training.parallel import World
from minigpt.training.record import Record
from minigpt.training.schedule import schedule
from minigpt.training.throughput import flops_per_token, matmul_rate

CHECKPOINTS, RECORD = "checkpoints", "metrics.jsonl"


class Batches(Protocol):
    """Whatever gives the batch of a step, as `minigpt.data.Loader` does: the same step, the same batch."""

    def batch(self, step: int) -> Batch:
        """The inputs and targets of a step."""


class Trainer:
    """Trains a model: batch, loss, gradient, step, and the record of it.

    Batch `s` of the loader belongs to step `s`, and nothing else but the weights, the optimiser and the random
    generator of dropout changes from step to step. All of them are in a checkpoint, so that a run which was killed
    goes on to the same bits as one that was not, on the same machine, versions and number of threads.

    Args:
        model: what to train; it stays on the device where it is.
        config: how.
        loader: the batches to train on, of this process's part where there are several.
        validation: the batches to evaluate on; without them there is no evaluation.
        folder: where checkpoints, the record and the model with the smallest validation loss are written; `None` writes
            nothing.
        world: the processes that train together.
        progress: whether to show a bar on standard error; by default if it is a terminal.

    Attributes:
        step: number of steps that were made.
        record: what was measured.
        best: the smallest validation loss so far, in nats a token.
    """

    def __init__(
        self,
        model: GPT,
        config: TrainingConfig,
        loader: Batches,
        *,
        validation: Batches | None = None,
        folder: str | os.PathLike[str] | None = None,
        world: World | None = None,
        progress: bool | None = None,
    ) -> None:
        self.model, self.config, self.loader, self.validation = model, config, loader, validation
        self.world = world or World()
        self.folder = None if folder is None else Path(folder)
        writes = self.folder is not None and self.world.is_first
        if writes:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.record = Record(self.folder / RECORD if writes else None)
        self.progress = (sys.stderr.isatty() if progress is None else progress) and self.world.is_first
        self.device = next(model.parameters()).device
        self.optimizer = make_optimizer(model, config)
        self._factor = schedule(config)
        self._forward = torch.compile(model) if config.compile else model
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.step, self.best, self.tokens, self.seconds = 0, math.inf, 0, 0.0
        self._drawing = False
        self._generators = self._seeded(config.seed * 1_000_003 + self.world.rank)

    def train(self, until: int | None = None) -> Record:
        """Make steps until the end, or until `until` of them are made.

        Raises:
            FloatingPointError: if the loss is no longer a finite number.
            OSError: if a checkpoint cannot be written; those before stay.
        """
        until = self.config.steps if until is None else min(until, self.config.steps)
        rate = self._machine_rate() if self.progress else None
        with self._own_generators(), self._bar(until) as bar:
            while self.step < until:
                start = time.perf_counter()
                values = self._step()
                self.seconds += time.perf_counter() - start
                self.step += 1
                done = self.step == self.config.steps
                if done or self.step % self.config.log_every == 0:
                    self.record.add(**self._measures(values))
                if self.validation is not None and (done or self.step % self.config.evaluate_every == 0):
                    self._evaluate_and_keep()
                if self.folder is not None and (done or self.step % self.config.checkpoint_every == 0):
                    self.save()
                bar.update()
                if self.progress and (done or self.step % self.config.log_every == 0):
                    bar.set_postfix(self._shown(rate), refresh=False)
        return self.record

    def _step(self) -> dict[str, torch.Tensor]:
        self.model.train()
        batch = self.loader.batch(self.step)
        n_targets = self.world.sum((batch.targets >= 0).sum())
        loss = torch.zeros((), device=self.device)
        for part in batch.split(self.config.accumulate):
            part = part.to(self.device)
            with self._precision():
                logits = self._forward(part.inputs, documents=part.documents)
            # The mean over the targets of the whole batch, wherever they are: what one process in one part would get.
            part_loss = language_model_loss(logits, part.targets, z_loss=self.config.z_loss, reduction="sum")
            part_loss = part_loss / n_targets.to(self.device)
            part_loss.backward()
            loss += part_loss.detach()
        self.world.sum_gradients(self._parameters)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self.config.clip)
        factor = self._factor(self.step)
        for group, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.tokens += int(n_targets)
        return {"loss": self.world.sum(loss), "gradient_norm": norm}

    @torch.no_grad()
    def evaluate(self) -> float:
        """The mean loss on the first `config.evaluate_batches` validation batches, in nats a token."""
        if self.validation is None:
            raise ValueError("there are no validation batches; give some to Trainer(validation=...)")
        total = torch.zeros(2, device=self.device, dtype=torch.float64)
        with evaluating(self.model):
            for i in range(self.config.evaluate_batches):
                batch = self.validation.batch(i).to(self.device)
                with self._precision():
                    logits = self._forward(batch.inputs, documents=batch.documents)
                total[0] += language_model_loss(logits, batch.targets, reduction="sum")
                total[1] += (batch.targets >= 0).sum()
        loss, n = self.world.sum(total).tolist()
        return loss / n

    def save(self) -> None:
        """Write a checkpoint into the folder.

        Raises:
            ValueError: if the trainer has no folder.
            FloatingPointError: if a weight is infinite or NaN; the checkpoints that are there stay.
        """
        if self.folder is None:
            raise ValueError("there is no folder for checkpoints; give one to Trainer(folder=...)")
        if not all(parameter.isfinite().all() for parameter in self._parameters):
            raise FloatingPointError(self._diverged("a weight is not finite"))
        # What every process draws by itself differs; the first one keeps it for all.
        generators = self._gather(self._states() if self._drawing else self._generators)
        if not self.world.is_first:
            return
        state = {
            "config": dataclasses.asdict(self.config),
            "optimizer": self.optimizer.state_dict(),
            "generators": generators,
            "best": self.best if math.isfinite(self.best) else None,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }
        save_checkpoint(
            self.folder / CHECKPOINTS, Checkpoint(self.step, weights(self.model), state), keep=self.config.keep
        )

    def resume(self) -> int:
        """Go back to the last whole checkpoint in the folder; without one, stay at the beginning.

        Returns:
            The step from which the run goes on.

        Raises:
            ValueError: if the checkpoint is of a run with other settings.
        """
        if self.folder is None:
            raise ValueError("there is no folder with checkpoints; give one to Trainer(folder=...)")
        checkpoint = latest(self.folder / CHECKPOINTS)
        if checkpoint is None:
            self.record.rewind(0)
            return 0
        state = checkpoint.state
        own, theirs = dataclasses.asdict(self.config), dict(state["config"])
        theirs["betas"] = tuple(theirs["betas"])
        changed = [name for name in own if own[name] != theirs.get(name) and name not in ("keep", "compile")]
        if changed:
            raise ValueError(
                "the checkpoint is of a run with other settings: "
                + ", ".join(f"{name}={theirs.get(name)!r}, not {own[name]!r}" for name in changed)
            )
        set_weights(self.model, checkpoint.weights)
        self.optimizer.load_state_dict(state["optimizer"])
        if len(state["generators"]) != self.world.size:
            raise ValueError(f"the checkpoint is of {len(state['generators'])} processes, these are {self.world.size}")
        self._generators = state["generators"][self.world.rank]
        self.step, self.tokens, self.seconds = checkpoint.step, state["tokens"], state["seconds"]
        self.best = math.inf if state["best"] is None else state["best"]
        self.record.rewind(self.step)
        return self.step

    # Dropout draws from PyTorch's own generators, which belong to everybody: they are ours while we train.

    @contextmanager
    def _own_generators(self) -> Iterator[None]:
        others = self._states()
        self._set_states(self._generators)
        self._drawing = True
        try:
            yield
        finally:
            self._drawing = False
            self._generators = self._states()
            self._set_states(others)

    def _seeded(self, seed: int) -> dict[str, torch.Tensor]:
        others = self._states()
        torch.manual_seed(seed)
        states = self._states()
        self._set_states(others)
        return states

    def _states(self) -> dict[str, torch.Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def _set_states(self, states: Mapping[str, torch.Tensor]) -> None:
        torch.set_rng_state(states["cpu"])
        if "cuda" in states and self.device.type == "cuda":
            torch.cuda.set_rng_state(states["cuda"], self.device)

    def _evaluate_and_keep(self) -> None:
        loss = self.evaluate()
        if not math.isfinite(loss):
            raise FloatingPointError(self._diverged(f"the validation loss is {loss}"))
        self.record.add(step=self.step, validation_loss=loss)
        if loss < self.best:
            self.best = loss
            if self.folder is not None and self.world.is_first:
                save_model(self.model, self.folder)

    def _measures(self, values: dict[str, torch.Tensor]) -> dict[str, Any]:
        loss = values["loss"].item()
        if not math.isfinite(loss):
            raise FloatingPointError(self._diverged(f"the loss is {loss}"))
        return {
            "step": self.step,
            "loss": loss,
            "gradient_norm": values["gradient_norm"].item(),
            "rate": self._factor(self.step - 1),
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
        }

    def _diverged(self, what: str) -> str:
        config = self.config
        rates = f"lr={config.lr:g}" + (f", muon_lr={config.muon_lr:g}" if config.optimizer == "muon" else "")
        smaller = f"clip={config.clip:g}" + (f" or z_loss={config.z_loss:g}" if config.z_loss else "")
        return (
            f"{what} after {self.step} steps: training has diverged, and would again from its last checkpoint. Begin "
            f"another run with a lower learning rate (here {rates}), a longer warm-up (warmup={config.warmup}), or "
            f"less than {smaller}"
        )

    def _gather(self, value: Any) -> list[Any]:
        if self.world.size == 1:
            return [value]
        gathered: list[Any] = [None] * self.world.size
        torch.distributed.all_gather_object(gathered, value)
        return gathered

    def _precision(self) -> AbstractContextManager:
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _machine_rate(self) -> float:
        return matmul_rate(getattr(torch, self.config.precision), self.device)

    def _bar(self, until: int) -> tqdm:
        return tqdm(total=until, initial=self.step, unit=" steps", disable=not self.progress)

    def _shown(self, rate: float) -> dict[str, str]:
        losses = [line for line in self.record.lines if "loss" in line]
        last, first = losses[-1], losses[max(0, len(losses) - 11)]
        seconds = last["seconds"] - first["seconds"] if len(losses) > 1 else last["seconds"]
        per_second = (last["tokens"] - (first["tokens"] if len(losses) > 1 else 0)) / max(seconds, 1e-9)
        used = per_second * flops_per_token(self.model.config) / (rate * self.world.size)
        shown = {"loss": f"{last['loss']:.3f}", "tokens/s": f"{per_second:,.0f}", "MFU": f"{used:.0%}"}
        if math.isfinite(self.best):
            shown["validation"] = f"{self.best:.3f}"
        return shown
