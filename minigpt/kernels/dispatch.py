"""Which implementation of an operation runs: the reference in PyTorch, the Triton kernel, or the one in CUDA C++.

By default it follows from the tensors: the reference on a CPU, Triton on a GPU that it serves well. The environment
variable `MINIGPT_KERNELS` or the context manager `use` force one instead.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from torch import Tensor

Choice = Literal["auto", "torch", "triton", "interpret", "cuda"]
"""What can be asked for. `"interpret"` is the Triton kernel on CPU tensors, run by an interpreter: slow, for tests.
`"cuda"` is the kernel in CUDA C++, which softmax and matmul have; on CPU tensors it runs as C++."""

Implementation = Literal["torch", "triton", "cuda"]
"""What runs."""

CHOICES = get_args(Choice)

# Not a context variable: the backward pass of CUDA tensors runs on threads of its own, which would not see it.
_forced: list[Choice] = []


def _checked(name: str, source: str) -> Choice:
    if name not in CHOICES:
        raise ValueError(f"{source} is {name!r}; it must be one of {', '.join(CHOICES)}")
    return name


def choice() -> Choice:
    """What is asked for now: by the innermost `use`, else by `MINIGPT_KERNELS`, else `"auto"`.

    Raises:
        ValueError: if the environment variable has another value.
    """
    return _forced[-1] if _forced else _checked(os.environ.get("MINIGPT_KERNELS", "auto"), "MINIGPT_KERNELS")


@contextmanager
def use(name: Choice) -> Iterator[None]:
    """Ask for an implementation within a `with` block, in all threads.

    Args:
        name: `"auto"`, `"torch"`, `"triton"`, `"interpret"` or `"cuda"`.

    Raises:
        ValueError: if it is none of these.
    """
    _forced.append(_checked(name, "the implementation asked for"))
    try:
        yield
    finally:
        _forced.pop()


@functools.cache
def has_triton() -> bool:
    """Whether Triton is installed. There are wheels of it for Linux alone."""
    return importlib.util.find_spec("triton") is not None


def require_triton(operation: str) -> None:
    """Say what is missing where a Triton kernel is asked for and Triton is not there.

    Raises:
        RuntimeError: if Triton is not installed.
    """
    if not has_triton():
        raise RuntimeError(
            f"the Triton kernel of {operation} was asked for, but Triton is not installed (there are wheels for Linux "
            "alone). Ask for 'torch' or 'auto', or `pip install triton` where there is one"
        )


@functools.cache
def capability(device: torch.device) -> tuple[int, int]:
    """The compute capability of a GPU: (7, 5) for a T4, (8, 0) for an A100, (9, 0) for an H100."""
    return torch.cuda.get_device_capability(device)


def implementation(
    *tensors: Tensor | None, operation: str, triton_ok: bool = True, cuda_ok: bool = False, dot: bool = False
) -> Implementation:
    """Which implementation of an operation is to run on these tensors.

    Args:
        tensors: what it works on; `None` where an optional one is missing.
        operation: its name, for messages.
        triton_ok: whether its Triton kernel takes tensors of this shape and type.
        cuda_ok: whether it has an implementation in CUDA C++.
        dot: whether it multiplies matrices. For a T4 (compute capability 7.5) Triton emits no matrix instructions, so
            that PyTorch is faster there.

    Raises:
        RuntimeError: if Triton was asked for and is not installed.
        ValueError: if what was asked for cannot run on these tensors.
    """
    asked = choice()
    if asked == "torch":
        return "torch"
    devices = {tensor.device for tensor in tensors if tensor is not None}
    kinds = {device.type for device in devices}
    if asked == "auto":
        if kinds != {"cuda"} or not triton_ok or not has_triton():
            return "torch"
        oldest = min(capability(device) for device in devices)
        return "triton" if oldest >= ((8, 0) if dot else (7, 5)) else "torch"
    if asked == "cuda":
        if not cuda_ok:
            given = ", ".join(f"{tuple(t.shape)} {t.dtype}" for t in tensors if t is not None)
            raise ValueError(
                f"{operation} of {given} has no implementation in CUDA C++, as softmax and matmul have in float32; ask "
                "for 'auto', 'torch' or 'triton'"
            )
        return "cuda"
    require_triton(operation)
    if asked == "triton" and kinds != {"cuda"}:
        raise ValueError(
            f"the compiled Triton kernel of {operation} was asked for, but its tensors are on {_names(kinds)}: move "
            "them to a GPU, or ask for 'interpret'"
        )
    if asked == "interpret" and kinds != {"cpu"}:
        raise ValueError(
            f"the interpreter was asked for {operation}, but its tensors are on {_names(kinds)}: move them to the CPU, "
            "or ask for 'triton'"
        )
    if not triton_ok:
        given = ", ".join(f"{tuple(t.shape)} {t.dtype}" for t in tensors if t is not None)
        raise ValueError(f"the Triton kernel of {operation} does not take {given}; ask for 'auto' or 'torch'")
    return "triton"


def asked_for() -> bool:
    """Whether the layers of a model call `minigpt.kernels`: where one is forced, by `use` or `MINIGPT_KERNELS`.

    Otherwise they calculate in PyTorch's fused operators. On a CPU these are faster than a reference that is written to
    be read, and no kernel has been measured on a GPU yet.
    """
    return choice() != "auto"


def _names(kinds: set[str]) -> str:
    return " and ".join(sorted(kinds)) or "no device"
