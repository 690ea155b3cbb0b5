"""Batches to train on, in an order that depends on a seed and on the number of the step, and on nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from minigpt.data.packing import pack, pieces
from minigpt.data.shards import Tokens
from minigpt.data.shuffle import Shuffle, draw

IGNORED = -100
"""The target of a position that does not count, as in `torch.nn.functional.cross_entropy`."""


@dataclass(frozen=True)
class Batch:
    """What a model reads in a step, and what it is to predict.

    Attributes:
        inputs: token ids.
        targets: the id that follows each; -100 where there is nothing to predict.
        documents: numbers that tell the documents of a row apart, rising from 0, padding last (`GPT.forward` takes
            them); `None` where a row is one stretch of text, whatever the documents in it.
    """

    inputs: Int[Tensor, "batch time"]
    targets: Int[Tensor, "batch time"]
    documents: Int[Tensor, "batch time"] | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The same on a device."""
        documents = None if self.documents is None else self.documents.to(device, non_blocking=True)
        return Batch(self.inputs.to(device, non_blocking=True), self.targets.to(device, non_blocking=True), documents)

    def split(self, n: int) -> list[Batch]:
        """The rows in `n` parts, one behind the other, whose sizes differ by one at the most.

        Raises:
            ValueError: if there are fewer rows than parts.
        """
        if not 1 <= n <= len(self.inputs):
            raise ValueError(f"{len(self.inputs)} rows do not make {n} parts; take from 1 to {len(self.inputs)}")
        documents = [None] * n if self.documents is None else self.documents.tensor_split(n)
        return [
            Batch(*parts)
            for parts in zip(self.inputs.tensor_split(n), self.targets.tensor_split(n), documents, strict=True)
        ]


def check_sizes(batch_size: int, context: int, rank: int, world_size: int) -> None:
    """What every loader asks of its numbers.

    Raises:
        ValueError: if one is out of range.
    """
    if batch_size < 1 or context < 1:
        raise ValueError(f"batch_size={batch_size} and context={context} must both be at least 1")
    if not 0 <= rank < world_size:
        raise ValueError(f"rank={rank} must be from 0 to below world_size={world_size}")


def check_step(step: int, n_steps: int | None) -> None:
    """Whether a step has a batch: from 0, and below `n_steps` where the data is not repeated.

    Raises:
        ValueError: if it has none.
    """
    if step < 0 or (n_steps is not None and step >= n_steps):
        last = "" if n_steps is None else f" to {n_steps - 1}: the data is not repeated"
        raise ValueError(f"step={step} has no batch; steps are numbered from 0{last}")


class Loader:
    """Batches of a corpus, epoch after epoch. `batch(step)` can be asked for any step at any time.

    With `cross=True` a row is a window of the stream of ids. The stream is closed to a ring (it begins and ends with
    the same separator); in each epoch the ring is cut into windows from another place on, so that no token is always
    the first of a window, and what is left over at the end, less than a window, is somewhere else each time.

    With `cross=False` a row is filled with whole documents, the separator before each included, so that the first thing
    a model predicts of a document is its first token, and the last one its end. What is longer than the context is cut
    into pieces. Which documents share a row is decided once (`minigpt.data.packing`): they do not see each other, so
    nothing would be gained by changing it. The rows are shuffled in each epoch.

    In both, every row of an epoch comes exactly once, in an order that is computed, not stored
    (`minigpt.data.shuffle`): a batch costs the same at step 0 and at step 10 million, and a run that is resumed needs
    nothing but its step. A batch may hold the last rows of an epoch and the first of the next.

    Args:
        tokens: the corpus.
        batch_size: rows of a batch, at least 1; of this process, where there are several.
        context: length of a row in tokens, at least 1.
        seed: of the order; an integer.
        rank: number of this process. The batches of all, one behind the other, are the batch that one process would get
            with `world_size` times the `batch_size`.
        world_size: number of processes.
        cross: whether rows may cross from one document to the next.
        repeat: `False` gives a single epoch to evaluate on: rows in the order of the corpus, every token a target
            exactly once, the last batch filled up with rows in which nothing counts.

    Attributes:
        rows_per_epoch: number of rows.
        batches_per_epoch: number of steps until every row was in a batch.

    Raises:
        ValueError: if a number is out of range, or the corpus is shorter than a window.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        batch_size: int,
        context: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        cross: bool = True,
        repeat: bool = True,
    ) -> None:
        check_sizes(batch_size, context, rank, world_size)
        self.tokens, self.batch_size, self.context, self.seed = tokens, batch_size, context, seed
        self.rank, self.world_size, self.cross, self.repeat = rank, world_size, cross, repeat
        # The last id has no successor: it is a separator, as the first one is.
        self._n_inputs = len(tokens) - 1
        if cross:
            if repeat and self._n_inputs < context:
                raise ValueError(
                    f"{str(tokens.path)!r} has {len(tokens)} tokens, a window needs {context + 1}: "
                    f"context={context} and the one that follows; take a shorter context, or more text"
                )
            self.rows_per_epoch = self._n_inputs // context if repeat else -(-self._n_inputs // context)
        else:
            self._pack()
        self.batches_per_epoch = -(-self.rows_per_epoch // (batch_size * world_size))
        self._orders: dict[int, tuple[int, Shuffle]] = {}

    def batch(self, step: int) -> Batch:
        """The batch of a step.

        Args:
            step: an integer from 0; without `repeat`, below `batches_per_epoch`.

        Raises:
            ValueError: if there is no such step.
        """
        check_step(step, None if self.repeat else self.batches_per_epoch)
        first = (step * self.world_size + self.rank) * self.batch_size
        places = np.arange(first, first + self.batch_size)
        return self._windows(places) if self.cross else self._packed(places)

    @property
    def padding(self) -> float:
        """The share of the positions of an epoch at which there is nothing to predict."""
        return max(0.0, 1 - self._n_inputs / (self.rows_per_epoch * self.context))

    def _windows(self, places: np.ndarray) -> Batch:
        if self.repeat:
            shifts, rows = self._shuffled(places)
            begins = shifts + self.context * rows
        else:
            begins = self.context * places
        positions = begins[:, None] + np.arange(self.context + 1)
        window = torch.from_numpy(self.tokens.ids[positions % self._n_inputs].astype(np.int64))
        inputs, targets = window[:, :-1].clone(), window[:, 1:].clone()
        if not self.repeat:
            targets[torch.from_numpy(positions[:, :-1] >= self._n_inputs)] = IGNORED
        return Batch(inputs, targets)

    def _packed(self, places: np.ndarray) -> Batch:
        if self.repeat:
            _, places = self._shuffled(places)
        shape = (self.batch_size, self.context)
        inputs = np.full(shape, self.tokens.end_of_text, np.int64)
        targets = np.full(shape, IGNORED, np.int64)
        documents = np.zeros(shape, np.int64)
        for row, place in enumerate(places.tolist()):
            end = 0
            if place < self.rows_per_epoch:
                for number, piece in enumerate(range(self._row_starts[place], self._row_starts[place + 1])):
                    start, length = self._piece_starts[piece], self._piece_lengths[piece]
                    begin, end = end, end + length
                    inputs[row, begin:end] = self.tokens.ids[start : start + length]
                    targets[row, begin:end] = self.tokens.ids[start + 1 : start + length + 1]
                    documents[row, begin:end] = number
                documents[row, end:] = number + 1
        return Batch(*map(torch.from_numpy, (inputs, targets, documents)))

    def _pack(self) -> None:
        starts, lengths = pieces(self.tokens.starts, self.tokens.lengths, self.context)
        rows = pack(lengths, self.context)
        by_row = np.argsort(rows, kind="stable")
        self._piece_starts, self._piece_lengths = starts[by_row], lengths[by_row]
        self.rows_per_epoch = int(rows.max()) + 1
        self._row_starts = np.searchsorted(rows[by_row], np.arange(self.rows_per_epoch + 1))

    def _shuffled(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the first window of the epoch begins, and which row stands at each of these places of all epochs."""
        epochs, places = np.divmod(places, self.rows_per_epoch)
        shifts, rows = np.empty_like(places), np.empty_like(places)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            shift, shuffle = self._order(epoch)
            shifts[here], rows[here] = shift, shuffle(places[here])
        return shifts, rows

    def _order(self, epoch: int) -> tuple[int, Shuffle]:
        if epoch not in self._orders:
            # Kept until another epoch is asked for: they cost more than the rest of a batch.
            if len(self._orders) > 1:
                self._orders.clear()
            shift = draw(self.seed, epoch, 0) % self._n_inputs
            self._orders[epoch] = shift, Shuffle(self.rows_per_epoch, self.seed, epoch, 1)
        return self._orders[epoch]
