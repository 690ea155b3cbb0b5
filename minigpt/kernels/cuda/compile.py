"""Compiles CUDA C++ at run time by NVRTC, from the packages of pip: neither a toolkit nor a GPU is needed.

The result is machine code for one architecture (a cubin). Unlike PTX it needs no compiler in the driver, so that it
also runs under a driver that is older than this NVRTC, as long as both are of the same major version.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from minigpt.kernels.check.table import Usage, matrix_instruction


class CompileError(RuntimeError):
    """What the compiler says about a source that it cannot compile."""


def _installed(pattern: str) -> list[Path]:
    """Files and folders of NVIDIA's packages, wherever pip has put them."""
    return [path for entry in sys.path if entry for path in sorted(Path(entry, "nvidia").glob(pattern), reverse=True)]


def _headers() -> list[Path]:
    """Folders of headers: those of the packages first, then those of a toolkit, where one is installed."""
    toolkits = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    folders = [Path(name, "include") for name in toolkits if name]
    return [*_installed("*/include"), *filter(Path.is_dir, folders)]


def _candidates() -> list[str]:
    """Names of NVRTC's library: that of the packages first (a CUDA build of PyTorch brings them), then the system's."""
    return [
        *map(str, _installed("*/lib/libnvrtc.so.1[0-9]")),
        *(f"libnvrtc.so.{major}" for major in (13, 12)),
        "libnvrtc.so",
    ]


@functools.cache
def nvrtc() -> ctypes.CDLL:
    """The library.

    Raises:
        CompileError: if it is not installed.
    """
    for name in _candidates():
        try:
            # NVRTC opens this one by its name alone, which works only if it is loaded already.
            for builtins in Path(name).parent.glob("libnvrtc-builtins.so*") if "/" in name else ():
                ctypes.CDLL(str(builtins))
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise CompileError("NVRTC is not installed here; on Linux, `pip install nvidia-cuda-nvrtc nvidia-cuda-runtime`")


def has_nvrtc() -> bool:
    """Whether CUDA C++ can be compiled for GPUs here."""
    try:
        nvrtc()
    except CompileError:
        return False
    return True


def version() -> tuple[int, int]:
    """Major and minor version of NVRTC."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


@functools.lru_cache(maxsize=256)
def compile_cuda(source: str, architecture: int, *, ptx: bool = False, options: tuple[str, ...] = ()) -> bytes:
    """Machine code, or PTX, of a source.

    Args:
        source: CUDA C++.
        architecture: compute capability without the dot, such as 90.
        ptx: PTX, which people can read, in place of a cubin.
        options: more options of NVRTC, such as `"-DTILE=32"`.

    Raises:
        CompileError: with the compiler's log, if the source is wrong or NVRTC is missing or does not know the
            architecture.
    """
    library = nvrtc()
    program = ctypes.c_void_p()
    kind = "compute" if ptx else "sm"
    flags = [
        f"--gpu-architecture={kind}_{architecture}",
        "--std=c++17",
        *(f"-I{folder}" for folder in _headers()),
        *options,
    ]
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    try:
        array = (ctypes.c_char_p * len(flags))(*(flag.encode() for flag in flags))
        status = library.nvrtcCompileProgram(program, len(flags), array)
        if status:
            log = _fetch(library, program, "ProgramLog").rstrip(b"\0").decode(errors="replace").strip()
            library.nvrtcGetErrorString.restype = ctypes.c_char_p
            said = log or library.nvrtcGetErrorString(status).decode()
            raise CompileError(f"NVRTC {'.'.join(map(str, version()))} for {kind}_{architecture}:\n{said}")
        code = _fetch(library, program, "PTX" if ptx else "CUBIN")
        return code.rstrip(b"\0") if ptx else code
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _fetch(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    """One of the results that NVRTC gives in two calls, first the size, then the bytes."""
    size = ctypes.c_size_t()
    getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(library, f"nvrtcGet{what}")(program, buffer)
    return buffer.raw


def cuobjdump() -> str | None:
    """NVIDIA's reader of machine code: that which Triton brings, or the toolkit's; `None` if there is none."""
    found = find_spec("triton")
    if found and found.origin:
        path = Path(found.origin).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
        if os.access(path, os.X_OK):
            return str(path)
    return shutil.which("cuobjdump")


def _dump(code: bytes, option: str) -> str:
    """What `cuobjdump` says about machine code."""
    program = cuobjdump()
    if program is None:
        raise CompileError("no cuobjdump here to read the machine code; `pip install triton` brings one")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernel.cubin")
        path.write_bytes(code)
        return subprocess.run([program, option, str(path)], capture_output=True, text=True, check=True).stdout


def machine_code(source: str, kernel: str, architecture: int, options: Sequence[str] = ()) -> list[str]:
    """The instructions of a kernel as the GPU runs them (SASS), one a line, without addresses and encodings.

    Args:
        source: CUDA C++.
        kernel: its name.
        architecture: compute capability without the dot.
        options: more options of NVRTC.

    Raises:
        CompileError: if it does not compile, or there is no `cuobjdump`.
        ValueError: if the source has no such kernel.
    """
    text = _dump(compile_cuda(source, architecture, options=tuple(options)), "-sass")
    body = next((part for part in text.split("Function : ")[1:] if part.split(None, 1)[0] == kernel), None)
    if body is None:
        raise ValueError(f"the source has no kernel {kernel!r}")
    return [" ".join(line.split()) for line in re.findall(r"/\*[0-9a-f]{4,}\*/\s+([^;]*);", body)]


def usage(source: str, kernel: str, architecture: int, options: Sequence[str] = ()) -> Usage:
    """What a kernel takes of a GPU, by its machine code.

    Args:
        source: CUDA C++.
        kernel: its name.
        architecture: compute capability without the dot.
        options: more options of NVRTC.

    Raises:
        CompileError: if it does not compile, or there is no `cuobjdump`.
        ValueError: if the source has no such kernel.
    """
    code = compile_cuda(source, architecture, options=tuple(options))
    found = re.search(rf"Function {re.escape(kernel)}:\s*\n\s*(.*)", _dump(code, "-res-usage"))
    if found is None:
        raise ValueError(f"the source has no kernel {kernel!r}")
    numbers = {name: int(value) for name, value in re.findall(r"\b(REG|STACK|SHARED|LOCAL):(\d+)", found[1])}
    ptx = compile_cuda(source, architecture, ptx=True, options=tuple(options)).decode()
    # The body of this kernel, of all that are in the source.
    body = next((part for part in ptx.split(".entry ")[1:] if re.match(rf"{re.escape(kernel)}\b", part)), "")
    # From Hopper on the report counts what the system keeps of each block's shared memory.
    reserved = 1024 if architecture >= 90 else 0
    return Usage(
        registers=numbers["REG"],
        local=max(numbers["STACK"], numbers["LOCAL"]),
        shared=max(0, numbers["SHARED"] - reserved),
        matrix=matrix_instruction(body),
    )
