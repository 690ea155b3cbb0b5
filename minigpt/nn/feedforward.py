"""The feed-forward network: two linear maps with an activation between them, for each position alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.kernels import activation as kernels
from minigpt.kernels.dispatch import asked_for
from minigpt.nn.linear import Linear

Activation = Callable[[Tensor], Tensor]


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`x P(X <= x)` for a standard normal `X` (Hendrycks and Gimpel, 2016, section 2)."""
    return kernels.gelu(x) if asked_for() else F.gelu(x)


def gelu_tanh(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, the form of GELU in GPT-2 (section 2 of the same paper)."""
    return kernels.gelu(x, "tanh") if asked_for() else F.gelu(x, approximate="tanh")


def gelu_sigmoid(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`x sigmoid(1.702 x)`, the coarser form of GELU (section 2 of the same paper)."""
    return x * torch.sigmoid(1.702 * x)


def identity(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`x`, for the gated network without an activation, called bilinear (Shazeer, 2020, equation 5)."""
    return x


ACTIVATIONS: dict[str, Activation] = {
    "relu": F.relu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "gelu_sigmoid": gelu_sigmoid,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "identity": identity,
}
"""Name to function. `silu` is `x sigmoid(x)`."""


def activation_of(name: str) -> Activation:
    """The activation of a name.

    Raises:
        ValueError: if there is none.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation={name!r} is not known; use one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


class FeedForward(nn.Module):
    """`f(x W_1 + b_1) W_2 + b_2` (Vaswani et al., 2017, equation 2).

    Args:
        d_model: width of the vectors, at least 1.
        d_ff: width inside, at least 1; by convention `4 * d_model`.
        activation: a name in `ACTIVATIONS`.
        bias: whether both maps have one.
        std: standard deviation of the initial weights (uniform draws).
        std_out: the same for the map back to `d_model`; by default `std`.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own, which `torch.manual_seed` sets.

    Raises:
        ValueError: if a width is smaller than 1, or the activation is not known.
    """

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        *,
        activation: str = "gelu_tanh",
        bias: bool = True,
        std: float = 0.02,
        std_out: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.activation = activation_of(activation)
        self.up = Linear(d_model, d_ff, bias=bias, std=std, generator=generator)
        self.down = Linear(d_ff, d_model, bias=bias, std=std if std_out is None else std_out, generator=generator)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """Apply the network to every vector."""
        return self.down(self.activation(self.up(x)))


class GatedFeedForward(nn.Module):
    """`(f(x W_gate) * (x W_up)) W_down`: one half of the inner vector opens or closes the other (Shazeer, 2020).

    With `silu` this is SwiGLU (equation 6), with `gelu` GEGLU, with `relu` ReGLU, with `sigmoid` GLU, with `identity`
    the bilinear network. Three maps in place of two: for the same number of parameters, `d_ff` is two thirds as large.

    Args:
        d_model: width of the vectors, at least 1.
        d_ff: width inside, at least 1.
        activation: a name in `ACTIVATIONS`, for the gate.
        bias: whether the maps have one.
        std: standard deviation of the initial weights (uniform draws).
        std_out: the same for the map back to `d_model`; by default `std`.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own, which `torch.manual_seed` sets.

    Raises:
        ValueError: if a width is smaller than 1, or the activation is not known.
    """

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        *,
        activation: str = "silu",
        bias: bool = False,
        std: float = 0.02,
        std_out: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.activation = activation_of(activation)
        self.gate = Linear(d_model, d_ff, bias=bias, std=std, generator=generator)
        self.up = Linear(d_model, d_ff, bias=bias, std=std, generator=generator)
        self.down = Linear(d_ff, d_model, bias=bias, std=std if std_out is None else std_out, generator=generator)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """Apply the network to every vector."""
        gate, up = self.gate(x), self.up(x)
        if self.activation is F.silu and asked_for():
            return self.down(kernels.swiglu(gate, up))
        return self.down(self.activation(gate) * up)
