"""How many blocks, and so how many warps, a multiprocessor of a GPU can hold at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Multiprocessor:
    """What a streaming multiprocessor has (CUDA C++ programming guide, technical specifications by compute capability).

    Args:
        threads: most threads at a time.
        blocks: most blocks at a time.
        shared: bytes of shared memory for all of its blocks.
        shared_per_block: most bytes of shared memory of one block.
        reserved: bytes of shared memory that the system takes for each block.
        registers: 32-bit registers for all of its threads.
    """

    threads: int
    blocks: int
    shared: int
    shared_per_block: int
    reserved: int
    registers: int = 65536


MULTIPROCESSORS: Mapping[int, Multiprocessor] = {
    75: Multiprocessor(threads=1024, blocks=16, shared=64 << 10, shared_per_block=64 << 10, reserved=0),
    80: Multiprocessor(threads=2048, blocks=32, shared=164 << 10, shared_per_block=163 << 10, reserved=1 << 10),
    90: Multiprocessor(threads=2048, blocks=32, shared=228 << 10, shared_per_block=227 << 10, reserved=1 << 10),
    100: Multiprocessor(threads=2048, blocks=32, shared=228 << 10, shared_per_block=227 << 10, reserved=1 << 10),
    120: Multiprocessor(threads=1536, blocks=24, shared=100 << 10, shared_per_block=99 << 10, reserved=1 << 10),
}
"""By compute capability without the dot: 75 is a T4, 80 an A100, 90 an H100 or H200, 100 a B200, 120 an RTX 5090."""

WARP = 32
REGISTER_UNIT = 256
"""A warp gets registers in multiples of so many."""
SHARED_UNIT = {75: 256, 80: 128, 90: 128, 100: 128, 120: 128}
"""A block gets shared memory in multiples of so many bytes."""


@dataclass(frozen=True)
class Occupancy:
    """What a multiprocessor holds of a kernel.

    Args:
        blocks: at a time.
        warps: at a time, of all blocks.
        share: warps by the most that there could be.
        limits: most blocks by each of the four limits: `"threads"`, `"blocks"`, `"registers"`, `"shared memory"`.
    """

    blocks: int
    warps: int
    share: float
    limits: Mapping[str, int]

    @property
    def limited_by(self) -> tuple[str, ...]:
        """The names of the limits that decide."""
        return tuple(name for name, blocks in self.limits.items() if blocks == self.blocks)


def _up(number: int, unit: int) -> int:
    return -(-number // unit) * unit


def occupancy(architecture: int, threads: int, registers: int, shared: int = 0) -> Occupancy:
    """Blocks and warps of a kernel on one multiprocessor.

    Each of four limits allows a number of blocks, and the smallest decides: threads, blocks, registers (which a warp
    gets in units of 256), and shared memory.

    Args:
        architecture: compute capability without the dot.
        threads: of a block, 1 to 1024.
        registers: of a thread, 1 to 255, as the compiler reports them.
        shared: bytes of shared memory of a block, static and dynamic.

    Raises:
        ValueError: if the architecture is not in the table, or no GPU of it could start such a block.
    """
    if architecture not in MULTIPROCESSORS:
        raise ValueError(f"architecture={architecture} is not in the table; there are {sorted(MULTIPROCESSORS)}")
    sm = MULTIPROCESSORS[architecture]
    for name, value, low, high in (
        ("threads", threads, 1, 1024),
        ("registers", registers, 1, 255),
        ("shared", shared, 0, sm.shared_per_block),
    ):
        if not low <= value <= high:
            raise ValueError(f"{name}={value} of a block: expected {low} to {high} on architecture {architecture}")
    warps = -(-threads // WARP)
    most_warps = sm.threads // WARP
    # Each of the four schedulers has a quarter of the registers, and a warp lives with one of them.
    warps_by_registers = sm.registers // 4 // _up(registers * WARP, REGISTER_UNIT) * 4
    taken = _up(shared + sm.reserved, SHARED_UNIT[architecture])
    limits = {
        "threads": most_warps // warps,
        "blocks": sm.blocks,
        "registers": warps_by_registers // warps,
        "shared memory": sm.shared // taken if taken else sm.blocks,
    }
    blocks = min(limits.values())
    if not blocks:
        raise ValueError(
            f"a block of {threads} threads with {registers} registers each exceeds the {sm.registers} registers "
            "of a multiprocessor; use fewer threads, or __launch_bounds__"
        )
    return Occupancy(blocks, blocks * warps, blocks * warps / most_warps, limits)
