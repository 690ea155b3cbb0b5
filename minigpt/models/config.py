"""The description of a transformer: which parts, and how large."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from minigpt.kernels.reference.rotary import Layout
from minigpt.nn.feedforward import activation_of
from minigpt.nn.rotary import Scaling

Norm = Literal["layer", "rms"]
Positions = Literal["learned", "sinusoidal", "rotary", "none"]


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """What a `GPT`, `BERT` or `EncoderDecoder` is built from. The defaults are those of GPT-2.

    Args:
        vocab_size: number of token ids.
        n_layers: number of blocks; of an encoder-decoder, in the decoder.
        d_model: width of the model.
        n_heads: attention heads.
        context: longest sequence, in tokens.
        n_kv_heads: heads of keys and values, a divisor of `n_heads`; by default as many.
        d_head: width of a head; by default `d_model / n_heads`.
        d_ff: width inside the feed-forward network; by default `4 * d_model`.
        activation: a name in `minigpt.nn.ACTIVATIONS`.
        gated: whether the feed-forward network is a gated one, of three maps.
        norm: `"layer"` or `"rms"`.
        norm_eps: the constant in the norms.
        norm_first: whether norms stand before attention and feed-forward network, and once more behind the last block;
            otherwise behind each sum.
        positions: `"learned"`, `"sinusoidal"`, `"rotary"` or `"none"`.
        rope_base: base of the rotary frequencies.
        rope_layout: `"half"` or `"interleaved"`; see `minigpt.nn.Rotary`.
        rope_scaling: how the rotary frequencies are changed to read longer texts.
        bias: whether linear maps and layer norms have biases.
        qkv_bias: the same for the maps to queries, keys and values; by default `bias`.
        out_bias: the same for the map behind the heads, back to `d_model`; by default `bias`. (In the original
            Transformer no map of attention has a bias, while those of the feed-forward network do.)
        window: how many positions a position of a decoder sees at the most; by default all before it.
        token_shift: whether attention looks with what each position has mixed with the one before it
            (`minigpt.nn.TokenShift`).
        tied: whether the map to the logits is the embedding table.
        head_bias: whether the map to the logits has a bias.
        scale_embedding: whether embeddings are multiplied by the root of `d_model` (the original Transformer, Gemma).
        n_segments: kinds of segments that have embeddings (2 in BERT); 0 for none.
        n_encoder_layers: number of blocks of the encoder of an encoder-decoder; by default `n_layers`.
        dropout: share of embeddings, attention weights and what each part adds that is set to zero in training.
        std: standard deviation of the initial weights. Maps back to the residual stream get `std / sqrt(2 n_layers)`
            (Radford et al., 2019, section 2.3).

    Raises:
        ValueError: if a value is out of range or does not fit the others.
    """

    vocab_size: int
    n_layers: int
    d_model: int
    n_heads: int
    context: int = 1024
    n_kv_heads: int | None = None
    d_head: int | None = None
    d_ff: int | None = None
    activation: str = "gelu_tanh"
    gated: bool = False
    norm: Norm = "layer"
    norm_eps: float = 1e-5
    norm_first: bool = True
    positions: Positions = "learned"
    rope_base: float = 10000.0
    rope_layout: Layout = "half"
    rope_scaling: Scaling | None = None
    bias: bool = True
    qkv_bias: bool | None = None
    out_bias: bool | None = None
    window: int | None = None
    token_shift: bool = False
    tied: bool = True
    head_bias: bool = False
    scale_embedding: bool = False
    n_segments: int = 0
    n_encoder_layers: int | None = None
    dropout: float = 0.0
    std: float = 0.02

    def __post_init__(self) -> None:
        # Values that follow from others are filled in, so that everybody reads the same number.
        derived = {
            "n_kv_heads": self.n_heads,
            "d_ff": 4 * self.d_model,
            "qkv_bias": self.bias,
            "out_bias": self.bias,
            "n_encoder_layers": self.n_layers,
        }
        for name, value in derived.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        self._check_sizes()
        if self.d_head is None:
            if self.d_model % self.n_heads:
                raise ValueError(
                    f"d_model={self.d_model} is not divisible by n_heads={self.n_heads}; choose others, or give d_head"
                )
            object.__setattr__(self, "d_head", self.d_model // self.n_heads)
        self._check_parts()

    def _check_sizes(self) -> None:
        sizes = ("vocab_size", "n_layers", "n_encoder_layers", "d_model", "n_heads", "n_kv_heads", "d_head", "d_ff")
        for name in (*sizes, "context", "window"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"{name}={value!r} must be an integer of at least 1")
        if type(self.n_segments) is not int or self.n_segments < 0:
            raise ValueError(f"n_segments={self.n_segments!r} must be an integer of at least 0")

    def _check_parts(self) -> None:
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"n_heads={self.n_heads} is not a multiple of n_kv_heads={self.n_kv_heads}")
        activation_of(self.activation)
        for name, choices in (
            ("norm", ("layer", "rms")),
            ("positions", ("learned", "sinusoidal", "rotary", "none")),
            ("rope_layout", ("half", "interleaved")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r} is not known; use one of {', '.join(choices)}")
        if self.positions == "rotary" and self.d_head % 2:
            raise ValueError(f"d_head={self.d_head} is odd; rotary positions turn pairs of coordinates")
        if self.positions == "sinusoidal" and self.d_model % 2:
            raise ValueError(f"d_model={self.d_model} is odd; sinusoidal positions are pairs of sine and cosine")
        if self.rope_scaling is not None and self.positions != "rotary":
            raise ValueError(f"rope_scaling needs positions='rotary', not {self.positions!r}")
        if not 1 < self.rope_base < math.inf:
            raise ValueError(f"rope_base={self.rope_base} must be larger than 1, or no pair turns slower than another")
        if not 0 < self.norm_eps < math.inf:
            raise ValueError(f"norm_eps={self.norm_eps} must be positive, or a vector of zeros divides by zero")
        if not 0 <= self.std < math.inf:
            raise ValueError(f"std={self.std} is no standard deviation; it must be a finite number that is at least 0")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is a share; it must be from 0 to below 1")

    def replace(self, **changes: Any) -> TransformerConfig:
        """The same with other values; those that follow from them (`d_head`, `d_ff`, ...) are found anew if they
        followed before.
        """
        followed = {
            "n_kv_heads": self.n_kv_heads == self.n_heads,
            "d_head": self.d_head * self.n_heads == self.d_model,
            "d_ff": self.d_ff == 4 * self.d_model,
            "qkv_bias": self.qkv_bias == self.bias,
            "out_bias": self.out_bias == self.bias,
            "n_encoder_layers": self.n_encoder_layers == self.n_layers,
        }
        return replace(self, **{name: None for name, follows in followed.items() if follows} | changes)

    def changed(self) -> dict[str, Any]:
        """The values that differ from the defaults: what tells this configuration from GPT-2's."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
