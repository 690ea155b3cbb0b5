"""Every Triton kernel, compiled for every architecture of its table, on a machine without a GPU."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import subprocess
import tempfile
from pathlib import Path
from types import ModuleType

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, CompiledKernel

import minigpt.kernels.triton
from minigpt.kernels.check.table import ARCHITECTURES, Compilation, Task, Usage, matrix_instruction


def modules() -> list[ModuleType]:
    """The modules of `minigpt.kernels.triton`. Those with kernels have `SIGNATURES`, in which each kernel stands."""
    package = minigpt.kernels.triton
    return [
        importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)
    ]


def compiled(compilation: Compilation, architecture: int) -> CompiledKernel:
    """A kernel for an architecture: `.asm["ptx"]`, `.asm["cubin"]`, `.metadata`.

    Args:
        compilation: kernel, types and options.
        architecture: compute capability without the dot.
    """
    names = compilation.kernel.arg_names
    types = {
        name: kind if architecture > 75 else kind.replace("bf16", "fp16") for name, kind in compilation.types.items()
    }
    signature = {name: types[name].removesuffix(":16") if name in types else "constexpr" for name in names}
    aligned = [name for name, kind in types.items() if kind.endswith(":16") or kind.startswith("*")]
    source = ASTSource(
        compilation.kernel,
        signature,
        constexprs={(names.index(name),): value for name, value in compilation.constants.items()},
        attrs={(names.index(name),): [["tt.divisibility", 16]] for name in aligned},
    )
    options = {"num_warps": compilation.num_warps, "num_stages": compilation.num_stages}
    return triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=options)


def usage(kernel: CompiledKernel) -> Usage:
    """What a compiled kernel takes, read from its machine code by NVIDIA's `cuobjdump`, which Triton brings."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernel.cubin")
        path.write_bytes(kernel.asm["cubin"])
        command = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", str(path)]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"\b(REG|STACK|LOCAL):(\d+)", report))
    matrix = matrix_instruction(kernel.asm["ptx"])
    # Kernels with tensor memory are listed with 8 bytes of stack, of which the assembler itself reports none.
    stack = int(found["STACK"]) - (8 if matrix == "tcgen05.mma" else 0)
    return Usage(
        registers=int(found["REG"]),
        local=max(stack, int(found["LOCAL"])),
        shared=kernel.metadata.shared,
        matrix=matrix,
    )


def _run(compilation: Compilation, architecture: int) -> Usage:
    return usage(compiled(compilation, architecture))


def tasks() -> list[Task]:
    """One for each entry of each module's `SIGNATURES` and each of its architectures."""
    found = []
    for module in modules():
        for compilation in getattr(module, "SIGNATURES", ()):
            for architecture in compilation.architectures:
                matrix = ARCHITECTURES[architecture].matrix if compilation.matrix else None
                if matrix and compilation.warp_level:
                    matrix = "mma.sync"
                found.append(
                    Task(
                        name=f"{module.__name__.rpartition('.')[2]}.{compilation.name}",
                        architecture=architecture,
                        run=functools.partial(_run, compilation, architecture),
                        matrix=matrix,
                        registers=compilation.registers,
                        local=compilation.local,
                    )
                )
    return found
