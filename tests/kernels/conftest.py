"""One body of a test, two devices: on a CPU the kernels are interpreted, on a GPU compiled."""

from unittest import mock

import pytest
import torch

from minigpt.kernels import dispatch

GPU = pytest.param(
    "cuda",
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device was found")],
)

_choice = dispatch.choice


def compiled():
    """What is asked for, with the compiler where a test asks for the interpreter."""
    return "triton" if _choice() == "interpret" else _choice()


@pytest.fixture(scope="module", params=["cpu", GPU])
def device(request):
    """New tensors lie on this device. On a GPU, what a test asks of the interpreter is asked of the compiler."""
    torch.set_default_device(request.param)
    torch.zeros(1)  # PyTorch makes its list of functions that take a device now, before a guard puts others there
    with mock.patch.object(dispatch, "choice", compiled if request.param == "cuda" else _choice):
        yield request.param
    torch.set_default_device(None)
