"""The operations of a GPT: how many floating-point operations each does, and how many bytes it moves.

What is counted is what cannot be avoided if each operation runs by itself: it reads every input from memory once and
writes every result once. A cache that is too small moves more, and a kernel that does several operations moves less.
A product of matrices counts two operations for each multiplication and addition. For the rest there is a price for each
number, which stands in `PRICES`: an exponential, a division and an addition each count as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from minigpt.models import TransformerConfig, count_parameters

Phase = Literal["training", "prefill", "decode"]

PRICES = MappingProxyType({"layer": 8, "rms": 4, "activation": 8, "gate": 1, "rotary": 3, "sum": 1, "loss": 5})
"""Operations for each number of a norm, an activation and so on; conventions, of which no conclusion hangs on a factor
of two, since all these operations lie far below the bend of every roof."""

ADAMW = 12
"""Operations of AdamW for each parameter."""


@dataclass(frozen=True)
class Operation:
    """One kind of operation of a pass through a model, all layers together.

    Attributes:
        name: what it is.
        flops: floating-point operations.
        bytes: bytes read and written.
    """

    name: str
    flops: float
    bytes: float

    @property
    def intensity(self) -> float:
        """Floating-point operations for each byte moved."""
        return self.flops / self.bytes


def operations(
    config: TransformerConfig,
    phase: Phase,
    *,
    batch: int,
    length: int,
    bytes_per_number: float = 2,
    fused_attention: bool = True,
) -> list[Operation]:
    """Every operation of one pass, in the order in which they come first.

    Args:
        config: of a `GPT`. What token shift costs is left out.
        phase: `"training"`, forward, backward and a step of AdamW, whose averages and weights have 4 bytes a number;
            `"prefill"`, a prompt is read and the logits of its last position computed; `"decode"`, one token more.
        batch: number of texts, at least 1.
        length: tokens of each; in `"decode"`, those that the new token sees, itself included.
        bytes_per_number: of weights and activations: 4 for float32, 2 for bfloat16.
        fused_attention: whether scores stay on the chip, with what the mask hides left out; otherwise all scores are
            computed, and written and read twice (before and after the softmax). The scores of training are recomputed
            in the backward pass if fused (Dao et al., 2022, algorithm 4).

    Raises:
        ValueError: if the phase is not known or a number is out of range.
    """
    if phase not in ("training", "prefill", "decode"):
        raise ValueError(f"phase={phase!r} is not known; use 'training', 'prefill' or 'decode'")
    if batch < 1 or length < 1 or bytes_per_number <= 0:
        raise ValueError(f"batch={batch}, length={length}, bytes_per_number={bytes_per_number} must all be above 0")
    count = _Count(config, phase, batch, length, bytes_per_number)
    return [*count.before(), *count.attention(fused_attention), *count.feed_forward(), *count.behind()]


class _Count:
    def __init__(self, config: TransformerConfig, phase: Phase, batch: int, length: int, width: float) -> None:
        self.config, self.batch, self.width = config, batch, width
        self.training = phase == "training"
        self.queries, self.keys = (1 if phase == "decode" else length), length
        self.tokens = batch * self.queries
        self.read_out = self.tokens if self.training else batch
        self.layers = config.n_layers

    def linear(self, name: str, d_in: int, d_out: int, bias: bool, rows: int, times: int) -> Operation:
        # Backward there are two products of the same size, and each of the three matrices takes part in all of them.
        passes = times * (3 if self.training else 1)
        numbers = d_in * d_out + bias * d_out + rows * (d_in + d_out)
        return Operation(name, passes * 2 * rows * d_in * d_out, passes * numbers * self.width)

    def each(self, name: str, n: float, price: float, moved: int, moved_backward: int, back: int = 2) -> Operation:
        # Something done to each of `n` numbers, which moves so many numbers for each, forward and backward.
        flops = n * price * (1 + back if self.training else 1)
        return Operation(name, flops, n * (moved + moved_backward * self.training) * self.width)

    def before(self) -> Iterator[Operation]:
        n, learned = self.tokens * self.config.d_model, self.config.positions in ("learned", "sinusoidal")
        yield self.each("embedding", n, int(learned), 3 if learned else 2, 3 if learned else 2, back=1)
        norms = 2 * self.layers + self.config.norm_first
        yield self.each("norms", norms * n, PRICES[self.config.norm], 2, 3)

    def attention(self, fused: bool) -> Iterator[Operation]:
        c, n = self.config, self.tokens
        d_q, d_kv = c.n_heads * c.d_head, c.n_kv_heads * c.d_head
        yield self.linear("queries, keys, values", c.d_model, d_q + 2 * d_kv, c.qkv_bias, n, self.layers)
        if c.positions == "rotary":
            yield self.each("rotary", self.layers * n * (d_q + d_kv), PRICES["rotary"], 2, 2, back=1)
        window = min(c.window or self.keys, self.keys)
        decode = self.queries < self.keys
        seen = window if decode else self.keys
        pairs = window if decode else window * (window + 1) // 2 + (self.keys - window) * window
        moved, extra = self.batch * (2 * self.queries * d_q + 2 * seen * d_kv), 0
        if not fused:
            pairs = self.queries * seen
            extra = 4 * self.batch * c.n_heads * pairs
        # Forward two products; backward four, and one more to have the scores again where they were not kept.
        products, passes = ((3.5 if fused else 3), 3) if self.training else (1, 1)
        flops = 4 * self.batch * d_q * pairs * products
        yield Operation("attention", self.layers * flops, self.layers * (moved + extra) * passes * self.width)
        yield self.linear("mixing the heads", d_q, c.d_model, c.out_bias, n, self.layers)

    def feed_forward(self) -> Iterator[Operation]:
        c, n = self.config, self.tokens
        yield self.linear("up", c.d_model, (1 + c.gated) * c.d_ff, c.bias, n, self.layers)
        price = PRICES["activation"] + c.gated * PRICES["gate"]
        yield self.each("activation", self.layers * n * c.d_ff, price, 2 + c.gated, 3 + 2 * c.gated)
        yield self.linear("down", c.d_ff, c.d_model, c.bias, n, self.layers)
        yield self.each("residual sums", 2 * self.layers * n * c.d_model, PRICES["sum"], 3, 3, back=1)

    def behind(self) -> Iterator[Operation]:
        c = self.config
        yield self.linear("head", c.d_model, c.vocab_size, c.head_bias, self.read_out, 1)
        if self.training:
            yield self.each("loss", self.tokens * c.vocab_size, PRICES["loss"], 1, 2, back=1)
            parameters = count_parameters(c)
            # Weights and both averages are read and written, the gradient read, a narrower copy of the weights written.
            copy = self.width if self.width < 4 else 0
            yield Operation("AdamW", ADAMW * parameters, parameters * (6 * 4 + self.width + copy))
