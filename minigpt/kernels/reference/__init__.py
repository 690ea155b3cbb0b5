"""The operations in plain PyTorch: what runs on a CPU, and what the kernels are held against, in float64 if wanted.

Forward formulas are differentiable by autograd. Backward formulas are written out, as the kernels calculate them.
"""

from __future__ import annotations

import torch
from torch import Tensor


def widened(x: Tensor) -> Tensor:
    """The tensor in float32 where it has fewer digits, else as it is."""
    return x.float() if x.dtype.itemsize < 4 else x


def wide_dtype(x: Tensor) -> torch.dtype:
    """What is calculated in: float32, or float64 for a tensor in float64."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def is_single(*tensors: Tensor | None) -> bool:
    """Whether all are of a type that kernels calculate in float32: float32, bfloat16 or float16."""
    singles = (torch.float32, torch.bfloat16, torch.float16)
    return all(tensor is None or tensor.dtype in singles for tensor in tensors)
