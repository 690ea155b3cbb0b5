"""How many parameters a model has, without building it."""

from __future__ import annotations

from typing import Literal

from minigpt.models.config import TransformerConfig

Architecture = Literal["gpt", "bert", "encoder-decoder"]

ARCHITECTURES: tuple[Architecture, ...] = ("gpt", "bert", "encoder-decoder")
"""The names of `GPT`, `BERT` and `EncoderDecoder`."""


def count_parameters(
    config: TransformerConfig, architecture: Architecture = "gpt", by: Literal["part"] | None = None
) -> int | dict[str, int]:
    """The number of parameters of the model that a configuration describes, from the sizes alone.

    With `d = d_model`, `h` heads of width `d_h`, and `k` heads of keys and values, attention has `2 (h + k) d_h d`
    weights, a feed-forward network `2 d d_ff`, or `3 d d_ff` if it is gated. What is shared (a tied head) counts once;
    tables that are computed (sinusoidal and rotary positions) do not count.

    Args:
        config: parts and sizes.
        architecture: `"gpt"` for `GPT`, `"bert"` for `BERT` (the encoder, without what `heads` puts behind it),
            `"encoder-decoder"` for `EncoderDecoder`.
        by: `None` for the total; `"part"` for the number of each part: token, position and segment embedding,
            attention, cross-attention, feed-forward, norms, head. A part that the model lacks has 0.

    Raises:
        ValueError: if the architecture or the way to count is not known.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"architecture={architecture!r} is not known; use one of {', '.join(ARCHITECTURES)}")
    if by not in (None, "part"):
        raise ValueError(f"by={by!r} is not known; use None for the total, or 'part'")
    encoder_decoder = architecture == "encoder-decoder"
    n_cross = config.n_layers if encoder_decoder else 0
    n_blocks = config.n_layers + (config.n_encoder_layers if encoder_decoder else 0)
    parts = {
        "token embedding": config.vocab_size * config.d_model,
        "position embedding": config.context * config.d_model if config.positions == "learned" else 0,
        "segment embedding": config.n_segments * config.d_model if architecture == "bert" else 0,
        "attention": n_blocks * (_attention(config) + (config.d_model if config.token_shift else 0)),
        "cross-attention": n_cross * _attention(config),
        "feed-forward": n_blocks * _feed_forward(config),
        "norms": (2 * n_blocks + n_cross + _norms_outside(config, architecture)) * _norm(config),
        "head": 0 if architecture == "bert" else _head(config),
    }
    return parts if by == "part" else sum(parts.values())


def _attention(config: TransformerConfig) -> int:
    d_queries, d_qkv = config.n_heads * config.d_head, (config.n_heads + 2 * config.n_kv_heads) * config.d_head
    return _linear(config.d_model, d_qkv, config.qkv_bias) + _linear(d_queries, config.d_model, config.out_bias)


def _feed_forward(config: TransformerConfig) -> int:
    d_up = 2 * config.d_ff if config.gated else config.d_ff
    return _linear(config.d_model, d_up, config.bias) + _linear(config.d_ff, config.d_model, config.bias)


def _linear(d_in: int, d_out: int, bias: bool) -> int:
    return d_in * d_out + (d_out if bias else 0)


def _norm(config: TransformerConfig) -> int:
    return config.d_model * (2 if config.norm == "layer" and config.bias else 1)


def _norms_outside(config: TransformerConfig, architecture: Architecture) -> int:
    # Pre-norm: one behind the last block of each stack. Post-norm: one behind BERT's embeddings.
    if config.norm_first:
        return 2 if architecture == "encoder-decoder" else 1
    return 1 if architecture == "bert" else 0


def _head(config: TransformerConfig) -> int:
    return config.vocab_size * ((0 if config.tied else config.d_model) + (1 if config.head_bias else 0))
