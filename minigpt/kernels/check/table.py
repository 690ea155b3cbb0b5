"""The budgets: what an architecture has, what a compiled kernel may take of it, and what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """A generation of GPUs.

    Args:
        name: a card that has it.
        shared: most shared memory of a block, in bytes (CUDA C++ programming guide, table of compute capabilities).
        matrix: the instruction of PTX by which Triton multiplies matrices there; `None` where it uses none.
    """

    name: str
    shared: int
    matrix: str | None


ARCHITECTURES: Mapping[int, Architecture] = {
    75: Architecture("T4", 64 << 10, None),
    80: Architecture("A100", 163 << 10, "mma.sync"),
    90: Architecture("H100, H200", 227 << 10, "wgmma.mma_async"),
    100: Architecture("B200", 227 << 10, "tcgen05.mma"),
    120: Architecture("RTX 5090", 99 << 10, "mma.sync"),
}
"""By compute capability without the dot. 7.5 has tensor cores, but Triton 3.6 to 3.9 leaves them idle."""

MATRIX_INSTRUCTIONS = ("tcgen05.mma", "wgmma.mma_async", "wmma.mma", "mma.sync")
"""Those of PTX that multiply matrices, the most recent first, but for `wmma.mma.sync`, which holds another's name."""

REGISTERS = 255
"""Most registers of a thread, on every architecture; what does not fit spills to local memory."""


@dataclass(frozen=True)
class Compilation:
    """One way in which a Triton kernel is compiled, and what it may take.

    Args:
        kernel: the function under `@triton.jit`.
        types: type of each argument that is not a constant, as Triton writes it: `"*bf16"` for a pointer (taken to be
            aligned to 16 bytes, as PyTorch's tensors are), `"i32"`, `"fp32"`; `"i32:16"` for a multiple of 16. On 7.5,
            which has no bfloat16, `bf16` is read as `fp16`.
        constants: value of each argument under `tl.constexpr`, and of each that is specialised, as strides of 1 are.
        num_warps: warps of a program.
        num_stages: depth of the software pipeline.
        architectures: for which it is compiled.
        matrix: whether it multiplies matrices, and so must hold the instruction of its architecture.
        warp_level: whether its tiles are too small for the instructions of Hopper and Blackwell, so that `mma.sync`
            is what it must hold there too.
        registers: most registers of a thread; lower than the hardware's limit only where the kernel needs several
            programs on a multiprocessor at a time.
        local: most bytes of local memory of a thread: what spills.
        label: tells it from other compilations of the kernel.
    """

    kernel: Any
    types: Mapping[str, str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    num_warps: int = 4
    num_stages: int = 3
    architectures: tuple[int, ...] = tuple(ARCHITECTURES)
    matrix: bool = False
    warp_level: bool = False
    registers: int = REGISTERS
    local: int = 0
    label: str = ""

    def __post_init__(self) -> None:
        given, wanted = {*self.types, *self.constants}, set(self.kernel.arg_names)
        if given != wanted:
            raise ValueError(
                f"{self.name}: no type or value for {sorted(wanted - given)}, or no argument {sorted(given - wanted)}"
            )
        if unknown := set(self.architectures) - set(ARCHITECTURES):
            raise ValueError(f"{self.name}: architectures {sorted(unknown)} are not in the table")

    @property
    def name(self) -> str:
        """Of the kernel, and the label."""
        return self.kernel.__name__ + (f" {self.label}" if self.label else "")


@dataclass(frozen=True)
class Usage:
    """What a compiled kernel takes.

    Args:
        registers: of a thread.
        local: bytes of local memory of a thread.
        shared: bytes of shared memory of a block.
        matrix: the instruction by which it multiplies matrices, if any.
    """

    registers: int
    local: int
    shared: int
    matrix: str | None


@dataclass(frozen=True)
class Task:
    """A compilation for one architecture, with what it may take.

    Args:
        name: of the kernel.
        architecture: compute capability without the dot.
        run: compiles it.
        matrix: the instruction that it must hold; `None` if it must hold none.
        registers: most registers of a thread.
        local: most bytes of local memory of a thread.
    """

    name: str
    architecture: int
    run: Callable[[], Usage]
    matrix: str | None = None
    registers: int = REGISTERS
    local: int = 0

    def faults(self, usage: Usage) -> list[str]:
        """Where a compiled kernel is over its budget; empty if it is not."""
        shared = ARCHITECTURES[self.architecture].shared
        found = [
            f"{amount} {what}, over the budget of {budget}"
            for what, amount, budget in (
                ("registers", usage.registers, self.registers),
                ("bytes of local memory", usage.local, self.local),
                ("bytes of shared memory", usage.shared, shared),
            )
            if amount > budget
        ]
        if usage.matrix != self.matrix:
            found.append(f"{usage.matrix or 'no matrix instruction'} where {self.matrix or 'none'} is expected")
        return found


def matrix_instruction(ptx: str) -> str | None:
    """The instruction by which a program in PTX multiplies matrices, if any."""
    return next((name for name in MATRIX_INSTRUCTIONS if name in ptx), None)
