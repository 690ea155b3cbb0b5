"""The original Transformer: an encoder reads, a decoder writes and looks at what was read (Vaswani et al., 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minigpt.models.config import TransformerConfig
from minigpt.models.parts import (
    Head,
    make_block,
    make_cross_block,
    make_embedding,
    make_final_norm,
    make_positions,
    make_rotary,
)
from minigpt.nn import Cache, padding_mask


@dataclass
class DecoderState:
    """What the decoder needs to go on writing.

    Attributes:
        cache: keys and values of the tokens that were written.
        memory_cache: keys and values of the encoder's output.
        memory_mask: `True` where the source has a token; `None` if it has one everywhere.
    """

    cache: Cache
    memory_cache: Cache
    memory_mask: Bool[Tensor, "batch 1 1 source"] | None

    def select(self, which: Int[Tensor, " new_batch"]) -> None:
        """Let row `i` of the batch go on from what was row `which[i]`, as beam search needs it."""
        self.cache.select(which)
        self.memory_cache.select(which)
        if self.memory_mask is not None:
            self.memory_mask = self.memory_mask[which]


class EncoderDecoder(nn.Module):
    """Tokens of a source and of what was written so far in, logits of each next token out.

    Source and target share one vocabulary and one embedding table.

    Args:
        config: parts and sizes; `n_layers` is for the decoder, `n_encoder_layers` for the encoder.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own, which `torch.manual_seed` sets.
    """

    def __init__(self, config: TransformerConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.embedding = make_embedding(config, generator)
        self.positions = make_positions(config, generator)
        self.dropout = nn.Dropout(config.dropout)
        rotary = make_rotary(config)
        self.encoder = nn.ModuleList(
            make_block(config, causal=False, rotary=rotary, generator=generator) for _ in range(config.n_encoder_layers)
        )
        self.encoder_norm = make_final_norm(config)
        self.decoder = nn.ModuleList(
            make_cross_block(config, rotary=rotary, generator=generator) for _ in range(config.n_layers)
        )
        self.decoder_norm = make_final_norm(config)
        self.head = Head(self.embedding, tied=config.tied, bias=config.head_bias, generator=generator)

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        *,
        is_source_token: Bool[Tensor, "batch source"] | None = None,
    ) -> Float[Tensor, "batch target vocab_size"]:
        """The logits of the token that follows each position of the target.

        Args:
            source: ids of the text that is read.
            target: ids of the text that is written, from its first token on. Padding at its end needs no mask, since
                no token sees what comes behind it.
            is_source_token: `False` where a position of the source is padding.

        Raises:
            ValueError: if a text is longer than `config.context`.
        """
        mask = None if is_source_token is None else padding_mask(is_source_token)
        memory = self.encode(source, is_source_token=is_source_token)
        x = self._embed(target)
        for block in self.decoder:
            x = block(x, memory, memory_mask=mask)
        return self.head(self.decoder_norm(x))

    def encode(
        self, source: Int[Tensor, "batch source"], *, is_source_token: Bool[Tensor, "batch source"] | None = None
    ) -> Float[Tensor, "batch source d_model"]:
        """The encoder's output, which every block of the decoder looks at."""
        mask = None if is_source_token is None else padding_mask(is_source_token)
        x = self._embed(source)
        for block in self.encoder:
            x = block(x, mask=mask)
        return self.encoder_norm(x)

    def start(
        self,
        source: Int[Tensor, "batch source"],
        *,
        is_source_token: Bool[Tensor, "batch source"] | None = None,
        capacity: int | None = None,
    ) -> DecoderState:
        """Read the source, and be ready to write.

        Args:
            source: ids of the text that is read.
            is_source_token: `False` where a position of the source is padding.
            capacity: how many tokens can be written; by default `config.context`.

        Raises:
            ValueError: if the source is longer, or the capacity larger, than `config.context`.
        """
        capacity = self.config.context if capacity is None else capacity
        if capacity > self.config.context:
            raise ValueError(f"capacity={capacity} is more than the context, {self.config.context} tokens")
        memory = self.encode(source, is_source_token=is_source_token)
        memory_cache = Cache(self.config.n_layers, source.shape[1])
        for block, layer in zip(self.decoder, memory_cache.layers, strict=True):
            layer.append(*block.cross_attention.keys_values(memory))
        mask = None if is_source_token is None else padding_mask(is_source_token)
        return DecoderState(Cache(self.config.n_layers, capacity), memory_cache, mask)

    def decode_step(self, ids: Int[Tensor, "batch time"], state: DecoderState) -> Float[Tensor, "batch vocab_size"]:
        """Read the tokens that were written last; returns the logits of the next one.

        Args:
            ids: those that `state` does not hold yet; usually one for each row.
            state: from `start`; it is changed.

        Raises:
            ValueError: if there is no room for more tokens.
        """
        x = self._embed(ids, state.cache.length)
        for block, layer, memory_layer in zip(self.decoder, state.cache.layers, state.memory_cache.layers, strict=True):
            x = block(x, None, memory_mask=state.memory_mask, cache=layer, memory_cache=memory_layer)
        return self.head(self.decoder_norm(x[:, -1]))

    def _embed(self, ids: Tensor, start: int = 0) -> Tensor:
        return self.dropout(self.positions(self.embedding(ids), start))
