"""Where the text of a run comes from: a corpus, part of which is kept for validation, or the village, without end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from minigpt.data.corpora import corpus
from minigpt.data.shards import Tokens
from minigpt.training.settings import RunSettings
from minigpt.village import stories

SAMPLE_CHARACTERS = 10_000_000
"""What a tokenizer learns from, at the most."""
VALIDATION_STORIES = 256


def has_short_documents(validation: Tokens, context: int) -> bool:
    """Whether nearly all documents fit into the context, so that each can be a row: the others lose their end.

    Otherwise rows are windows of the stream of documents, which lose nothing.
    """
    return validation.n_documents > 1 and float((validation.lengths <= context).mean()) >= 0.95


class TextSource:
    """A corpus: of a single document the end is kept for validation, of several every tenth, or what share is asked.

    Args:
        settings: what to read, and the share to keep.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._data, self._share = settings.data, settings.validation
        enough_to_keep_one = max(2, math.ceil(1 / self._share - 1e-9))
        self._n = len(list(islice(corpus(self._data), enough_to_keep_one)))
        if 1 < self._n < enough_to_keep_one:
            self._share = 1 / self._n

    def training(self) -> Iterator[str]:
        """The documents to train on."""
        return self._part(kept=False)

    def validation(self) -> Iterator[str]:
        """The documents to validate on."""
        return self._part(kept=True)

    def sample(self, *, whole: bool = False) -> Iterator[str]:
        """Documents to train on from which a tokenizer learns: the first ten million characters, or all of them."""
        length = 0
        for text in self.training():
            yield text if whole else text[: SAMPLE_CHARACTERS - length]
            length += len(text)
            if length >= SAMPLE_CHARACTERS and not whole:
                return

    def floor(self, validation: Tokens, context: int) -> float | None:
        """The true entropy of the validation text in nats a token: not known."""
        return None

    def _part(self, kept: bool) -> Iterator[str]:
        if self._n == 1:
            (text,) = corpus(self._data)
            cut = round(len(text) * (1 - self._share))
            yield text[cut:] if kept else text[:cut]
            return
        for i, text in enumerate(corpus(self._data)):
            if (_whole((i + 1) * self._share) > _whole(i * self._share)) == kept:
                yield text


def _whole(number: float) -> int:
    # What misses an integer by a rounding error counts as that.
    return math.floor(number + 1e-9)


class VillageSource:
    """Stories, as many as a run reads, so that none is read twice; those to validate on come from another seed.

    Args:
        settings: which size of the village, and the seed.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._size, self._seed = settings.data, settings.seed
        self._held_out = list(stories(VALIDATION_STORIES, 2 * self._seed + 1, self._size))

    def training(self, n: int) -> Iterator[str]:
        """So many stories to train on."""
        return (story.text for story in stories(n, 2 * self._seed, self._size))

    def validation(self) -> Iterator[str]:
        """The stories to validate on."""
        return (story.text for story in self._held_out)

    def sample(self, *, whole: bool = False) -> Iterator[str]:
        """Stories from which a tokenizer learns."""
        return (story.text for story in stories(20_000, 2 * self._seed, self._size))

    def floor(self, validation: Tokens, context: int) -> float | None:
        """The true entropy of the validation stories in nats a token; `None` if one is longer than the context.

        It is that of whole stories. The beginning of a story is harder to predict than the rest, and so is what stands
        behind a beginning that is out of sight: beside such losses it would be no floor.
        """
        if validation.lengths.max() > context:
            return None
        return -math.fsum(story.log_prob for story in self._held_out) / (len(validation) - 1)
