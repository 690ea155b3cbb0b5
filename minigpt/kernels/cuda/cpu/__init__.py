"""Runs the kernels of a `.cu` file on a CPU: a header in place of CUDA's, the system's C++ compiler, and fibers."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from minigpt.kernels.cuda.sources import Signature, c_arguments, check_block, pointers, signatures, triple

INCLUDE = Path(__file__).parent / "include"
FLAGS = ("-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-fsanitize=bounds", "-w")
SHARED = re.compile(
    r"__shared__\s+(__align__\(\d+\)\s*)?(float|double|int|unsigned|__half|half|__nv_bfloat16)\s+([^;()]+);"
)
POINTER = re.compile(  # a declaration of one pointer with its first value: it may point to what is counted or watched
    r"\b(?:const\s+)?(?:float|double|int|unsigned|__half|half|__nv_bfloat16)\s*\*\s*(?:const\s+|__restrict__\s+)*"
    r"(?=\w+\s*=\s*(?!nullptr|NULL|0)[^,;{}]+;)"
)
DYNAMIC = re.compile(r"extern\s+__shared__\s+(?:__align__\(\d+\)\s*)?(\w+)\s+(\w+)\s*\[\s*\]\s*;")


class NoCompiler(RuntimeError):
    """There is no C++ compiler, or this system cannot run the kernels."""


class KernelFault(RuntimeError):
    """What a kernel did that it must not do: a divided barrier, an overrun of shared memory, or a race there."""


class BuildError(RuntimeError):
    """What the C++ compiler says about a source that it cannot compile."""


@dataclass(frozen=True)
class Traffic:
    """What the warps of a launch asked of global and of shared memory.

    A request is the n-th access of each thread of a warp since the last barrier of the block, so it is that of a GPU as
    long as the threads of a warp take the same way. An array in shared memory that is used through a pointer (`&s[i]`,
    as in loads of four numbers) is not counted, and `x[i] += 1` in global memory counts once.

    Args:
        requests: loads and stores of global memory, each by a warp.
        sectors: pieces of 32 bytes in which they are served; a request for 32 neighbouring floats takes four.
        shared: loads and stores of shared memory, each by a warp, as the source says them; a compiler may keep a number
            in a register and not ask again.
        passes: of the 32 banks of shared memory to serve them; as many as requests if no two threads of a warp ask one
            bank for different words.
    """

    requests: int
    sectors: int
    shared: int = 0
    passes: int = 0


class _Report(ctypes.Structure):
    _fields_ = (
        ("message", ctypes.c_char * 512),
        ("requests", ctypes.c_longlong),
        ("sectors", ctypes.c_longlong),
        ("shared", ctypes.c_longlong),
        ("passes", ctypes.c_longlong),
    )


def compiler() -> str | None:
    """The C++ compiler: `$CXX`, or g++, or clang++; `None` if there is none that can serve here."""
    if sys.platform == "win32" or platform.machine().lower() not in ("x86_64", "amd64", "aarch64", "arm64"):
        return None
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++"]
    return next((path for name in names if (path := shutil.which(name))), None)


@functools.cache
def _compiler_version(path: str) -> str:
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _wrapper(signature: Signature, counted: bool) -> str:
    """A function that a library can export, which unpacks the arguments."""
    types = [f"cpu::Counted<{p.declared[:-1]}>" if p.pointer and counted else p.declared for p in signature.parameters]
    unpacked = ", ".join(f"*({kind}*)arguments[{i}]" for i, kind in enumerate(types))
    return (
        f'extern "C" __attribute__((visibility("default"))) void run_{signature.name}(const unsigned* run_grid, '
        "const unsigned* run_block, void** arguments, unsigned shared, int reverse, cpu::Report* report) {\n"
        f"  cpu::launch([](void** arguments) {{ {signature.name}({unpacked}); }}, "
        "dim3(run_grid[0], run_grid[1], run_grid[2]), "
        "dim3(run_block[0], run_block[1], run_block[2]), arguments, shared, reverse, report);\n}\n"
    )


def _watched(declaration: re.Match[str]) -> str:
    """Shared memory of a type that notes who uses it, and tells its names."""
    align, kind, names = declaration.groups()
    tell = "".join(f' cpu::named({name}, "{name}");' for name in re.findall(r"(?:^|,)\s*(\w+)", names))
    return f"__shared__ {align or ''}cpu::Watched<{kind}> {names};{tell}"


def _translated(source: str, found: dict[str, Signature], counted: bool) -> str:
    """The source for a C++ compiler; lines stay where they are, so that messages name the right ones."""
    kind = r"cpu::Watched<\1>*" if counted else r"\1*"
    code = DYNAMIC.sub(rf"{kind} \2 = ({kind})cpu::dynamic_shared();", source)
    if counted:
        code = SHARED.sub(_watched, POINTER.sub("auto ", code))

        def count(kernel: re.Match[str]) -> str:
            return re.sub(r"((?:const\s+)?\w+)\s*\*(\s*__restrict__)?", r"cpu::Counted<\1>", kernel[0])

        code = re.sub(r'extern "C" __global__ void[^{]*', count, code)
        # A function with C linkage cannot take a class; nothing here needs that linkage.
        code = code.replace('extern "C" __global__', "__global__")
    wrappers = "".join(_wrapper(signature, counted) for signature in found.values())
    return f'#include "cuda_cpu.h"\n#line 1 "kernel.cu"\n{code}\n{wrappers}'


def _library(code: str) -> Path:
    """The compiled library, from the cache if it is there."""
    path = compiler()
    if path is None:
        raise NoCompiler(
            "no C++ compiler for this system: CUDA C++ runs on a CPU where g++ or clang++ is installed (Linux "
            "or macOS, x86-64 or aarch64), or set CXX to one"
        )
    headers = "".join(file.read_text(encoding="utf-8") for file in sorted(INCLUDE.glob("*.h")))
    key = "\0".join((code, headers, _compiler_version(path), " ".join(FLAGS), platform.machine(), sys.platform))
    folder = Path(os.environ.get("MINIGPT_CACHE") or user_cache_dir("minigpt")) / "cuda"
    library = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.so"
    if library.exists():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        Path(place, "kernel.cpp").write_text(code, encoding="utf-8")
        # Linked in a step of its own, so that the report of an overrun is ours and not that of a run-time library.
        for command in (
            [path, *FLAGS, f"-I{INCLUDE}", "-c", "kernel.cpp", "-o", "kernel.o"],
            [path, "-shared", "kernel.o", "-o", "kernel.so"],
        ):
            result = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
            if result.returncode:
                raise BuildError(f"the C++ compiler says:\n{result.stderr.strip()}")
        # Another process may have built the same; whoever comes last replaces it by its equal.
        os.replace(Path(place, "kernel.so"), library)
    return library


class Program:
    """The kernels of a source, each an attribute to be called as `program.name(grid, block, *arguments)`.

    Args:
        source: CUDA C++ whose kernels are `extern "C" __global__ void`.
        counted: watch memory: a launch then returns a `Traffic`, and raises a `KernelFault` at the first race in
            shared memory: two threads of a block at one place, one of which writes, with no barrier between them.

    Raises:
        NoCompiler: if the system has no C++ compiler.
        BuildError: if the source does not compile.
        ValueError: if there is no kernel in it.
    """

    def __init__(self, source: str, *, counted: bool = False) -> None:
        self.signatures = signatures(source)
        self.counted = counted
        self._functions = ctypes.CDLL(str(_library(_translated(source, self.signatures, counted))))

    def __getattr__(self, name: str) -> Callable[..., Traffic | None]:
        if name.startswith("_") or name not in self.signatures:
            raise AttributeError(f"the source has no kernel {name!r}; there are {sorted(self.signatures)}")
        return functools.partial(self.launch, name)

    def launch(
        self,
        name: str,
        grid: int | Sequence[int],
        block: int | Sequence[int],
        *arguments: Any,
        shared: int = 0,
        reverse: bool = False,
    ) -> Traffic | None:
        """Run a kernel to its end.

        Blocks run one after the other. The threads of a block take turns: each runs until it waits at a barrier or for
        its warp. In which order they do must not matter, and if the result depends on it, there is a race.

        Args:
            name: of the kernel.
            grid: number of blocks, up to three numbers.
            block: number of threads of a block, up to three numbers.
            arguments: contiguous tensors on the CPU, and numbers.
            shared: bytes of dynamic shared memory.
            reverse: run blocks and threads from the last to the first.

        Raises:
            KernelFault: if not every thread of a block reaches a barrier, one oversteps shared memory, or there is a
                race and it is watched for.
            ValueError: if sizes or arguments are not what the kernel takes.
        """
        values = c_arguments(self.signatures[name], arguments, "cpu")
        blocks, threads = triple(grid, "grid"), triple(block, "block")
        check_block(threads)
        report = _Report()
        getattr(self._functions, f"run_{name}")(
            (ctypes.c_uint * 3)(*blocks),
            (ctypes.c_uint * 3)(*threads),
            pointers(values),
            ctypes.c_uint(shared),
            int(reverse),
            ctypes.byref(report),
        )
        if report.message:
            raise KernelFault(f"{name}: {report.message.decode()}")
        if not self.counted:
            return None
        return Traffic(report.requests, report.sectors, report.shared, report.passes)


@functools.lru_cache(maxsize=64)
def build(source: str, *, counted: bool = False) -> Program:
    """The `Program` of a source, made once; the arguments are those of `Program`."""
    return Program(source, counted=counted)
