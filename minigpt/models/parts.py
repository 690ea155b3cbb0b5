"""The parts of a model, chosen by its configuration."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.models.config import TransformerConfig
from minigpt.nn import (
    Attention,
    Block,
    CrossBlock,
    FeedForward,
    GatedFeedForward,
    LayerNorm,
    LearnedPositions,
    PostNormBlock,
    PostNormCrossBlock,
    RMSNorm,
    Rotary,
    ScaledTokenEmbedding,
    ShiftedAttention,
    SinusoidalPositions,
    TokenEmbedding,
)


class NoPositions(nn.Module):
    """Adds nothing: the model has rotary positions, or none."""

    def forward(
        self,
        x: Float[Tensor, "*batch time d_model"],
        start: int = 0,
        positions: Int[Tensor, "#batch time"] | None = None,
    ) -> Float[Tensor, "*batch time d_model"]:
        """Return `x`."""
        return x


class Head(nn.Module):
    """From hidden states to logits: the product with the embedding table ("tied"), or with a matrix of its own.

    Args:
        embedding: the table, shared if there is no matrix of its own.
        tied: whether the table is shared (Press and Wolf, 2017).
        bias: whether each token has a bias.
        generator: where the initial weights are drawn from.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        *,
        tied: bool = True,
        bias: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        vocab_size, d_model = embedding.weight.shape
        if tied:
            self.weight = embedding.weight
        else:
            self.weight = TokenEmbedding(vocab_size, d_model, std=embedding.std, generator=generator).weight
        self.register_parameter("bias", nn.Parameter(torch.zeros(vocab_size)) if bias else None)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab_size"]:
        """The logits of every position."""
        return F.linear(x, self.weight, self.bias)


def make_embedding(config: TransformerConfig, generator: torch.Generator | None) -> TokenEmbedding:
    """The embedding table. Where embeddings are multiplied by the root of `d_model`, they begin with variance 1."""
    if config.scale_embedding:
        return ScaledTokenEmbedding(config.vocab_size, config.d_model, std=config.d_model**-0.5, generator=generator)
    return TokenEmbedding(config.vocab_size, config.d_model, std=config.std, generator=generator)


def make_positions(config: TransformerConfig, generator: torch.Generator | None) -> nn.Module:
    """What is added to the embeddings."""
    match config.positions:
        case "learned":
            return LearnedPositions(config.context, config.d_model, std=config.std, generator=generator)
        case "sinusoidal":
            return SinusoidalPositions(config.context, config.d_model)
    return NoPositions()


def make_rotary(config: TransformerConfig) -> Rotary | None:
    """What turns queries and keys; one for all layers."""
    if config.positions != "rotary":
        return None
    return Rotary(
        config.d_head,
        config.context,
        base=config.rope_base,
        layout=config.rope_layout,
        scaling=config.rope_scaling,
    )


def make_norm(config: TransformerConfig) -> nn.Module:
    """A norm."""
    if config.norm == "rms":
        return RMSNorm(config.d_model, eps=config.norm_eps)
    return LayerNorm(config.d_model, eps=config.norm_eps, bias=config.bias)


def make_final_norm(config: TransformerConfig) -> nn.Module:
    """The norm behind the last block: needed where norms come first, since nothing has normalised the last sum."""
    return make_norm(config) if config.norm_first else nn.Identity()


def make_attention(
    config: TransformerConfig, *, causal: bool, rotary: Rotary | None, generator: torch.Generator | None
) -> Attention:
    """Attention."""
    return (ShiftedAttention if config.token_shift else Attention)(
        config.d_model,
        config.n_heads,
        n_kv_heads=config.n_kv_heads,
        d_head=config.d_head,
        causal=causal,
        window=config.window if causal else None,
        rotary=rotary,
        bias=config.qkv_bias,
        bias_out=config.out_bias,
        dropout=config.dropout,
        std=config.std,
        std_out=_std_out(config),
        generator=generator,
    )


def make_block(
    config: TransformerConfig, *, causal: bool, rotary: Rotary | None, generator: torch.Generator | None
) -> Block:
    """A block."""
    network = GatedFeedForward if config.gated else FeedForward
    return (Block if config.norm_first else PostNormBlock)(
        make_attention(config, causal=causal, rotary=rotary, generator=generator),
        network(
            config.d_model,
            config.d_ff,
            activation=config.activation,
            bias=config.bias,
            std=config.std,
            std_out=_std_out(config),
            generator=generator,
        ),
        make_norm(config),
        make_norm(config),
        dropout=config.dropout,
    )


def make_cross_block(
    config: TransformerConfig, *, rotary: Rotary | None, generator: torch.Generator | None
) -> CrossBlock:
    """A block that also looks at an encoder's output."""
    block = make_block(config, causal=True, rotary=rotary, generator=generator)
    cross = make_attention(config.replace(token_shift=False), causal=False, rotary=None, generator=generator)
    return (CrossBlock if config.norm_first else PostNormCrossBlock)(block, cross, make_norm(config))


def _std_out(config: TransformerConfig) -> float:
    return config.std / math.sqrt(2 * config.n_layers)
