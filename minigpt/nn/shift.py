"""Token shift: what a position looks with is mixed with what the position before it has."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minigpt.nn.attention import Attention
from minigpt.nn.cache import LayerCache


class TokenShift(nn.Module):
    """`(1 - m) x_t + m x_{t-1}` with a learned share `m` for each coordinate (Peng et al., 2023, equations 11 to 13).

    To copy what followed a word the last time, attention needs keys that know the word before them; without a shift a
    layer of its own has to bring it there (Olsson et al., 2022, who mix keys alone: "smeared keys").

    Args:
        d_model: width of the vectors, at least 1.
        share: the share of the position before, from which training starts.
    """

    def __init__(self, d_model: int, share: float = 0.5) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.full((d_model,), share))

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        *,
        positions: Int[Tensor, "#batch time"] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """Mix every vector with the one before it; the first has zeros before it.

        Args:
            x: one vector for each position.
            positions: the position of every token; where it is 0 a text begins, and zeros stand before it.
            cache: it remembers the last vector between calls.
        """
        before = torch.zeros_like(x[:, :1]) if cache is None else cache.shift(x)
        before = torch.cat([before, x[:, :-1]], dim=1)
        if positions is not None:
            before = before * (positions != 0).unsqueeze(-1)
        return torch.lerp(x, before, self.share)


class ShiftedAttention(Attention):
    """Attention behind a token shift; the arguments are those of `Attention`."""

    def __init__(self, d_model: int, n_heads: int, **options) -> None:
        super().__init__(d_model, n_heads, **options)
        self.shift = TokenShift(d_model)

    def forward(
        self,
        x: Float[Tensor, "batch queries d_model"],
        *,
        mask: Bool[Tensor, "#batch #heads #queries keys"] | None = None,
        positions: Int[Tensor, "#batch queries"] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch queries d_model"]:
        """Shift, then let the positions attend to one another; the arguments are those of `Attention.forward`."""
        x = self.shift(x, positions=positions, cache=cache)
        return super().forward(x, mask=mask, positions=positions, cache=cache)
