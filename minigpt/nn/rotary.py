"""Rotary positions: queries and keys are turned by angles that grow with the position (Su et al., 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from minigpt.kernels import rotary as kernels
from minigpt.kernels.dispatch import asked_for
from minigpt.nn.position import frequencies, rows

Layout = Literal["half", "interleaved"]


@dataclass(frozen=True)
class LinearScaling:
    """All frequencies divided by a factor, so that `factor` times as many positions fit (Chen et al., 2023).

    Args:
        factor: at least 1.

    Raises:
        ValueError: if the factor is smaller than 1.
    """

    factor: float

    def __post_init__(self) -> None:
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"factor={self.factor} must be a number of at least 1")

    def __call__(self, frequencies: Float64[Tensor, " half"]) -> Float64[Tensor, " half"]:
        """The frequencies that are used."""
        return frequencies / self.factor


@dataclass(frozen=True)
class Llama3Scaling:
    """Slow frequencies divided by a factor, fast ones kept, those between blended, as in Llama 3.1.

    A pair that makes fewer than `low` turns within the original context is slow, one that makes more than `high` is
    fast.

    Args:
        factor: at least 1; Llama 3.1 has 8.
        low: turns up to which a frequency is divided; 1 in Llama 3.1.
        high: turns from which it is kept, more than `low`; 4 in Llama 3.1.
        original_context: length of the texts before the extension; 8,192 in Llama 3.1.

    Raises:
        ValueError: if a value is out of range.
    """

    factor: float = 8.0
    low: float = 1.0
    high: float = 4.0
    original_context: int = 8192

    def __post_init__(self) -> None:
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"factor={self.factor} must be a number of at least 1")
        if not 0 < self.low < self.high:
            raise ValueError(f"low={self.low} and high={self.high}: low must be positive, and high larger than it")
        if self.original_context < 1:
            raise ValueError(f"original_context={self.original_context} must be at least 1")

    def __call__(self, frequencies: Float64[Tensor, " half"]) -> Float64[Tensor, " half"]:
        """The frequencies that are used."""
        turns = self.original_context * frequencies / (2 * math.pi)
        kept = ((turns - self.low) / (self.high - self.low)).clamp(0, 1)
        return frequencies * (kept + (1 - kept) / self.factor)


Scaling = LinearScaling | Llama3Scaling


class Rotary(nn.Module):
    """Turns each pair of coordinates of a query or key at position `p` by the angle `p * w` (Su et al., 2021).

    The dot product of a turned query and a turned key depends on their positions only by the difference. There are no
    parameters, and the table of cosines and sines is not part of a checkpoint.

    Args:
        d_head: width of a query or key, even.
        n_positions: longest sequence, at least 1.
        base: larger than 1; see `frequencies`. 10,000 in the paper, 500,000 in Llama 3.
        layout: which coordinates are a pair. `"interleaved"` takes neighbours, `(0, 1), (2, 3), ...`, as the paper and
            Meta's checkpoints do; `"half"` takes `(0, d/2), (1, d/2 + 1), ...`, as GPT-NeoX and Hugging Face do. The
            two differ by a permutation of the coordinates of queries and keys, which `reorder` applies to weights.
        scaling: how the frequencies change where a model is to read longer texts than it was trained on.

    Raises:
        ValueError: if a value is out of range.
    """

    cosine: Float[Tensor, "n_positions half"]
    sine: Float[Tensor, "n_positions half"]

    def __init__(
        self,
        d_head: int,
        n_positions: int,
        *,
        base: float = 10000.0,
        layout: Layout = "half",
        scaling: Scaling | None = None,
    ) -> None:
        super().__init__()
        if layout not in ("half", "interleaved"):
            raise ValueError(f"layout={layout!r} is not known; use 'half' or 'interleaved'")
        if n_positions < 1:
            raise ValueError(f"n_positions={n_positions} must be at least 1")
        self.base, self.layout, self.scaling = base, layout, scaling
        turns = frequencies(d_head, base)
        if scaling is not None:
            turns = scaling(turns)
        # `empty` follows the default device and dtype, as a parameter would.
        for name in ("cosine", "sine"):
            self.register_buffer(name, torch.empty(n_positions, len(turns)), persistent=False)
        if not self.cosine.is_meta:
            angles = torch.outer(torch.arange(n_positions, dtype=torch.float64, device="cpu"), turns)
            self.cosine.copy_(angles.cos())
            self.sine.copy_(angles.sin())

    def forward(
        self,
        x: Float[Tensor, "batch time heads d_head"],
        start: int = 0,
        positions: Int[Tensor, "#batch time"] | None = None,
    ) -> Float[Tensor, "batch time heads d_head"]:
        """Turn the vectors of all heads.

        Args:
            x: queries or keys.
            start: position of the first token; 0 unless `x` continues a text whose beginning was seen before.
            positions: the position of every token, where they do not follow one another; `start` is then not used.

        Raises:
            ValueError: if a position has no row.
        """
        cosine, sine = (rows(table, x.shape[1], start, positions) for table in (self.cosine, self.sine))
        if asked_for():
            each = cosine.shape if cosine.ndim == 3 else (1, *cosine.shape)
            return kernels.rotary(x, cosine.view(each), sine.view(each), self.layout)
        # One more dimension for the heads, which all turn alike.
        cosine, sine = (table.unsqueeze(-2).to(x.dtype) for table in (cosine, sine))
        return _Turn.apply(x, cosine, sine, self.layout)

    def extra_repr(self) -> str:
        """Sizes, for `print(module)`."""
        n_positions, half = self.cosine.shape
        return f"d_head={2 * half}, n_positions={n_positions}, base={self.base:g}, layout={self.layout!r}"


class _Turn(torch.autograd.Function):
    # The gradient of a rotation is the rotation back, so nothing but the angles is kept for it.

    @staticmethod
    def forward(ctx, x: Tensor, cosine: Tensor, sine: Tensor, layout: Layout) -> Tensor:
        ctx.save_for_backward(cosine, sine)
        ctx.layout = layout
        return _turned(x, cosine, sine, layout)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None, None]:
        cosine, sine = ctx.saved_tensors
        return _turned(grad, cosine, -sine, ctx.layout), None, None, None


def _turned(x: Tensor, cosine: Tensor, sine: Tensor, layout: Layout) -> Tensor:
    turned = torch.empty_like(x)
    first, second = _pair(x, layout)
    new_first, new_second = _pair(turned, layout)
    torch.mul(first, cosine, out=new_first).addcmul_(second, sine, value=-1)
    torch.mul(second, cosine, out=new_second).addcmul_(first, sine)
    return turned


def _pair(x: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    return (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else x.chunk(2, dim=-1)


def reorder(weight: Float[Tensor, "*shape"], d_head: int, to: Layout) -> Float[Tensor, "*shape"]:
    """The weight (or bias) of a map to queries or keys for the other layout of rotary positions.

    Args:
        weight: its rows are the coordinates of the heads, one head after the other.
        d_head: width of a head, even; it divides the number of rows.
        to: the layout that is wanted; the weight has the other one.

    Raises:
        ValueError: if the rows are not whole heads of even width.
    """
    if d_head < 2 or d_head % 2 or weight.shape[0] % d_head:
        raise ValueError(f"{weight.shape[0]} rows are not heads of an even width d_head={d_head}")
    heads = weight.unflatten(0, (-1, d_head // 2, 2) if to == "half" else (-1, 2, d_head // 2))
    return heads.transpose(1, 2).flatten(0, 2)
