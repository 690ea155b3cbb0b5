"""A linear map: the same as PyTorch's, but with initial weights that a seed decides."""

import pytest
import torch
from by_hand import draw, seeded
from torch import nn

from minigpt.nn import Linear


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (0, 5)])
def test_it_equals_pytorch_exactly(shape, bias):
    ours, theirs = Linear(5, 7, bias=bias, generator=seeded()), nn.Linear(5, 7, bias=bias)
    theirs.load_state_dict(ours.state_dict())
    x = draw(*shape, dtype=torch.float32)
    assert torch.equal(ours(x), theirs(x))


def test_it_equals_loops_and_so_does_its_gradient():
    linear = Linear(3, 2, generator=seeded()).double()
    nn.init.constant_(linear.bias, 0.5)
    x = draw(4, 3).requires_grad_()
    rows = linear.weight.tolist()
    expected = [[sum(w * a for w, a in zip(row, vector, strict=True)) + 0.5 for row in rows] for vector in x.tolist()]
    torch.testing.assert_close(linear(x), torch.tensor(expected, dtype=torch.float64))
    assert torch.autograd.gradcheck(linear, (x,))


def test_initial_weights_have_the_standard_deviation_and_the_bias_is_zero():
    linear = Linear(200, 300, std=0.1, generator=seeded())
    assert linear.weight.std().item() == pytest.approx(0.1, rel=0.01)  # 60,000 draws: 3 sigma is below 1 %
    assert linear.weight.abs().max() <= 3**0.5 * 0.1
    assert not linear.bias.any()


def test_the_same_seed_gives_the_same_weights():
    first = Linear(4, 4, generator=seeded(3))
    assert torch.equal(first.weight, Linear(4, 4, generator=seeded(3)).weight)
    assert not torch.equal(first.weight, Linear(4, 4, generator=seeded(4)).weight)
    before = first.weight.clone()
    first.reset_parameters(seeded(4))
    assert not torch.equal(first.weight, before)
    first.reset_parameters(seeded(3))
    assert torch.equal(first.weight, before)


def test_a_map_without_a_bias_has_none_in_its_checkpoint():
    assert list(Linear(3, 4, bias=False).state_dict()) == ["weight"]
    assert repr(Linear(3, 4, bias=False)) == "Linear(d_in=3, d_out=4, bias=False)"


@pytest.mark.parametrize(("d_in", "d_out"), [(0, 3), (3, 0)])
def test_impossible_widths_are_rejected(d_in, d_out):
    with pytest.raises(ValueError, match=f"d_in={d_in} and d_out={d_out} must both be at least 1"):
        Linear(d_in, d_out)
