"""Batches of whole documents, one in a row, those of about the same length together."""

from __future__ import annotations

import numpy as np
import torch

from minigpt.data.loader import IGNORED, Batch, check_sizes, check_step
from minigpt.data.shards import Tokens
from minigpt.data.shuffle import Shuffle

BATCHES_SORTED = 16
"""Batches whose documents are sorted by length together."""

WIDTH = 16
"""Widths of batches are multiples of it."""


class DocumentLoader:
    """Batches of whole documents, epoch after epoch. `batch(step)` can be asked for any step at any time.

    Every row is one document behind its separator, filled up to the longest of the batch with positions that do not
    count. A model needs no mask then: what is filled up stands behind everything that counts. For short documents that
    is faster than `Loader(cross=False)`, whose rows have one length, but look at themselves through a mask. So that
    little is filled up, the documents of an epoch are shuffled, then sorted by length in groups of sixteen batches, and
    the batches of each group are shuffled again ("bucketing"). The number of tokens of a batch varies. Widths are
    multiples of `WIDTH`, and at most the context: libraries prepare a matrix product anew for every shape they meet.

    Args:
        tokens: the corpus.
        batch_size: documents of a batch, at least 1; of this process, where there are several.
        context: longest row in tokens; what is longer loses its end.
        seed: of the order; an integer.
        rank: number of this process. The batches of all, one behind the other, are the batch that one process would get
            with `world_size` times the `batch_size`, but for how far they are filled up.
        world_size: number of processes.
        repeat: `False` gives a single epoch to evaluate on: the shortest documents first, the last batch filled up with
            rows in which nothing counts.

    Attributes:
        batches_per_epoch: number of steps of an epoch. Of repeated data, what is left over behind the last whole batch
            waits for the next epoch and its other order; a single epoch has every document.

    Raises:
        ValueError: if a number is out of range.
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
        repeat: bool = True,
    ) -> None:
        check_sizes(batch_size, context, rank, world_size)
        self.tokens, self.batch_size, self.context, self.seed = tokens, batch_size, context, seed
        self.rank, self.world_size, self.repeat = rank, world_size, repeat
        self._lengths = np.minimum(tokens.lengths, context)
        self._together = batch_size * world_size
        n_whole, rest = divmod(tokens.n_documents, self._together)
        self.batches_per_epoch = max(n_whole, 1) if repeat else n_whole + (rest > 0)
        self._sorted = np.argsort(self._lengths, kind="stable")

    def batch(self, step: int) -> Batch:
        """The batch of a step.

        Args:
            step: an integer from 0; without `repeat`, below `batches_per_epoch`.

        Raises:
            ValueError: if there is no such step.
        """
        check_step(step, None if self.repeat else self.batches_per_epoch)
        documents = self._of_epochs(step) if self.repeat else self._in_order(step)
        documents = documents[self.rank * self.batch_size : (self.rank + 1) * self.batch_size]
        longest = max((int(self._lengths[i]) for i in documents), default=1)
        width = min(-(-longest // WIDTH) * WIDTH, self.context)
        inputs = np.full((self.batch_size, width), self.tokens.end_of_text, np.int64)
        targets = np.full((self.batch_size, width), IGNORED, np.int64)
        for row, i in enumerate(documents.tolist()):
            start, length = self.tokens.starts[i], self._lengths[i]
            inputs[row, :length] = self.tokens.ids[start : start + length]
            targets[row, :length] = self.tokens.ids[start + 1 : start + length + 1]
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets))

    def _in_order(self, step: int) -> np.ndarray:
        return self._sorted[step * self._together : (step + 1) * self._together]

    def _of_epochs(self, step: int) -> np.ndarray:
        # A group never crosses from one epoch to the next; the last group of an epoch is smaller. A corpus with fewer
        # documents than a batch has rows fills it up with its own, again from the first.
        n, per_epoch = self.tokens.n_documents, self.batches_per_epoch
        epoch, place = divmod(step, per_epoch)
        group, within = divmod(place, BATCHES_SORTED)
        first = group * BATCHES_SORTED
        n_batches = min(BATCHES_SORTED, per_epoch - first)
        places = np.arange(first * self._together, (first + n_batches) * self._together)
        documents = Shuffle(n, self.seed, epoch, 2)(places % n)
        documents = documents[np.argsort(self._lengths[documents], kind="stable")]
        order = Shuffle(n_batches, self.seed, epoch, 3, group)(np.arange(n_batches))
        begin = int(order[within]) * self._together
        return documents[begin : begin + self._together]
