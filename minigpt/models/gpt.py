"""GPT: a decoder-only language model (Radford et al., 2018, 2019)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minigpt.models.config import TransformerConfig
from minigpt.models.parts import Head, make_block, make_embedding, make_final_norm, make_positions, make_rotary
from minigpt.nn import Cache, document_mask, document_positions, padding_mask


class GPT(nn.Module):
    """Tokens in, logits of each next token out. GPT-1, 2 and 3, Llama and Mistral differ in their configuration.

    Args:
        config: parts and sizes.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own, which `torch.manual_seed` sets.
            The same seed gives the same weights on every CPU.
    """

    def __init__(self, config: TransformerConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.embedding = make_embedding(config, generator)
        self.positions = make_positions(config, generator)
        self.dropout = nn.Dropout(config.dropout)
        rotary = make_rotary(config)
        self.blocks = nn.ModuleList(
            make_block(config, causal=True, rotary=rotary, generator=generator) for _ in range(config.n_layers)
        )
        self.norm = make_final_norm(config)
        self.head = Head(self.embedding, tied=config.tied, bias=config.head_bias, generator=generator)

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        *,
        documents: Int[Tensor, "batch time"] | None = None,
        is_token: Bool[Tensor, "batch keys"] | None = None,
        positions: Int[Tensor, "#batch time"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "batch time vocab_size"]:
        """The logits of the token that follows each position.

        Args:
            ids: `0 <= id < vocab_size`; with a cache, those that have not been read yet.
            documents: where several documents stand in a row, a number for each position, the same within a document
                and another one in the next. They do not see each other, and positions begin again in each.
            is_token: `False` where a position is padding, for the positions in the cache and those of `ids`.
            positions: the position of every token, where they do not follow one another (padding on the left).
            cache: made by `new_cache`; it remembers what was read, so that the next call goes on from there.

        Raises:
            ValueError: if there are more tokens than `config.context`; without positions (`"none"`) there is no limit.
                Also if there are both documents and a cache.
        """
        return self.head(self.hidden(ids, documents=documents, is_token=is_token, positions=positions, cache=cache))

    def hidden(
        self,
        ids: Int[Tensor, "batch time"],
        *,
        documents: Int[Tensor, "batch time"] | None = None,
        is_token: Bool[Tensor, "batch keys"] | None = None,
        positions: Int[Tensor, "#batch time"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """The hidden states behind the last norm; the arguments are those of `forward`."""
        start = 0 if cache is None else cache.length
        mask = None if is_token is None else padding_mask(is_token)
        if documents is not None:
            if cache is not None:
                raise ValueError("documents and a cache do not go together: what is in the cache has no document")
            mask = document_mask(documents) if mask is None else mask & document_mask(documents)
            positions = document_positions(documents) if positions is None else positions
        x = self.dropout(self.positions(self.embedding(ids), start, positions))
        for i, block in enumerate(self.blocks):
            x = block(x, mask=mask, positions=positions, cache=None if cache is None else cache.layers[i])
        return self.norm(x)

    def new_cache(self, capacity: int | None = None, *, window: int | None = None) -> Cache:
        """An empty cache, with room for `capacity` tokens; by default for the whole context.

        Args:
            capacity: how many tokens can be read.
            window: if given, tokens that are read one by one see only the last `window`, and only those are kept. The
                model's own window (`config.window`) changes nothing but the memory; a smaller one hides what the model
                was trained to see.

        Raises:
            ValueError: if the capacity is not from 1 to `config.context`.
        """
        capacity = self.config.context if capacity is None else capacity
        if not 1 <= capacity <= self.config.context:
            raise ValueError(f"capacity={capacity} must be from 1 to the context, {self.config.context} tokens")
        return Cache(self.config.n_layers, capacity, window)
