"""BERT: an encoder that reads a text from both sides (Devlin et al., 2019)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minigpt.models.config import TransformerConfig
from minigpt.models.parts import make_block, make_embedding, make_final_norm, make_norm, make_positions, make_rotary
from minigpt.nn import TokenEmbedding, padding_mask


class BERT(nn.Module):
    """Tokens in, one vector for each out, in which what stands on either side has gone. `heads` has what comes behind.

    Args:
        config: parts and sizes. Embeddings of tokens, positions and segments are summed and normalised, where norms
            stand behind sums.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own, which `torch.manual_seed` sets.
    """

    def __init__(self, config: TransformerConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.embedding = make_embedding(config, generator)
        self.positions = make_positions(config, generator)
        self.segments = None
        if config.n_segments:
            self.segments = TokenEmbedding(config.n_segments, config.d_model, std=config.std, generator=generator)
        self.embedding_norm = nn.Identity() if config.norm_first else make_norm(config)
        self.dropout = nn.Dropout(config.dropout)
        rotary = make_rotary(config)
        self.blocks = nn.ModuleList(
            make_block(config, causal=False, rotary=rotary, generator=generator) for _ in range(config.n_layers)
        )
        self.norm = make_final_norm(config)

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        *,
        is_token: Bool[Tensor, "batch time"] | None = None,
        segments: Int[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """The vector of every token.

        Args:
            ids: `0 <= id < vocab_size`.
            is_token: `False` where a position is padding.
            segments: the segment that each token belongs to; by default all to the first.

        Raises:
            ValueError: if there are more tokens than `config.context` (unless it has no positions), or segments for a
                model that has none.
        """
        x = self.positions(self.embedding(ids))
        if self.segments is not None:
            x = x + self.segments(torch.zeros_like(ids) if segments is None else segments)
        elif segments is not None:
            raise ValueError("this model has no embeddings of segments: config.n_segments is 0")
        x = self.dropout(self.embedding_norm(x))
        mask = None if is_token is None else padding_mask(is_token)
        for block in self.blocks:
            x = block(x, mask=mask)
        return self.norm(x)
