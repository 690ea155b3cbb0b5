"""Operations on rows under `torch.compile`, with the code that it generates, in one graph; models are elsewhere."""

import shutil

import pytest
import torch

from kernels.harness import draw, on_every_device
from minigpt.kernels.activation import gelu, swiglu
from minigpt.kernels.norm import add_rms_norm, layer_norm, rms_norm
from minigpt.kernels.rotary import rotary
from minigpt.kernels.softmax import softmax

pytestmark = on_every_device


@pytest.mark.skipif(not shutil.which("g++"), reason="PyTorch's compiler needs a C++ compiler on a CPU")
def test_a_function_of_many_operations_is_one_graph():
    angles = draw(1, 5, 8)
    weight, bias = draw(16, seed=1), draw(16, seed=2)

    def model(x):
        y = rotary(x, angles.cos(), angles.sin())
        y = layer_norm(gelu(y), weight, bias)
        z, total = add_rms_norm(y, x, weight)
        return (softmax(swiglu(z, total)) * rms_norm(x, weight)).sum()

    x, other = (draw(2, 5, 3, 16).requires_grad_() for _ in range(2))
    expected = model(other)
    expected.backward()
    result = torch.compile(model, fullgraph=True)(x)
    result.backward()
    torch.testing.assert_close(result, expected)
    torch.testing.assert_close(x.grad, other.grad)
