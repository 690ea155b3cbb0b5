"""softmax and matmul in CUDA C++, where `use("cuda")` asks for them: the same results and gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from kernels.harness import draw, few_examples, layouts, on_every_device
from minigpt.kernels.cuda import cpu, rungs
from minigpt.kernels.dispatch import use
from minigpt.kernels.matmul import matmul
from minigpt.kernels.norm import rms_norm
from minigpt.kernels.softmax import softmax

pytestmark = [pytest.mark.skipif(cpu.compiler() is None, reason="no C++ compiler here"), on_every_device]


def results(run, leaves, upstream):
    y = run(*leaves)
    return y.detach(), *torch.autograd.grad(y, leaves, upstream)


@given(data=st.data(), rows=st.sampled_from([0, 1, 3]), n=st.sampled_from([1, 31, 257]))
@few_examples
def test_softmax_is_pytorchs_with_its_gradient(data, rows, n):
    x, upstream = data.draw(layouts((2, rows, n))).requires_grad_(), draw(2, rows, n, seed=1)
    with use("cuda"):
        ours = results(softmax, [x], upstream)
    torch.testing.assert_close(ours, results(lambda x: x.softmax(-1), [x], upstream), rtol=1e-5, atol=1e-6)


def test_a_row_that_sees_nothing_is_zero_and_nan_does_not_vanish():
    x = draw(3, 40)
    x[0], x[1, 7] = -torch.inf, torch.nan
    with use("cuda"):
        y = softmax(x)
    assert y[0].eq(0).all()
    assert y[1].isnan().all()
    torch.testing.assert_close(y[2], x[2].softmax(-1))


@given(
    m=st.sampled_from([0, 1, 67]),
    k=st.sampled_from([0, 1, 40]),
    n=st.sampled_from([1, 33]),
    activation=st.sampled_from([None, "gelu", "gelu_tanh"]),
)
@few_examples
def test_matmul_is_pytorchs_with_its_gradients(m, k, n, activation):
    leaves = [draw(*size, seed=i).requires_grad_() for i, size in enumerate([(m, k), (n, k), (n,), (m, n)])]

    def plain(a, weight, bias, residual):
        z = F.linear(a, weight, bias)
        y = z if activation is None else F.gelu(z, approximate="tanh" if activation == "gelu_tanh" else "none")
        return y + residual

    with use("cuda"):
        ours = results(
            lambda a, weight, bias, residual: matmul(a, weight.T, bias=bias, residual=residual, activation=activation),
            leaves,
            draw(m, n, seed=4),
        )
    torch.testing.assert_close(ours, results(plain, leaves, draw(m, n, seed=4)), rtol=1e-4, atol=1e-4)


def test_matrices_in_half_precision_go_to_the_tensor_cores(monkeypatch):
    called = []
    product = rungs.matmul
    monkeypatch.setattr(rungs, "matmul", lambda a, b, name: called.append(name) or product(a, b, name))
    a, b = draw(20, 33, dtype=torch.float16), draw(33, 17, seed=1, dtype=torch.float16)
    with use("cuda"):
        torch.testing.assert_close(matmul(a, b), a @ b, rtol=2e-3, atol=2e-2)
        matmul(a.float(), b.float())
    assert called == ["matmul_wmma", "matmul_buffered"]


def test_what_is_not_written_in_cuda_is_said_so():
    with use("cuda"):
        with pytest.raises(ValueError, match=r"rms_norm of \(2, 3\) torch.float32, .* no implementation in CUDA"):
            rms_norm(torch.zeros(2, 3), torch.ones(3))
        with pytest.raises(ValueError, match=r"softmax of \(3,\) torch.float64 has no implementation in CUDA"):
            softmax(torch.zeros(3, dtype=torch.float64))
