"""Interpreted kernels calculate as PyTorch does, in every format, and say where they cannot."""

import numpy as np
import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton has wheels for Linux alone")

import triton.language as tl  # noqa: E402

from kernels.harness import draw, generator, on_every_device  # noqa: E402
from minigpt.kernels import interpret  # noqa: E402
from minigpt.kernels.interpret import Launcher, program_order  # noqa: E402

NARROW = [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2]


@triton.jit
def cast_kernel(source, target, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    values = tl.load(source + at, mask=at < n)
    tl.store(target + at, values.to(target.dtype.element_ty), mask=at < n)


@triton.jit
def arithmetic_kernel(x_pointer, y_pointer, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x, y = tl.load(x_pointer + at), tl.load(y_pointer + at)
    tl.store(out + at, x + y)
    tl.store(out + n + at, x - y)
    tl.store(out + 2 * n + at, x * y)
    tl.store(out + 3 * n + at, tl.where(x > y, x, y))
    tl.store(out + 4 * n + at, tl.abs(x))


@triton.jit
def reduce_kernel(x_pointer, out, n: tl.constexpr):
    x = tl.load(x_pointer + tl.arange(0, n)[:, None] * n + tl.arange(0, n)[None, :])
    tl.store(out + tl.arange(0, n), tl.sum(x, 1))
    tl.store(out + n + tl.arange(0, n), tl.max(x, 1).to(x.dtype))


@triton.jit
def dot_kernel(a, b, c, n: tl.constexpr):
    at = tl.arange(0, n)[:, None] * n + tl.arange(0, n)[None, :]
    product = tl.dot(tl.load(a + at), tl.load(b + at), input_precision="ieee")
    tl.store(c + at, product)


@triton.jit
def last_writer_kernel(out):
    tl.store(out, tl.program_id(0))


@triton.jit
def overrun_kernel(out):
    tl.static_assert(False, "this kernel is wrong")


@triton.jit
def if_kernel(out, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    if tl.program_id(0) < n:  # one number
        tl.store(out + at, 1, mask=at < n)
    if at < n:  # a block
        tl.store(out + at, 2)


@triton.jit
def and_kernel(out, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(out + at, 1, mask=(at >= 0) and (at < n))


@triton.jit
def max_kernel(out, BLOCK: tl.constexpr):
    tl.store(out + tl.arange(0, BLOCK), max(tl.arange(0, BLOCK), 2))


def cast(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    out = torch.empty(x.shape, dtype=dtype)
    Launcher(cast_kernel)[(triton.cdiv(x.numel(), 8192),)](x, out, x.numel(), BLOCK=8192)
    return out


def bits(x: torch.Tensor) -> torch.Tensor:
    return x.view({1: torch.uint8, 2: torch.int16, 4: torch.int32}[x.itemsize])


def every_code(dtype: torch.dtype) -> torch.Tensor:
    kind = np.uint8 if dtype.itemsize == 1 else np.uint16
    bits = torch.from_numpy(np.arange(2 ** (8 * dtype.itemsize)).astype(kind).view(f"i{dtype.itemsize}"))
    return bits.to(torch.get_default_device()).view(dtype)


def assert_same_numbers(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    nan = theirs.float().isnan()
    assert torch.equal(ours.float().isnan(), nan)
    assert torch.equal(bits(ours)[~nan], bits(theirs)[~nan])


@on_every_device
@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_every_code_is_read_as_the_number_that_it_is(dtype):
    codes = every_code(dtype)
    assert_same_numbers(cast(codes, torch.float32), codes.float())


@on_every_device
@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_every_code_comes_back(dtype):
    codes = every_code(dtype)
    finite = codes[codes.float().isfinite()]
    assert_same_numbers(cast(finite.float(), dtype), finite)


@on_every_device
@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_float32_is_rounded_to_the_nearest_with_ties_to_even(dtype):
    random = np.random.default_rng(0).integers(0, 2**32, 2**16, dtype=np.uint32).view(np.float32)
    codes = every_code(dtype).float()
    codes = codes[codes.isfinite()].sort().values.double()
    ties = ((codes[1:] + codes[:-1]) / 2).float()  # exactly between neighbours
    x = torch.cat([torch.from_numpy(random).to(ties.device), ties, draw(4096, seed=1)])
    if dtype.itemsize == 1:
        x = x.clamp(-torch.finfo(dtype).max, torch.finfo(dtype).max)  # beyond, the next test
    assert_same_numbers(cast(x, dtype), x.to(dtype))


@on_every_device
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_floats_of_8_bits_saturate(dtype):
    largest = torch.finfo(dtype).max
    x = torch.tensor([1e6, -1e6, torch.inf, -torch.inf, torch.nan])
    assert cast(x, dtype).float().tolist()[:4] == [largest, -largest] * 2
    assert cast(x, dtype).float()[4].isnan()


@on_every_device
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_16_bit_arithmetic_is_that_of_torch_bit_by_bit(dtype):
    n = 65536
    x = every_code(dtype)
    y = x[torch.randperm(n, generator=generator(0))]
    out = torch.empty(5, n, dtype=dtype)
    Launcher(arithmetic_kernel)[(8,)](x, y, out, n, BLOCK=n // 8)
    expected = [x + y, x - y, x * y, torch.where(x > y, x, y), x.abs()]
    for ours, theirs in zip(out, expected, strict=True):
        assert_same_numbers(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_reductions_are_rounded_once(dtype):
    n = 64
    x = draw(n, n, dtype=dtype)
    out = torch.empty(2, n, dtype=dtype)
    Launcher(reduce_kernel)[(1,)](x, out, n=n)
    exact = x.double().sum(1)
    # Half a unit in the last place, and the error of a sum of 64 numbers in float32.
    assert ((out[0].double() - exact).abs() <= torch.finfo(dtype).eps / 2 * exact.abs() + 64 * 2**-24 * 8).all()
    assert torch.equal(out[1], x.amax(1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_a_dot_product_of_narrow_numbers_is_exact_to_float32(dtype):
    n = 64
    a, b = (draw(n, n, seed=seed, dtype=dtype) for seed in range(2))
    c = torch.empty(n, n)
    Launcher(dot_kernel)[(1,)](a, b, c, n=n)
    torch.testing.assert_close(c.double(), a.double() @ b.double(), rtol=0, atol=n * 2**-24 * 16)


def test_a_grid_runs_in_the_order_that_is_asked_for():
    out = torch.zeros(1, dtype=torch.int32)
    Launcher(last_writer_kernel)[(5,)](out)
    assert out.item() == 4
    with program_order(reversed):
        Launcher(last_writer_kernel)[(5,)](out)
    assert out.item() == 0


def test_an_empty_grid_runs_nothing():
    out = torch.full((1,), 7, dtype=torch.int32)
    Launcher(last_writer_kernel)[(0,)](out)
    assert out.item() == 7


def test_the_language_is_left_as_it_was():
    before = {name: id(getattr(tl, name)) for name in dir(tl)}
    with pytest.raises(AssertionError, match="wrong") as caught:
        Launcher(overrun_kernel)[(2,)](torch.zeros(1))
    assert caught.value.__notes__ == ["in program (0, 0, 0) of (2, 1, 1) of the interpreted kernel overrun_kernel"]
    assert {name: id(getattr(tl, name)) for name in dir(tl)} == before


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="no function under"):
        Launcher(print)
    with pytest.raises(ValueError, match="has no argument size"):
        Launcher(last_writer_kernel)[(1,)](torch.zeros(1), size=3)
    with pytest.raises(ValueError, match="one, two or three axes"):
        Launcher(last_writer_kernel)[(1, 1, 1, 1)](torch.zeros(1))
    with pytest.raises(ValueError, match="cpu and meta"):
        Launcher(cast_kernel)[(1,)](torch.zeros(1), torch.zeros(1, device="meta"), 1, BLOCK=1)


def test_a_block_is_neither_true_nor_false():
    out = torch.zeros(8, dtype=torch.int32)
    for kernel, sizes in ((if_kernel, {"n": 5}), (and_kernel, {"n": 5}), (max_kernel, {})):
        with pytest.raises(TypeError, match="neither true nor false; in place of if, and"):
            Launcher(kernel)[(1,)](out, BLOCK=8, **sizes)
    assert out.tolist() == [1, 1, 1, 1, 1, 0, 0, 0], "only the `if` of a single number went on"


def test_another_version_of_triton_is_refused(monkeypatch):
    monkeypatch.setattr(triton, "__version__", "3.6.0")
    with pytest.raises(RuntimeError, match=r"Triton 3\.6\.0 is installed; .* 3\.7 up to below 3\.10"):
        interpret.check_version()
