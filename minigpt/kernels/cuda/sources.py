"""Reads the kernels out of a CUDA C++ source, and turns Python's arguments into theirs."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

LADDER = Path(__file__).parent / "ladder"
"""The folder of the kernels of chapter 25."""

TYPES = {
    "float": torch.float32,
    "double": torch.float64,
    "__half": torch.float16,
    "half": torch.float16,
    "__nv_bfloat16": torch.bfloat16,
    "int": torch.int32,
}
"""What a pointer may point to, and the dtype of the tensor that is given for it."""

NUMBERS = {"int": ctypes.c_int, "unsigned": ctypes.c_uint, "float": ctypes.c_float, "double": ctypes.c_double}
KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(([^)]*)\)')


@dataclass(frozen=True)
class Parameter:
    """A parameter of a kernel.

    Args:
        name: as in the source.
        type: without `const`, `*` and `__restrict__`.
        pointer: whether it is a pointer to global memory.
        constant: whether what it points to is only read.
    """

    name: str
    type: str
    pointer: bool
    constant: bool

    @property
    def declared(self) -> str:
        """The type in C++."""
        return f"{'const ' if self.constant else ''}{self.type}{'*' if self.pointer else ''}"


@dataclass(frozen=True)
class Signature:
    """The name of a kernel and its parameters."""

    name: str
    parameters: tuple[Parameter, ...]


def _parameter(text: str, kernel: str) -> Parameter:
    found = re.fullmatch(r"\s*(const\s+)?(\w+)\s*(\*?)\s*(?:__restrict__\s*)?(\w+)\s*", text)
    if not found or found[2] not in (TYPES if found[3] else NUMBERS):
        raise ValueError(
            f"kernel {kernel}: cannot read the parameter {' '.join(text.split())!r}; "
            f"give a number ({', '.join(NUMBERS)}) or a pointer to one of {', '.join(TYPES)}"
        )
    return Parameter(found[4], found[2], bool(found[3]), bool(found[1]))


def signatures(source: str) -> dict[str, Signature]:
    """The kernels of a source by name: every `extern "C" __global__ void`.

    Args:
        source: CUDA C++.

    Raises:
        ValueError: if there is none, or a parameter has a type that Python's arguments cannot be turned into.
    """
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.S)
    found = {
        name: Signature(name, tuple(_parameter(text, name) for text in parameters.split(",") if text.strip()))
        for name, parameters in KERNEL.findall(code)
    }
    if not found:
        raise ValueError('no kernel in the source: write `extern "C" __global__ void name(...)`')
    return found


def triple(size: int | Sequence[int], what: str) -> tuple[int, int, int]:
    """The x, y and z of a grid or of a block.

    Args:
        size: one to three numbers of at least 1.
        what: their name in an error.

    Raises:
        ValueError: if they are not that.
    """
    numbers = (size,) if isinstance(size, int) else tuple(size)
    if not 1 <= len(numbers) <= 3 or not all(isinstance(n, int) and n >= 1 for n in numbers):
        raise ValueError(f"{what}={size!r}: expected one to three whole numbers of at least 1, for x, y and z")
    return (*numbers, *(1,) * (3 - len(numbers)))


def check_block(block: tuple[int, int, int]) -> None:
    """Raise a `ValueError` if a block has more than the 1024 threads that a GPU allows."""
    threads = block[0] * block[1] * block[2]
    if threads > 1024:
        raise ValueError(f"block={block} has {threads} threads; a block has at most 1024")


def c_arguments(signature: Signature, arguments: Sequence[Any], device: str) -> list[Any]:
    """Arguments as ctypes values: tensors as the address of their first number.

    Args:
        signature: what the kernel takes.
        arguments: contiguous tensors for pointers, numbers for numbers.
        device: `"cpu"` or `"cuda"`: where the tensors must be.

    Raises:
        ValueError: if there are too many or too few, or one is of the wrong kind.
    """
    kernel, wanted = signature.name, signature.parameters
    if len(arguments) != len(wanted):
        names = ", ".join(p.name for p in wanted)
        raise ValueError(f"{kernel} takes {len(wanted)} arguments ({names}), {len(arguments)} were given")
    values: list[Any] = []
    for parameter, value in zip(wanted, arguments, strict=True):
        said = f"{kernel}: argument {parameter.name} ({parameter.declared})"
        if not parameter.pointer:
            whole = parameter.type in ("int", "unsigned")
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise ValueError(f"{said} must be a number of Python, {type(value).__name__} was given")
            if whole and not (-(2**31) if parameter.type == "int" else 0) <= value < 2**32 >> (parameter.type == "int"):
                raise ValueError(f"{said}: {value} does not fit into 32 bits")
            values.append(NUMBERS[parameter.type](value))
            continue
        if not isinstance(value, Tensor):
            raise ValueError(f"{said} must be a tensor, {type(value).__name__} was given")
        if value.dtype != TYPES[parameter.type]:
            raise ValueError(f"{said} needs dtype {TYPES[parameter.type]}, the tensor has {value.dtype}")
        if value.device.type != device:
            raise ValueError(f"{said} must be on {device}, the tensor is on {value.device}")
        if not value.is_contiguous():
            raise ValueError(f"{said} must be contiguous; call .contiguous() first")
        values.append(ctypes.c_void_p(value.data_ptr()))
    return values


def pointers(values: Sequence[Any]) -> Any:
    """An array of the addresses of ctypes values, which both launchers expect; the values must live as long as it."""
    return (ctypes.c_void_p * max(1, len(values)))(*(ctypes.addressof(value) for value in values))
