"""Tensor descriptors: from Hopper on, a GPU fetches whole tiles by itself (TMA) from tensors that lie as it asks.

This module imports Triton; only what launches its kernels uses it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from minigpt.kernels.dispatch import capability


def capability_of(x: Tensor) -> tuple[int, int]:
    """The compute capability for which tiles are chosen; that of an H100 where a kernel is interpreted on a CPU."""
    return capability(x.device) if x.is_cuda else (9, 0)


def describable(x: Tensor) -> bool:
    """Whether a tensor can be fetched by descriptor.

    The device must have the hardware, the numbers 16 bits or 8, the last dimension no gaps, and every other step and
    the beginning must be multiples of 16 bytes. An empty tensor cannot, nor one that repeats a dimension.
    """
    steps = x.stride()[:-1]
    return (
        capability_of(x) >= (9, 0)
        and x.element_size() <= 2
        and x.numel() > 0
        and x.stride(-1) == 1
        and x.data_ptr() % 16 == 0
        and all(step > 0 and step * x.element_size() % 16 == 0 for step in steps)
    )


def descriptor(x: Tensor, block: list[int]) -> TensorDescriptor:
    """A descriptor that fetches blocks of this shape; past the ends of the tensor it gives zeros."""
    return TensorDescriptor.from_tensor(x, block)


def empty(x: Tensor, *size: int, dtype: torch.dtype | None = None) -> Tensor:
    """New memory beside a tensor, of its type unless another is given."""
    return torch.empty(size, dtype=dtype or x.dtype, device=x.device)
