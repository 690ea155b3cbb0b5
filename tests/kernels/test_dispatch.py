"""Which implementation runs follows from the tensors, unless it is forced; what cannot run is said so."""

import subprocess
import sys

import pytest
import torch

from minigpt.kernels import dispatch
from minigpt.kernels.dispatch import choice, implementation, use

CPU = torch.zeros(2)


class OnGpu:
    """A tensor on a GPU, as far as the dispatch looks at one."""

    device = torch.device("cuda", 0)
    shape, dtype = (2,), torch.float32


@pytest.fixture
def gpu(monkeypatch):
    """Pretends that there is a GPU of a compute capability, and Triton."""
    monkeypatch.setattr(dispatch, "has_triton", lambda: True)
    return lambda *cc: monkeypatch.setattr(dispatch, "capability", lambda device: cc)


def test_a_cpu_takes_the_reference():
    assert implementation(CPU, None, operation="softmax") == "torch"


def test_a_gpu_takes_triton_and_a_t4_only_where_no_matrices_are_multiplied(gpu):
    for capability, elementwise, matrices in [
        ((9, 0), "triton", "triton"),
        ((8, 0), "triton", "triton"),
        ((7, 5), "triton", "torch"),
        ((7, 0), "torch", "torch"),
    ]:
        gpu(*capability)
        assert implementation(OnGpu(), operation="softmax") == elementwise
        assert implementation(OnGpu(), operation="matmul", dot=True) == matrices
    assert implementation(OnGpu(), operation="softmax", triton_ok=False) == "torch"


def test_the_environment_is_overruled_by_the_context_and_the_outer_by_the_inner(monkeypatch):
    assert choice() == "auto"
    monkeypatch.setenv("MINIGPT_KERNELS", "interpret")
    assert choice() == "interpret"
    with use("torch"):
        assert implementation(CPU, operation="softmax") == "torch"
        with use("auto"):
            assert choice() == "auto"
        assert choice() == "torch"
    assert choice() == "interpret"
    monkeypatch.setenv("MINIGPT_KERNELS", "fast")
    with pytest.raises(ValueError, match="MINIGPT_KERNELS is 'fast'; it must be one of auto, torch, triton"):
        choice()
    with pytest.raises(ValueError, match="asked for is 'tritton'"), use("tritton"):
        pass


def test_the_interpreter_serves_tensors_on_a_cpu_and_the_compiler_those_on_a_gpu(gpu):
    gpu(9, 0)
    with use("interpret"):
        assert implementation(CPU, operation="softmax") == "triton"
        with pytest.raises(ValueError, match="interpreter was asked for softmax, but its tensors are on cuda"):
            implementation(OnGpu(), operation="softmax")
    with use("triton"):
        assert implementation(OnGpu(), operation="softmax") == "triton"
        with pytest.raises(ValueError, match=r"tensors are on cpu: move them to a GPU, or ask for 'interpret'"):
            implementation(CPU, operation="softmax")
        with pytest.raises(ValueError, match=r"does not take \(2,\) torch.float32"):
            implementation(OnGpu(), operation="softmax", triton_ok=False)


def test_cuda_is_for_what_is_written_in_it(gpu):
    gpu(9, 0)
    with use("cuda"):
        assert implementation(OnGpu(), operation="softmax", cuda_ok=True) == "cuda"
        with pytest.raises(ValueError, match=r"attention has no implementation in CUDA C\+\+"):
            implementation(OnGpu(), operation="attention")
        with pytest.raises(ValueError, match="tensors are on cpu"):
            implementation(CPU, operation="softmax", cuda_ok=True)


def test_where_triton_is_missing_a_forced_kernel_says_so(monkeypatch, gpu):
    gpu(9, 0)
    monkeypatch.setattr(dispatch, "has_triton", lambda: False)
    assert implementation(OnGpu(), operation="softmax") == "torch"
    for name, tensor in (("interpret", CPU), ("triton", OnGpu())):
        with use(name), pytest.raises(RuntimeError, match="softmax was asked for, but Triton is not installed"):
            implementation(tensor, operation="softmax")


def test_where_triton_cannot_be_imported_the_reference_serves_and_every_operation_says_what_is_missing():
    code = """
import sys; sys.modules["triton"] = None
import torch
from minigpt.kernels.activation import gelu, swiglu
from minigpt.kernels.adamw import adamw
from minigpt.kernels.attention import attention, decode_attention
from minigpt.kernels.dispatch import use
from minigpt.kernels.loss import cross_entropy, linear_cross_entropy
from minigpt.kernels.matmul import matmul
from minigpt.kernels.moe import moe
from minigpt.kernels.norm import add_rms_norm, layer_norm, rms_norm
from minigpt.kernels.quantize import quantize, scaled_matmul
from minigpt.kernels.quantize_blocks import block_scaled_matmul, quantize_blocks
from minigpt.kernels.rotary import rotary
from minigpt.kernels.softmax import softmax
x, one, heads = torch.rand(2, 2), torch.ones(2), torch.rand(1, 1, 2, 2)
angles, words, codes = torch.ones(1, 1, 1), torch.tensor([0, 1]), torch.ones(2, 2, dtype=torch.int8)
operations = {
    "softmax": lambda: softmax(x), "layer_norm": lambda: layer_norm(x, one), "rms_norm": lambda: rms_norm(x, one),
    "add_rms_norm": lambda: add_rms_norm(x, x, one), "rotary": lambda: rotary(heads, angles, angles),
    "gelu": lambda: gelu(x), "swiglu": lambda: swiglu(x, x), "matmul": lambda: matmul(x, x),
    "attention": lambda: attention(heads, heads, heads),
    "decode_attention": lambda: decode_attention(heads[:, :, 0], heads, heads),
    "cross_entropy": lambda: cross_entropy(x, words), "linear_cross_entropy": lambda: linear_cross_entropy(x, x, words),
    "quantize": lambda: quantize(x), "scaled_matmul": lambda: scaled_matmul(codes, codes, one, one),
    "quantize_blocks": lambda: quantize_blocks(x),
    "block_scaled_matmul": lambda: block_scaled_matmul(codes, codes, x[:, :1], x[:1, :1]),
    "grouped_matmul": lambda: moe(x, words[:, None], x[:, :1], torch.rand(2, 2, 2), torch.rand(2, 2, 2)),
    "adamw": lambda: adamw([x], [x], [x], [x], step=1, lr=0.1),
}
for name, operation in operations.items():
    operation()
    for choice in ("interpret", "triton"):
        try:
            with use(choice):
                operation()
        except RuntimeError as error:
            assert f"kernel of {name} was asked for, but Triton is not installed" in str(error), str(error)
        else:
            raise AssertionError(name)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_package_is_imported_without_triton():
    code = """
import sys; sys.modules["triton"] = None
import pkgutil, importlib, minigpt.kernels
names = [m.name for m in pkgutil.iter_modules(minigpt.kernels.__path__, "minigpt.kernels.")]
for name in set(names) - {"minigpt.kernels.triton", "minigpt.kernels.interpret"}:
    importlib.import_module(name)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
