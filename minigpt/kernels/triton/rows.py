"""How rows are laid over programs: a tile holds whole rows, several of them where they are short."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

TILE = 4096
"""Elements of a tile of short rows."""

WIDEST = 16384
"""Longest row that one program holds in its registers: with 1,024 threads, 16 numbers each of every array."""


def tile(n: int) -> dict[str, int]:
    """Rows and columns of the tile of a program, and its number of warps: 16 elements a thread.

    Args:
        n: length of a row, at most `WIDEST`.
    """
    block = triton.next_power_of_2(n)
    rows = max(1, TILE // block)
    return {"ROWS": rows, "BLOCK": block, "num_warps": min(32, max(4, rows * block // 512))}


def as_rows(x: Tensor) -> Tensor:
    """The tensor as a matrix of its last dimension, each row in one piece; a copy only where there is no other way.

    Args:
        x: at least one dimension.
    """
    flat = x.reshape(-1, x.shape[-1]) if x.numel() else x.new_empty(0, x.shape[-1])
    return flat if flat.stride(-1) == 1 or flat.shape[-1] == 1 else flat.contiguous()


def workers(device: torch.device, rows: int, rows_of_tile: int) -> int:
    """How many programs share a sum over rows: two on each multiprocessor, and no more than there are tiles.

    On a CPU there are three, so that the interpreter goes through the same steps.
    """
    most = 3 if device.type == "cpu" else 2 * torch.cuda.get_device_properties(device).multi_processor_count
    return max(1, min(most, triton.cdiv(rows, rows_of_tile)))


def like(x: Tensor) -> Tensor:
    """New memory for a tensor of the same shape and type, in one piece."""
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def per_row(x: Tensor) -> Tensor:
    """New memory for one number in float32 for each row."""
    return torch.empty(x.shape[:-1], dtype=torch.float32, device=x.device)
