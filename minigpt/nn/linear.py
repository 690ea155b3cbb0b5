"""A linear map of the last dimension."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.nn.init import uniform_


class Linear(nn.Module):
    """`x W^T + b` for every vector `x`, as `torch.nn.Linear`, but with initial weights that a seed decides everywhere.

    Args:
        d_in: width of the vectors that come in, at least 1.
        d_out: width of those that go out, at least 1.
        bias: whether there is a `b`; it begins at zero.
        std: standard deviation of the initial weights (uniform draws).
        generator: where the initial weights are drawn from; `None` takes PyTorch's own, which `torch.manual_seed` sets.

    Raises:
        ValueError: if a width is smaller than 1.
    """

    weight: Float[nn.Parameter, "d_out d_in"]
    bias: Float[nn.Parameter, " d_out"] | None

    def __init__(
        self,
        d_in: int,
        d_out: int,
        *,
        bias: bool = True,
        std: float = 0.02,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if d_in < 1 or d_out < 1:
            raise ValueError(f"d_in={d_in} and d_out={d_out} must both be at least 1")
        self.weight = nn.Parameter(torch.empty(d_out, d_in))
        self.register_parameter("bias", nn.Parameter(torch.empty(d_out)) if bias else None)
        self.std = std
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew, and set the bias to zero."""
        uniform_(self.weight, self.std, generator)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """Map every vector."""
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, for `print(module)`."""
        d_out, d_in = self.weight.shape
        return f"d_in={d_in}, d_out={d_out}, bias={self.bias is not None}"
