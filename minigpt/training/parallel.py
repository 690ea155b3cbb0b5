"""Several processes that train one model, each on its part of every batch (data parallel).

`torchrun --nproc-per-node 2 -m minigpt train ...` starts them and tells each its rank by environment variables. All
hold the same weights; the gradients are summed before each step, so that the weights stay the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class World:
    """The processes of a run.

    Args:
        rank: number of this process, from 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes files and progress."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """The sum of a tensor over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over all processes, in one exchange."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        torch._foreach_copy_(
            gradients,
            [
                part.view_as(gradient)
                for part, gradient in zip(flat.split([g.numel() for g in gradients]), gradients, strict=True)
            ],
        )

    def share(self, value: Any) -> Any:
        """The first process's value, in every process; any object that pickle knows."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


def join_world(device: torch.device | str = "cpu") -> World:
    """The world that `torchrun` describes; one process where it did not start us.

    Args:
        device: where the model is: it decides how processes talk (`gloo` between CPUs, `nccl` between GPUs).
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World()
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.device(device).type == "cuda" else "gloo")
    return World(dist.get_rank(), size)


def leave_world(world: World) -> None:
    """End the exchange between processes."""
    if world.size > 1 and dist.is_initialized():
        dist.destroy_process_group()
