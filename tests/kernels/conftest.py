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


@pytest.fixture(params=["cpu", GPU])
def device(request):
    """New tensors lie on this device. On a GPU, what a test asks of the interpreter is asked of the compiler."""
    torch.set_default_device(request.param)
    torch.zeros(1)  # PyTorch makes its list of functions that take a device now, before a guard puts others there
    with mock.patch.object(dispatch, "choice", compiled if request.param == "cuda" else _choice):
        yield request.param
    torch.set_default_device(None)


def pytest_runtest_setup(item):
    """GPUs know floats of 8 bits from compute capability 8.9 on."""
    given = item.callspec.params if hasattr(item, "callspec") else {}
    if (
        given.get("device") == "cuda"
        and torch.float8_e4m3fn in given.values()
        and torch.cuda.is_available()
        and torch.cuda.get_device_capability() < (8, 9)
    ):
        pytest.skip("this GPU has no floats of 8 bits")
