"""What an interpreted kernel does with memory: the bytes it moves, and overruns and races that go unseen otherwise.

The interpreter reads and writes wherever a pointer points, and runs programs one after the other, so that a kernel that
is wrong on a GPU may be right there. Within `watch` every address is looked at: does it lie in one of the tensors that
the kernel was given, and did another program write it?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from triton.runtime.interpreter import TensorHandle

from minigpt.kernels.interpret import Builder, built_by


@dataclass
class Record:
    """What was seen of all launches within a `watch`.

    Attributes:
        loaded: bytes that programs loaded; a number that two programs load counts twice. What a mask hides does not
            count. Caches are not known here: on a GPU a part of these bytes comes from them.
        stored: bytes that programs stored, likewise.
        products: floating-point operations of `tl.dot`, two for each multiplication and addition.
        overruns: a line for each load or store outside of all tensors of a launch.
        races: a line for each launch in which a program stored where another one loaded or stored. Atomic operations
            are left out; a kernel whose programs wait for each other by them is not understood.
    """

    loaded: int = 0
    stored: int = 0
    products: int = 0
    overruns: list[str] = field(default_factory=list)
    races: list[str] = field(default_factory=list)


class _Watcher(Builder):
    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record

    def begin(self, name: str, arguments: Iterable[Any]) -> None:
        self.name, self.program, self.number = name, (0, 0, 0), 0
        self.loads: list[tuple[int, np.ndarray]] = []
        self.stores: list[tuple[int, np.ndarray]] = []
        places = sorted(extent(x) for x in _tensors(arguments))
        self.starts = np.array([start for start, _ in places], dtype=np.uint64)
        # Tensors may overlap: how far all that begin up to here reach.
        self.ends = np.maximum.accumulate(np.array([end for _, end in places], dtype=np.uint64))

    def set_grid_idx(self, x: int, y: int, z: int) -> None:
        super().set_grid_idx(x, y, z)
        self.program, self.number = (x, y, z), self.number + 1

    def end(self) -> None:
        writers = _by_place(self.stores)
        readers = _by_place(self.loads)
        if not len(writers):
            return
        places, first, count = np.unique(writers[:, 0], return_index=True, return_counts=True)
        shared = int((count > 1).sum())
        if shared:
            self.record.races.append(f"{self.name}: {shared} places are stored by several programs")
        if len(readers):
            at = np.minimum(np.searchsorted(places, readers[:, 0]), len(places) - 1)
            foreign = (places[at] == readers[:, 0]) & ((writers[first[at], 1] != readers[:, 1]) | (count[at] > 1))
            others = len(np.unique(readers[foreign, 0]))
            if others:
                self.record.races.append(f"{self.name}: {others} places that a program loads are stored by another one")

    def create_masked_load(self, ptrs, mask, other, *how, **named):
        """Load, but only from within tensors."""
        mask = self._inside("load", ptrs, mask)
        self.record.loaded += int(mask.data.sum()) * _width(ptrs)
        self.loads.append((self.number, np.unique(ptrs.data[mask.data])))
        return super().create_masked_load(ptrs, mask, other, *how, **named)

    def create_masked_store(self, ptrs, value, mask, *how, **named):
        """Store, but only within tensors."""
        mask = self._inside("store", ptrs, mask)
        self.record.stored += int(mask.data.sum()) * _width(ptrs)
        self.stores.append((self.number, np.unique(ptrs.data[mask.data])))
        return super().create_masked_store(ptrs, value, mask, *how, **named)

    def create_atomic_rmw(self, rmwOp, ptr, val, mask, *how):
        """Read, change and write as one step, but only within tensors."""
        mask = self._inside("atomic operation", ptr, mask)
        moved = int(mask.data.sum()) * _width(ptr)
        self.record.loaded += moved
        self.record.stored += moved
        return super().create_atomic_rmw(rmwOp, ptr, val, mask, *how)

    def create_dot(self, a, b, d, *precision):
        """Product of two matrices, added to a third."""
        *batch, rows, inner = a.data.shape
        self.record.products += 2 * int(np.prod(batch)) * rows * inner * b.data.shape[-1]
        return super().create_dot(a, b, d, *precision)

    def _inside(self, what: str, ptrs: TensorHandle, mask: TensorHandle) -> TensorHandle:
        asked = np.broadcast_to(mask.data, ptrs.data.shape)
        inside = np.zeros(ptrs.data.shape, dtype=bool)
        if len(self.starts):
            at = np.searchsorted(self.starts, ptrs.data, side="right").astype(int) - 1
            width = np.uint64(_width(ptrs))
            inside = (at >= 0) & (ptrs.data + width <= self.ends[np.maximum(at, 0)])
        outside = int((asked & ~inside).sum())
        if outside:
            where = f"{self.name}, program {self.program}"
            self.record.overruns.append(f"{where}: {outside} of {asked.sum()} places of a {what} lie in no tensor")
        return TensorHandle(asked & inside, mask.dtype)


def extent(x: torch.Tensor) -> tuple[int, int]:
    """Where a tensor begins in memory, and where it ends; gaps between its rows count as parts of it."""
    if not x.numel():
        return x.data_ptr(), x.data_ptr()
    last = sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True))
    return x.data_ptr(), x.data_ptr() + (last + 1) * x.element_size()


def _tensors(arguments: Iterable[Any]) -> Iterator[torch.Tensor]:
    for argument in arguments:
        found = getattr(argument, "base", argument)  # a descriptor has its tensor as a base
        if isinstance(found, torch.Tensor):
            yield found


def _width(ptrs: TensorHandle) -> int:
    return max(1, ptrs.get_element_ty().primitive_bitwidth // 8)


def _by_place(accesses: list[tuple[int, np.ndarray]]) -> np.ndarray:
    # Pairs of address and program, each once, sorted.
    if not accesses:
        return np.empty((0, 2), dtype=np.uint64)
    places = np.concatenate([found.ravel() for _, found in accesses]).astype(np.uint64)
    programs = np.concatenate([np.full(found.size, number, dtype=np.uint64) for number, found in accesses])
    return np.unique(np.stack([places, programs], axis=1), axis=0)


@contextmanager
def watch() -> Iterator[Record]:
    """Look at every load and store of the kernels that are interpreted within a `with` block.

    What lies outside of all tensors of a launch is recorded, and neither read nor written. An overrun from one tensor
    into another one of the same launch is not seen, nor one into the gaps between the rows of a tensor.
    """
    record = Record()
    with built_by(lambda: _Watcher(record)):
        yield record
