"""Vectors that say where a token stands: computed (sinusoidal) or learned, added to the token's own vector."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from minigpt.nn.init import uniform_


def frequencies(d_model: int, base: float = 10000.0) -> Float64[Tensor, " half"]:
    """Angle in radians by which each pair of coordinates turns from one position to the next.

    Pair `i` turns by `base ** (-2 i / d_model)`, so the frequencies fall geometrically from 1 towards `1 / base`
    (Vaswani et al., 2017, section 3.5). Rotary positions (Su et al., 2021) turn by the same angles.

    Args:
        d_model: an even width, at least 2.
        base: larger than 1; the longest wavelength is `2 pi base ** (1 - 2 / d_model)` positions.

    Raises:
        ValueError: if `d_model` is odd or smaller than 2, or `base` is not larger than 1.
    """
    if d_model < 2 or d_model % 2:
        raise ValueError(f"d_model={d_model} must be even and at least 2, because sine and cosine come in pairs")
    if not base > 1:
        raise ValueError(f"base={base} must be larger than 1; with 1 all pairs would turn at the same speed")
    return base ** (-torch.arange(0, d_model, 2, dtype=torch.float64, device="cpu") / d_model)


def sinusoidal(
    n_positions: int, d_model: int, base: float = 10000.0, *, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "n_positions d_model"]:
    """The table of sinusoidal position vectors (Vaswani et al., 2017, section 3.5).

    Row `p` holds `sin(p w_0), cos(p w_0), sin(p w_1), cos(p w_1), ...` with `w = frequencies(d_model, base)`. The table
    is computed in float64 and rounded once: in float32, angles near position 100,000 are off by up to 0.007 radians.

    Args:
        n_positions: number of rows, at least 1; row 0 is position 0.
        d_model: an even width, at least 2.
        base: larger than 1; see `frequencies`.
        dtype: floating-point type of the result.

    Raises:
        ValueError: if a size or the base is out of range.
    """
    if n_positions < 1:
        raise ValueError(f"n_positions={n_positions} must be at least 1")
    positions = torch.arange(n_positions, dtype=torch.float64, device="cpu")
    angles = torch.outer(positions, frequencies(d_model, base))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).to(dtype)


class SinusoidalPositions(nn.Module):
    """Adds sinusoidal position vectors. It has no parameters; the table is not part of a checkpoint.

    Args:
        n_positions: longest sequence, at least 1. Making it larger costs memory, but changes no row.
        d_model: an even width, at least 2.
        base: larger than 1; see `frequencies`.

    Raises:
        ValueError: if a size or the base is out of range.
    """

    table: Float[Tensor, "n_positions d_model"]

    def __init__(self, n_positions: int, d_model: int, base: float = 10000.0) -> None:
        super().__init__()
        self.base = base
        # `empty` follows the default device and dtype, as a parameter would.
        table = torch.empty(n_positions, d_model)
        self.register_buffer("table", table.copy_(sinusoidal(n_positions, d_model, base)), persistent=False)

    def forward(
        self,
        x: Float[Tensor, "*batch time d_model"],
        start: int = 0,
        positions: Int[Tensor, "#batch time"] | None = None,
    ) -> Float[Tensor, "*batch time d_model"]:
        """Add the vectors of positions `start`, `start + 1`, ... to `x`; see `LearnedPositions.forward`."""
        return _added(self.table, x, start, positions)

    def extra_repr(self) -> str:
        """Sizes, for `print(module)`."""
        return f"n_positions={self.table.shape[0]}, d_model={self.table.shape[1]}, base={self.base:g}"


class LearnedPositions(nn.Module):
    """Adds position vectors that are trained like every other weight, one row for each position.

    Positions that training never reached keep their random initial rows, and there is no row at all beyond the last.

    Args:
        n_positions: longest sequence, at least 1 (1,024 in GPT-2).
        d_model: width of the vectors, at least 1.
        std: standard deviation of the initial weights (uniform draws); GPT-2's released code has 0.01.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own, which `torch.manual_seed` sets.

    Raises:
        ValueError: if a size is smaller than 1.
    """

    weight: Float[nn.Parameter, "n_positions d_model"]

    def __init__(
        self, n_positions: int, d_model: int, *, std: float = 0.02, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if n_positions < 1 or d_model < 1:
            raise ValueError(f"n_positions={n_positions} and d_model={d_model} must both be at least 1")
        self.weight = nn.Parameter(torch.empty(n_positions, d_model))
        self.std = std
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights anew."""
        uniform_(self.weight, self.std, generator)

    def forward(
        self,
        x: Float[Tensor, "*batch time d_model"],
        start: int = 0,
        positions: Int[Tensor, "#batch time"] | None = None,
    ) -> Float[Tensor, "*batch time d_model"]:
        """Add the vectors of positions `start`, `start + 1`, ... to `x`.

        Args:
            x: one vector for each token, in order.
            start: position of the first of them; 0 unless `x` continues a text whose beginning was seen before.
            positions: the position of every token, where they do not follow one another; `start` is then not used.

        Raises:
            ValueError: if a position has no row, or the width of `x` is another.
        """
        return _added(self.weight, x, start, positions)

    def extra_repr(self) -> str:
        """Sizes, for `print(module)`."""
        return f"n_positions={self.weight.shape[0]}, d_model={self.weight.shape[1]}"


def _added(table: Tensor, x: Tensor, start: int, positions: Tensor | None) -> Tensor:
    if x.shape[-1] != table.shape[1]:
        raise ValueError(f"x has width {x.shape[-1]}, these position vectors have d_model={table.shape[1]}")
    return x + rows(table, x.shape[-2], start, positions).to(x.dtype)


def rows(
    table: Float[Tensor, "n_positions width"],
    time: int,
    start: int = 0,
    positions: Int[Tensor, "*batch time"] | None = None,
) -> Float[Tensor, "*batch time width"]:
    """The rows of `time` tokens from position `start` on, or of the given positions.

    Raises:
        ValueError: if a position has no row.
        IndexError: if one of the given positions has no row. (A GPU reports this as a device-side assertion.)
    """
    if positions is not None:
        return table[positions]
    n_positions = len(table)
    if start < 0 or start + time > n_positions:
        raise ValueError(
            f"{time} tokens from position {start} need positions {start} to {start + time - 1}, but there are rows 0 "
            f"to {n_positions - 1}; shorten the text, or build the module with a larger n_positions"
        )
    return table[start : start + time]
