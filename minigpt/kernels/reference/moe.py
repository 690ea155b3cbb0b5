"""Products of rows with the matrix of the expert they were sent to, in plain PyTorch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def grouped_matmul(
    x: Float[Tensor, "tokens k"],
    weights: Float[Tensor, "experts k n"],
    tokens: Int[Tensor, " rows"],
    ends: Int[Tensor, " experts"],
) -> Float[Tensor, "rows n"]:
    """`x[tokens[r]] weights[e]` for each row `r` of expert `e`, one product for each expert.

    Args:
        x: one vector for each token.
        weights: one matrix for each expert.
        tokens: which vector a row takes; the rows of an expert follow one another.
        ends: where the rows of each expert end.
    """
    pieces = zip(_pieces(x[tokens], ends), weights, strict=True)
    return torch.cat([piece @ weight for piece, weight in pieces])


def grouped_weight_gradient(
    grad: Float[Tensor, "rows n"],
    x: Float[Tensor, "tokens k"],
    tokens: Int[Tensor, " rows"],
    ends: Int[Tensor, " experts"],
) -> Float[Tensor, "experts k n"]:
    """The gradient of the weights: for each expert the product of its rows, transposed, and of their gradients.

    Args:
        grad: gradient of the results.
        x: as in the forward pass; so are the rest.
        tokens: likewise.
        ends: likewise.
    """
    pieces = zip(_pieces(x[tokens], ends), _pieces(grad, ends), strict=True)
    return torch.stack([piece.mT @ slope for piece, slope in pieces])


def _pieces(rows: Tensor, ends: Tensor) -> tuple[Tensor, ...]:
    return rows.tensor_split(ends.cpu()[:-1])
