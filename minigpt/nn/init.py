"""Initial weights that are the same numbers on every machine."""

from __future__ import annotations

import math

import torch
from torch import Tensor


@torch.no_grad()
def uniform_(tensor: Tensor, std: float, generator: torch.Generator | None = None) -> Tensor:
    """Fill `tensor` in place with uniform draws of mean 0 and standard deviation `std`.

    The draws are made on the CPU in float32 and then moved, so that one seed gives one set of weights, whatever the
    device and (up to its rounding) the dtype. They are uniform because PyTorch's normal draws depend on the vector
    unit of the CPU; the trained models do not notice the difference, since only the variance matters.

    Args:
        tensor: any floating-point tensor; one on the `meta` device is left as it is.
        std: standard deviation; the draws lie in `[-sqrt(3) std, sqrt(3) std)`.
        generator: a CPU generator; `None` takes PyTorch's own, which `torch.manual_seed` sets.

    Raises:
        ValueError: if `std` is negative or no number.
    """
    if not 0 <= std < math.inf:
        raise ValueError(f"std={std} is not a standard deviation; it must be a finite number that is at least 0")
    if tensor.is_meta:
        return tensor
    bound = math.sqrt(3) * std
    # Draws from 0 to 1 are the same everywhere, and the subtraction is exact. Draws from `-bound` to `bound` are not: a
    # CPU that multiplies and adds in one step rounds once, another twice.
    draws = torch.empty(tensor.shape, dtype=torch.float32, device="cpu").uniform_(generator=generator)
    return tensor.copy_(draws.sub_(0.5).mul_(2 * bound))
