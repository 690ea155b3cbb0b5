"""Rotary positions in plain PyTorch."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels.reference import widened

Layout = Literal["half", "interleaved"]


def rotary(
    x: Float[Tensor, "batch time heads d_head"],
    cosine: Float[Tensor, "#batch time half"],
    sine: Float[Tensor, "#batch time half"],
    layout: Layout = "half",
) -> Float[Tensor, "batch time heads d_head"]:
    """Turn each pair `(a, b)` of coordinates to `(a cos - b sin, b cos + a sin)` (Su et al., 2021, equation 34).

    Args:
        x: queries or keys.
        cosine: of the angle of each pair, by position.
        sine: the same.
        layout: `"half"` pairs `(0, d/2), (1, d/2 + 1), ...`, `"interleaved"` pairs `(0, 1), (2, 3), ...`.
    """
    wide = widened(x)
    cosine, sine = (table.unsqueeze(-2).to(wide.dtype) for table in (cosine, sine))
    if layout == "half":
        first, second = wide.chunk(2, dim=-1)
    else:
        first, second = wide[..., 0::2], wide[..., 1::2]
    turned = first * cosine - second * sine, second * cosine + first * sine
    return (torch.cat(turned, -1) if layout == "half" else torch.stack(turned, -1).flatten(-2)).to(x.dtype)
