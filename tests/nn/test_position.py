"""Position vectors: the closed form, the rotation behind it, and what a learned table cannot do."""

import math

import pytest
import torch
from torch.nn import functional as F

from minigpt.nn import LearnedPositions, SinusoidalPositions, frequencies, sinusoidal


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rotation(offset: int, d_model: int, base: float) -> torch.Tensor:
    """A matrix that turns every (sine, cosine) pair by its own angle, from the addition theorems."""
    blocks = []
    for i in range(0, d_model, 2):
        angle = offset / base ** (i / d_model)
        c, s = math.cos(angle), math.sin(angle)
        blocks.append(torch.tensor([[c, s], [-s, c]], dtype=torch.float64))
    return torch.block_diag(*blocks)


@pytest.mark.parametrize(("d_model", "base"), [(2, 10000.0), (8, 10000.0), (30, 100.0)])
def test_table_equals_closed_form(d_model, base):
    table = sinusoidal(60, d_model, base, dtype=torch.float64)
    for p in (0, 1, 7, 59):
        for i in range(d_model // 2):
            angle = p / base ** (2 * i / d_model)
            assert table[p, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-13)
            assert table[p, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-13)


def test_float32_table_is_rounded_once_even_far_out():
    far = sinusoidal(100_001, 64)[-1]
    for i in range(32):
        assert far[2 * i].item() == pytest.approx(math.sin(100_000 / 10000 ** (2 * i / 64)), abs=2**-25)


@pytest.mark.parametrize("offset", [-40, -1, 0, 1, 3, 100])
def test_shift_is_a_rotation(offset):
    table = sinusoidal(200, 16, dtype=torch.float64)
    here = table[40:100]
    there = table[40 + offset : 100 + offset]
    turn = rotation(offset, 16, 10000.0)
    torch.testing.assert_close(here @ turn.T, there, rtol=0, atol=1e-12)
    torch.testing.assert_close(turn @ turn.T, torch.eye(16, dtype=torch.float64), rtol=0, atol=1e-14)


def test_dot_product_depends_on_the_offset_only():
    table = sinusoidal(300, 32, dtype=torch.float64)
    products = table @ table.T
    for offset in (0, 1, 10, 250):
        expected = sum(math.cos(offset / 10000 ** (2 * i / 32)) for i in range(16))
        diagonal = products.diagonal(offset)
        torch.testing.assert_close(diagonal, torch.full_like(diagonal, expected), rtol=0, atol=1e-11)


def test_no_two_positions_share_a_vector():
    distances = torch.cdist(sinusoidal(2048, 16, dtype=torch.float64), sinusoidal(2048, 16, dtype=torch.float64))
    assert distances.fill_diagonal_(math.inf).min() > 0.5


def test_wavelengths_grow_geometrically_from_two_pi():
    wavelengths = 2 * math.pi / frequencies(512)
    assert wavelengths[0].item() == pytest.approx(2 * math.pi)
    assert wavelengths[-1].item() == pytest.approx(2 * math.pi * 10000 ** (510 / 512))
    ratios = wavelengths[1:] / wavelengths[:-1]
    torch.testing.assert_close(ratios, torch.full_like(ratios, 10000 ** (1 / 256)))


@pytest.mark.parametrize("make", [SinusoidalPositions, LearnedPositions])
def test_adds_one_row_to_each_token_of_every_text(make):
    positions = make(10, 4)
    table = positions(torch.zeros(10, 4))
    x = torch.rand(3, 6, 4, generator=seeded())
    expected = torch.stack([torch.stack([text[t] + table[t] for t in range(6)]) for text in x])
    assert torch.equal(positions(x), expected)


@pytest.mark.parametrize("make", [SinusoidalPositions, LearnedPositions])
def test_a_text_in_two_parts_gets_the_positions_of_the_whole(make):
    positions = make(10, 4)
    x = torch.rand(2, 10, 4, generator=seeded())
    parts = torch.cat([positions(x[:, :7]), positions(x[:, 7:], start=7)], dim=1)
    assert torch.equal(parts, positions(x))


@pytest.mark.parametrize("make", [SinusoidalPositions, LearnedPositions])
def test_positions_without_a_row_are_rejected(make):
    positions = make(10, 4)
    with pytest.raises(ValueError, match="8 tokens from position 3 need positions 3 to 10, but there are rows 0 to 9"):
        positions(torch.zeros(8, 4), start=3)
    with pytest.raises(ValueError, match="from position -1"):
        positions(torch.zeros(8, 4), start=-1)
    with pytest.raises(ValueError, match="x has width 1, these position vectors have d_model=4"):
        positions(torch.zeros(8, 1))


@pytest.mark.parametrize("make", [SinusoidalPositions, LearnedPositions])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_dtype_of_the_input_is_kept(make, dtype):
    assert make(10, 4)(torch.zeros(5, 4, dtype=dtype)).dtype == dtype


def test_sinusoidal_positions_equal_the_table_and_leave_no_trace_in_checkpoints():
    positions = SinusoidalPositions(10, 6, base=50.0)
    assert torch.equal(positions(torch.zeros(1, 10, 6))[0], sinusoidal(10, 6, 50.0))
    assert not list(positions.parameters())
    assert not positions.state_dict()


def test_learned_positions_train_only_the_rows_in_use():
    positions = LearnedPositions(10, 4, generator=seeded())
    target = torch.rand(6, 4, generator=seeded(1))
    F.mse_loss(positions(torch.zeros(6, 4)), target).backward()
    assert positions.weight.grad[:6].all()
    assert not positions.weight.grad[6:].any()


def test_parameters_are_positions_times_width_without_memory():
    with torch.device("meta"):
        learned, computed = LearnedPositions(1024, 768), SinusoidalPositions(1024, 768)
    assert sum(p.numel() for p in learned.parameters()) == 786_432
    assert computed(torch.zeros(2, 5, 768, device="meta")).shape == (2, 5, 768)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "n_positions=0 must be at least 1"),
        ((3, 5), "d_model=5 must be even"),
        ((3, 0), "d_model=0 must be even and at least 2"),
        ((3, 4, 1.0), "base=1.0 must be larger than 1"),
        ((3, 4, float("nan")), "base=nan must be larger than 1"),
    ],
)
def test_impossible_sizes_are_rejected(arguments, message):
    for make in (sinusoidal, SinusoidalPositions):
        with pytest.raises(ValueError, match=message):
            make(*arguments)


def test_impossible_sizes_of_a_learned_table_are_rejected():
    with pytest.raises(ValueError, match="n_positions=0 and d_model=4 must both be at least 1"):
        LearnedPositions(0, 4)


def test_modules_say_their_sizes():
    assert repr(SinusoidalPositions(10, 4)) == "SinusoidalPositions(n_positions=10, d_model=4, base=10000)"
    assert repr(LearnedPositions(10, 4)) == "LearnedPositions(n_positions=10, d_model=4)"
