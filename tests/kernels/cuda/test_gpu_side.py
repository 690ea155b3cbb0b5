"""What can be tested of the GPU's side without one: compilation, occupancy, and the calls of a launch."""

from __future__ import annotations

import ctypes

import pytest
import torch

from minigpt.kernels.cuda.compile import CompileError, compile_cuda, cuobjdump, has_nvrtc, machine_code, usage
from minigpt.kernels.cuda.launch import DriverError, Module
from minigpt.kernels.cuda.occupancy import MULTIPROCESSORS, occupancy
from minigpt.kernels.cuda.rungs import source
from minigpt.kernels.cuda.sources import signatures

needs_nvrtc = pytest.mark.skipif(not has_nvrtc(), reason="NVRTC is not installed here")
needs_cuobjdump = pytest.mark.skipif(not has_nvrtc() or not cuobjdump(), reason="no NVRTC or no cuobjdump here")
ADD = source("vector_add")


def test_signatures_are_read_from_the_source():
    found = signatures(source("matmul_wmma"))["matmul_wmma"]
    assert [p.declared for p in found.parameters] == ["const __half*", "const __half*", "float*", "int", "int", "int"]
    with pytest.raises(ValueError, match="no kernel in the source"):
        signatures("int f();")
    with pytest.raises(ValueError, match=r"cannot read the parameter 'char\* x'"):
        signatures('extern "C" __global__ void f(char* x) {}')


@needs_nvrtc
@pytest.mark.parametrize("architecture", sorted(MULTIPROCESSORS))
def test_it_compiles_to_machine_code(architecture):
    assert compile_cuda(ADD, architecture)[:4] == b"\x7fELF"


@needs_nvrtc
def test_ptx_can_be_read():
    assert ".entry vector_add" in compile_cuda(ADD, 80, ptx=True).decode()


@needs_nvrtc
def test_the_compilers_log_is_in_the_error():
    with pytest.raises(CompileError, match='identifier "m" is undefined'):
        compile_cuda('extern "C" __global__ void f(int n) { m = n; }', 90)


@needs_cuobjdump
def test_shared_memory_and_tensor_cores_are_found():
    for architecture in MULTIPROCESSORS:
        tiled = usage(source("matmul_tiled"), "matmul_tiled", architecture)
        assert (tiled.shared, tiled.local, tiled.matrix) == (2 * 16 * 16 * 4, 0, None)
    wmma = usage(source("matmul_wmma"), "matmul_wmma", 75)
    assert wmma.shared == 2 * 32 * 16 * 2 + 32 * 32 * 4
    assert wmma.matrix == "wmma.mma"
    with pytest.raises(ValueError, match="no kernel 'other'"):
        usage(ADD, "other", 90)


@needs_cuobjdump
def test_machine_code_shows_whether_loads_are_wide():
    text = source("matmul_registers")
    scalar, wide = (machine_code(text, f"matmul_{name}", 90) for name in ("naive", "vectorised"))
    assert any(line.startswith("EXIT") or " EXIT" in line for line in scalar)
    assert not any("LDG.E.128" in line or "LDS.128" in line for line in scalar)
    assert any("LDG.E.128" in line for line in wide)
    assert any("LDS.128" in line for line in wide)
    assert all("/*" not in line for line in scalar + wide)
    with pytest.raises(ValueError, match="no kernel 'other'"):
        machine_code(ADD, "other", 90)


@pytest.mark.parametrize(
    ("given", "blocks", "limit"),
    [
        ((75, 256, 32), 4, "threads"),
        ((90, 256, 32), 8, "threads"),
        ((80, 256, 128), 2, "registers"),
        ((90, 32, 16), 32, "blocks"),
        ((80, 64, 16, 40 << 10), 4, "shared memory"),
        # 65 registers are rounded up to 72: 28 warps fit, three blocks of eight.
        ((120, 256, 65), 3, "registers"),
    ],
)
def test_the_smallest_of_four_limits_decides(given, blocks, limit):
    found = occupancy(*given)
    assert found.blocks == blocks
    assert limit in found.limited_by
    assert found.share == found.warps * 32 / MULTIPROCESSORS[given[0]].threads


def test_what_no_gpu_could_start_is_refused():
    with pytest.raises(ValueError, match="exceeds the 65536 registers"):
        occupancy(90, 1024, 128)
    with pytest.raises(ValueError, match="shared=100000"):
        occupancy(75, 256, 32, 100_000)
    with pytest.raises(ValueError, match="architecture=60"):
        occupancy(60, 256, 32)


class Driver:
    """Takes the calls that the launcher makes of NVIDIA's driver, and writes them down."""

    def __init__(self, failing: str = "") -> None:
        self.calls: list[str] = []
        self.launched: list[object] = []
        self.failing = failing

    def __getattr__(self, name: str):
        def call(*arguments: object) -> int:
            self.calls.append(name)
            if name == "cuLaunchKernel":
                sizes = [size.value for size in arguments[1:8]]
                last = ctypes.cast(arguments[9][3], ctypes.POINTER(ctypes.c_int)).contents.value
                pointer = ctypes.cast(arguments[9][0], ctypes.POINTER(ctypes.c_void_p)).contents.value
                self.launched = [sizes, arguments[8].value, pointer, last]
            return 700 if name == self.failing else 0

        return call


@needs_nvrtc
def test_a_launch_passes_sizes_stream_and_the_addresses_of_the_arguments():
    driver, x = Driver(), torch.zeros(1000)
    module = Module(ADD, 90, driver)
    for _ in range(2):
        module.launch("vector_add", 4, 256, x, x, x, 1000, stream=1234, shared=60_000, device="cpu")
    assert driver.calls[:2] == ["cuModuleLoadData", "cuModuleGetFunction"]
    assert driver.calls[2:] == ["cuFuncSetAttribute", "cuLaunchKernel"] * 2
    assert driver.launched == [[4, 1, 1, 256, 1, 1, 60_000], 1234, x.data_ptr(), 1000]


@needs_nvrtc
def test_a_refused_launch_is_an_error():
    module = Module(ADD, 90, Driver(failing="cuLaunchKernel"))
    with pytest.raises(DriverError, match="cuLaunchKernel failed with status 700"):
        module.launch("vector_add", 1, 32, *[torch.zeros(32)] * 3, 32, stream=0, device="cpu")
    with pytest.raises(ValueError, match="must be on cuda"):
        module.launch("vector_add", 1, 32, *[torch.zeros(32)] * 3, 32, stream=0)
