"""A model at work on a batch of texts: it has read them, and gives the logits of each next token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minigpt.generation.processors import PADDING
from minigpt.models import GPT

Overflow = Literal["refuse", "cut", "slide"]


class Decoder:
    """Reads the prompts once, and then one token of each row at a time.

    Prompts of different lengths are padded on the left, and the padding is masked; prompts of one length cost no mask.
    What a row gives does not depend on the others (up to the rounding of its numbers).

    Args:
        model: in evaluation mode, unless dropout is wanted.
        prompts: ids of each row, at least one.
        n_tokens: how many tokens are to be written, at least 1.
        overflow: what to do if prompt and new tokens are more than the model's context. `"refuse"` raises an error;
            `"cut"` writes as many as fit (`n_tokens` says how many); `"slide"` goes on: when the context is full, the
            last half of it is read anew, as if the text began there, so that the model forgets the rest.
        window: how many of the last tokens a new token sees at the most; the cache holds no more. By default what the
            model's configuration says.
        use_cache: whether keys and values are kept. Without, the whole text is read again for each token.

    Raises:
        ValueError: if a prompt is empty, or prompts and new tokens do not fit and are not to be cut.
    """

    logits: Float[Tensor, "batch vocab_size"]
    """Of the next token of each row, in float32 or more."""
    n_tokens: int
    """How many tokens will be written."""
    model: GPT
    """The model that reads."""

    def __init__(
        self,
        model: GPT,
        prompts: Sequence[Sequence[int]],
        n_tokens: int,
        *,
        overflow: Overflow = "refuse",
        window: int | None = None,
        use_cache: bool = True,
    ) -> None:
        if overflow not in get_args(Overflow):
            raise ValueError(f"overflow={overflow!r} is not known; use one of {', '.join(get_args(Overflow))}")
        if window is not None and window < 1:
            raise ValueError(f"window={window} must be at least 1")
        if window is not None and not use_cache:
            raise ValueError(f"window={window} is a property of the cache; leave it out, or use the cache")
        if n_tokens < 1:
            raise ValueError(f"n_tokens={n_tokens} must be at least 1")
        if len(prompts) and isinstance(prompts[0], int):
            raise ValueError("prompts is one list of ids; give a list of prompts, as [ids]")
        lengths = [len(prompt) for prompt in prompts]
        if not lengths or 0 in lengths:
            raise ValueError(
                "there is no prompt, or an empty one; to begin a text, prompt with the token that stands between texts "
                '(tokenizer.special_tokens["<|endoftext|>"])'
            )
        self.model, self.use_cache = model, use_cache
        self.n_tokens = _fitting(max(lengths), n_tokens, model.config.context, overflow)
        self.window = min(filter(None, (window, model.config.window)), default=None)
        # Every row ends at the same column; `_first` is the first token of a row that the model sees.
        self._length = max(lengths)
        device = model.embedding.weight.device
        ids = torch.full((len(prompts), self._length + self.n_tokens), PADDING)
        for row, prompt in zip(ids, prompts, strict=True):
            row[self._length - len(prompt) : self._length] = torch.as_tensor(prompt)
        self._ids = ids.to(device)
        self._first = torch.tensor([self._length - min(n, model.config.context) for n in lengths], device=device)
        self._read()

    @property
    def ids(self) -> Int[Tensor, "batch length"]:
        """The texts so far, prompts included, padded on the left by `PADDING`."""
        return self._ids[:, : self._length]

    def append(self, ids: Int[Tensor, " batch"]) -> None:
        """Read one more token of each row; `logits` are then those of the token behind it.

        Raises:
            ValueError: if more tokens come than were announced.
        """
        if self._length == self._ids.shape[1]:
            raise ValueError(f"all of the n_tokens={self.n_tokens} announced tokens were read")
        self._ids[:, self._length] = ids
        self._length += 1
        if self._length - self._start > self.model.config.context:
            # Rows that fill the context forget its first half; shorter ones keep all they have.
            context = self.model.config.context
            full = self._length - self._first > context
            self._first = torch.where(full, self._length - max(1, context // 2), self._first)
            self._read()
        elif not self.use_cache:
            self._read()
        else:
            is_token = positions = None
            if self._is_token is not None:
                seen = self.cache.n_keys(1)
                is_token = self._is_token[:, : self._length - self._start][:, -seen:]
                positions = (self._length - 1 - self._first).unsqueeze(1)
            hidden = self.model.hidden(ids.unsqueeze(1), is_token=is_token, positions=positions, cache=self.cache)
            self._predict(hidden)

    def select(self, which: Int[Tensor, " new_batch"]) -> None:
        """Let row `i` of the batch go on from what was row `which[i]`; rows can be dropped, moved and doubled."""
        which = which.to(self._ids.device)
        self._ids, self._first, self.logits = self._ids[which], self._first[which], self.logits[which]
        if self._is_token is not None:
            self._is_token = self._is_token[which]
        if self.cache is not None:
            self.cache.select(which)

    def _read(self) -> None:
        # Read what the model is to see of the texts, from the beginning.
        self._start = int(self._first.min())
        ids = self._ids[:, self._start : self._length]
        is_token = positions = self._is_token = None
        if bool((self._first != self._start).any()):
            columns = torch.arange(self._start, self._ids.shape[1], device=ids.device)
            self._is_token = columns >= self._first.unsqueeze(1)
            is_token = self._is_token[:, : ids.shape[1]]
            positions = (columns[: ids.shape[1]] - self._first.unsqueeze(1)).clamp(min=0)
        self.cache = None
        if self.use_cache:
            capacity = min(self.model.config.context, self._ids.shape[1] - self._start)
            self.cache = self.model.new_cache(capacity, window=self.window)
        ids = ids.clamp(min=0)
        self._predict(self.model.hidden(ids, is_token=is_token, positions=positions, cache=self.cache))

    def _predict(self, hidden: Float[Tensor, "batch time d_model"]) -> None:
        # Only the last position's logits are wanted: of a long prompt, the others would cost more than all layers.
        self.logits = widened(self.model.head(hidden[:, -1]))


def widened(logits: Float[Tensor, "*batch vocab_size"]) -> Float[Tensor, "*batch vocab_size"]:
    """Logits in float32 at least: half precision has too few digits to add up the probabilities of a vocabulary."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _fitting(longest: int, n_tokens: int, context: int, overflow: Overflow) -> int:
    # The last new token is written and not read, so that one more than the context can hold fits.
    room = context - longest + 1
    if n_tokens <= room or overflow == "slide":
        return n_tokens
    if overflow == "cut" and room >= 1:
        return room
    options = "'slide' to let the model forget the beginning"
    if room >= 1:
        options = f"'cut' to write {room}, or {options}"
    raise ValueError(
        f"a prompt of {longest} tokens and {n_tokens} new ones do not fit into the context of {context} tokens; "
        f"shorten them, or set overflow to {options}"
    )
