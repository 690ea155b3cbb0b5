"""Launches compiled kernels on a GPU by the functions of NVIDIA's driver, on PyTorch's current stream.

Nothing here has run on a GPU yet: the calls and their order are tested with a stand-in for the driver.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import torch

from minigpt.kernels.cuda.compile import compile_cuda
from minigpt.kernels.cuda.sources import c_arguments, check_block, pointers, signatures, triple

MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
WITHOUT_ASKING = 48 << 10  # bytes of dynamic shared memory that a kernel may have without the attribute


class DriverError(RuntimeError):
    """What the driver says about a call that failed."""


@functools.cache
def driver() -> ctypes.CDLL:
    """NVIDIA's driver library.

    Raises:
        DriverError: if this machine has none.
    """
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise DriverError(
            "no CUDA driver here (libcuda.so.1): this machine has no NVIDIA GPU; use CPU tensors"
        ) from error


def _call(library: Any, name: str, *arguments: Any) -> None:
    status = getattr(library, name)(*arguments)
    if status:
        text = ctypes.c_char_p()
        library.cuGetErrorString(status, ctypes.byref(text))
        raise DriverError(f"{name} failed with status {status}: {(text.value or b'unknown error').decode()}")


class Module:
    """The kernels of a source, compiled and loaded for one GPU.

    Args:
        source: CUDA C++.
        architecture: compute capability of the GPU without the dot.
        library: the driver.

    Raises:
        CompileError: if the source does not compile.
        DriverError: if the driver refuses it.
    """

    def __init__(self, source: str, architecture: int, library: Any) -> None:
        self.signatures = signatures(source)
        self._library = library
        self._code = compile_cuda(source, architecture)
        self._module = ctypes.c_void_p()
        _call(library, "cuModuleLoadData", ctypes.byref(self._module), self._code)
        self._functions: dict[str, ctypes.c_void_p] = {}

    def function(self, name: str) -> ctypes.c_void_p:
        """The handle of a kernel."""
        if name not in self.signatures:
            raise ValueError(f"the source has no kernel {name!r}; there are {sorted(self.signatures)}")
        if name not in self._functions:
            handle = ctypes.c_void_p()
            _call(self._library, "cuModuleGetFunction", ctypes.byref(handle), self._module, name.encode())
            self._functions[name] = handle
        return self._functions[name]

    def launch(
        self,
        name: str,
        grid: int | Sequence[int],
        block: int | Sequence[int],
        *arguments: Any,
        stream: int,
        shared: int = 0,
        device: str = "cuda",
    ) -> None:
        """Put a kernel on a stream; it returns before the kernel has run.

        Args:
            name: of the kernel.
            grid: number of blocks, up to three numbers.
            block: number of threads of a block, up to three numbers.
            arguments: contiguous tensors on the GPU, and numbers.
            stream: handle of the stream, such as `torch.cuda.current_stream().cuda_stream`.
            shared: bytes of dynamic shared memory.
            device: type of the device on which the tensors must be.

        Raises:
            ValueError: if sizes or arguments are not what the kernel takes.
            DriverError: if the driver refuses the launch.
        """
        function = self.function(name)
        values = c_arguments(self.signatures[name], arguments, device)
        blocks, threads = triple(grid, "grid"), triple(block, "block")
        check_block(threads)
        if shared > WITHOUT_ASKING:
            _call(self._library, "cuFuncSetAttribute", function, MAX_DYNAMIC_SHARED, shared)
        sizes = [ctypes.c_uint(n) for n in (*blocks, *threads, shared)]
        # The driver copies the arguments before it returns, so that `values` need not live longer.
        _call(self._library, "cuLaunchKernel", function, *sizes, ctypes.c_void_p(stream), pointers(values), None)


@functools.lru_cache(maxsize=64)
def _loaded(source: str, index: int) -> Module:
    major, minor = torch.cuda.get_device_capability(index)
    return Module(source, 10 * major + minor, driver())


def launch(
    source: str, name: str, grid: int | Sequence[int], block: int | Sequence[int], *arguments: Any, shared: int = 0
) -> None:
    """Run a kernel of a source on the GPU of its tensors, on PyTorch's current stream.

    Args:
        source: CUDA C++.
        name: of the kernel.
        grid: number of blocks.
        block: number of threads of a block.
        arguments: contiguous tensors on one GPU, and numbers.
        shared: bytes of dynamic shared memory.

    Raises:
        ValueError: if the arguments are not what the kernel takes, or lie on more than one GPU.
        DriverError: if there is no driver, or it refuses.
    """
    devices = {value.device for value in arguments if isinstance(value, torch.Tensor)}
    if len(devices) != 1:
        raise ValueError(f"{name}: the tensors lie on {sorted(map(str, devices))}; they must lie on one GPU")
    (device,) = devices
    with torch.cuda.device(device):
        module = _loaded(source, torch.cuda.current_device())
        stream = torch.cuda.current_stream(device).cuda_stream
        module.launch(name, grid, block, *arguments, stream=stream, shared=shared)
