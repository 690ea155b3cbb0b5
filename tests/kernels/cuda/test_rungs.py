"""Every rung of the ladder on a CPU, and where there is one on a GPU, beside PyTorch in float64."""

from __future__ import annotations

import pytest
import torch

from kernels.harness import generator, on_every_device
from minigpt.kernels.cuda import cpu, rungs

pytestmark = pytest.mark.skipif(cpu.compiler() is None, reason="no C++ compiler here")
EPSILON = torch.finfo(torch.float32).eps


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=generator(seed)) - 0.5


def orders():
    """Forwards, and on a CPU backwards too: a GPU has an order of its own."""
    return (False, True) if torch.get_default_device().type == "cpu" else (False,)


@on_every_device
@pytest.mark.parametrize("n", [1, 31, 257, 1000])
def test_vector_add(n):
    a, b = random(n), random(n, seed=1)
    for reverse in orders():
        assert torch.equal(rungs.vector_add(a, b, reverse=reverse), a + b)


@on_every_device
@pytest.mark.parametrize("name", [name for name in rungs.RUNGS if name.startswith("sum_")])
@pytest.mark.parametrize("n", [1, 255, 257, 10007])
def test_sums(name, n):
    x = random(n)
    for reverse in orders():
        found = rungs.total(x, name, reverse=reverse)
        # An error of half a unit for each of at most 40 additions on the way of a number.
        assert abs(found.double() - x.double().sum()) <= 40 * EPSILON * x.abs().sum()


@on_every_device
@pytest.mark.parametrize("name", ["softmax_passes", "softmax_online"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 31), (2, 257), (2, 1009)])
def test_softmax(name, rows, columns):
    x = 20 * random(rows, columns)
    for reverse in orders():
        found = rungs.softmax(x, name, reverse=reverse)
        torch.testing.assert_close(found.double(), x.double().softmax(-1), rtol=40 * EPSILON, atol=1e-12)


@on_every_device
def test_softmax_does_not_overflow():
    found = rungs.softmax(torch.tensor([[1000.0, 1000.0, -1000.0]]))
    assert torch.equal(found, torch.tensor([[0.5, 0.5, 0.0]]))


@on_every_device
@pytest.mark.parametrize("name", [name for name in rungs.RUNGS if name.startswith("matmul_")])
@pytest.mark.parametrize("shape", [(1, 1, 1), (17, 31, 7), (67, 129, 37), (64, 68, 40)])
def test_matmul(name, shape):
    m, n, k = shape
    dtype = torch.float16 if name == "matmul_wmma" else torch.float32
    a, b = random(m, k).to(dtype), random(k, n, seed=1).to(dtype)
    bound = k * EPSILON * (a.double().abs() @ b.double().abs())
    for reverse in orders():
        found = rungs.matmul(a, b, name, reverse=reverse)
        assert bool(((found.double() - a.double() @ b.double()).abs() <= bound).all())


@pytest.mark.parametrize("name", [name for name in rungs.RUNGS if name.startswith("matmul_")])
def test_counted_traffic_is_that_of_the_formula(name):
    n = 64
    traffic = rungs.matmul_traffic(n, n, n, name)
    loads = rungs.loads_by_formula(n, n, n, name)
    # A store of each number of the result; the vectorised rungs ask for four numbers at a time.
    if name in ("matmul_vectorised", "matmul_buffered"):
        assert traffic.requests * 32 == (loads + n * n) // 4
        assert traffic.sectors * 8 == loads + n * n  # and no byte of a sector is left unused
    else:
        assert traffic.requests * 32 == loads + n * n


def test_coalescing_saves_sectors_and_not_requests():
    naive, coalesced = (rungs.matmul_traffic(64, 64, 64, f"matmul_{name}") for name in ("naive", "coalesced"))
    assert naive.requests == coalesced.requests
    assert naive.sectors > 4 * coalesced.sectors


@pytest.mark.parametrize("name", [name for name in rungs.RUNGS if name.startswith(("sum_", "softmax_"))])
def test_no_rung_has_a_race(name):
    # That of the products is part of their count of traffic; a race would end it.
    out = torch.zeros(3, 600)
    for reverse in (False, True):
        watched = cpu.build(rungs.source(name), counted=True)
        watched.launch(name, (3,), (256,), random(3, 600), out, 600, reverse=reverse)


def test_the_second_sum_queues_at_the_banks_and_the_third_does_not():
    x, out, counts = random(256), torch.zeros(1), {}
    for name in ("sum_remainder", "sum_strided", "sum_halves"):
        counts[name] = cpu.build(rungs.source(name), counted=True).launch(name, (1,), (256,), x, out, 256)
    assert counts["sum_remainder"].shared > counts["sum_strided"].shared == counts["sum_halves"].shared
    assert counts["sum_strided"].passes > 2 * counts["sum_strided"].shared
    assert counts["sum_halves"].passes == counts["sum_halves"].shared


def test_errors_say_what_there_is():
    with pytest.raises(ValueError, match="matmul_tiled"):
        rungs.matmul(random(2, 2), random(2, 2), "matmul_best")
    with pytest.raises(ValueError, match=r"expected \(M, K\) and \(K, N\)"):
        rungs.matmul(random(2, 3), random(2, 3))
    with pytest.raises(ValueError, match="sum_shuffle"):
        rungs.total(random(3), "sum_best")
    with pytest.raises(ValueError, match="equal lengths"):
        rungs.vector_add(random(3), random(4))
    with pytest.raises(ValueError, match="softmax_online"):
        rungs.softmax(random(2, 2), "softmax_best")
    with pytest.raises(ValueError, match="there is no rung"):
        rungs.source("best")


def test_places_that_do_not_fit_into_32_bits_are_refused():
    a, b = torch.zeros(1, 1).expand(65536, 32768), torch.zeros(1, 1).expand(32768, 1)
    with pytest.raises(ValueError, match=r"a tensor of 2147483648 numbers; .* at most 2\^31 - 1"):
        rungs.matmul(a, b)
