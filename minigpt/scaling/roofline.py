"""The roofline: how fast a device can be at an operation, from how many bytes the operation moves.

A device multiplies and adds at a rate of its own, and its memory brings numbers at another. An operation that does `I`
floating-point operations for each byte that it moves cannot be faster than either allows (Williams et al., 2009).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from minigpt.scaling.operations import Operation


@dataclass(frozen=True)
class Device:
    """A device as the roofline sees it.

    Args:
        name: what it is called.
        flops: floating-point operations a second, at most; of which type of numbers, the name should say.
        bandwidth: bytes a second between its memory and its processor, at most.

    Raises:
        ValueError: if a number is not above 0.
    """

    name: str
    flops: float
    bandwidth: float

    def __post_init__(self) -> None:
        if not (self.flops > 0 and self.bandwidth > 0):
            raise ValueError(f"{self.name}: flops={self.flops} and bandwidth={self.bandwidth} must both be above 0")

    @property
    def ridge(self) -> float:
        """Where the roof bends, in operations a byte: below, memory is the limit, above, arithmetic."""
        return self.flops / self.bandwidth

    def attainable(self, intensity: float) -> float:
        """Operations a second, at most: `min(flops, intensity * bandwidth)` (Williams et al., 2009, section 3).

        Args:
            intensity: floating-point operations for each byte moved, at least 0.

        Raises:
            ValueError: if it is below 0.
        """
        if not intensity >= 0:
            raise ValueError(f"intensity={intensity} must be at least 0: operations divided by bytes")
        return min(self.flops, intensity * self.bandwidth)

    def seconds(self, operations: Operation | Iterable[Operation]) -> float:
        """The least time for one operation, or for several one after the other: the larger of both limits for each."""
        if isinstance(operations, Operation):
            return max(operations.flops / self.flops, operations.bytes / self.bandwidth)
        return sum(self.seconds(operation) for operation in operations)


DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        "T4": Device("T4, float16", 65e12, 320e9),
        "A100": Device("A100 SXM 80 GB, bfloat16", 312e12, 2039e9),
        "H100": Device("H100 SXM, bfloat16", 989e12, 3350e9),
        "H200": Device("H200 SXM, bfloat16", 989e12, 4800e9),
    }
)
"""What data sheets of NVIDIA promise for products of matrices in 16 bits on tensor cores, without sparsity (the sheets
of H100 and H200 print twice the rate, with it). These are promises: no program reaches them, and nothing here was
measured."""
