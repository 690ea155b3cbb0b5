"""The loss against formulas in double precision, and the schedules against their shapes."""

import math

import pytest
import torch

from minigpt.training import TrainingConfig, language_model_loss, schedule
from minigpt.training.schedule import cosine, linear, wsd


def test_the_loss_is_the_mean_of_the_positions_that_count():
    logits = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(0)) * 4
    targets = torch.tensor([[0, 4, -100], [2, -100, 1]])
    probabilities = logits.double().exp() / logits.double().exp().sum(-1, keepdim=True)
    own = [-math.log(probabilities[i, j, targets[i, j]]) for i in range(2) for j in range(3) if targets[i, j] >= 0]
    assert language_model_loss(logits, targets).item() == pytest.approx(sum(own) / 4, rel=1e-6)
    assert language_model_loss(logits, targets, reduction="sum").item() == pytest.approx(sum(own), rel=1e-6)


def test_the_z_loss_is_the_mean_square_of_the_log_of_the_sum():
    logits = torch.rand(1, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[0, -100, 2]])
    z = logits.double().exp().sum(-1).log()[0]
    added = language_model_loss(logits, targets, z_loss=0.5) - language_model_loss(logits, targets)
    assert added.item() == pytest.approx(0.5 * (z[0] ** 2 + z[2] ** 2).item() / 2, rel=1e-5)


def test_half_precision_is_summed_in_full():
    logits = torch.rand(1, 400, 50, generator=torch.Generator().manual_seed(0)).bfloat16()
    targets = torch.arange(400)[None] % 50
    exact = language_model_loss(logits.double(), targets)
    assert language_model_loss(logits, targets).item() == pytest.approx(exact.item(), rel=1e-6)


def test_nothing_to_predict_is_an_error():
    with pytest.raises(ValueError, match="nothing to predict"):
        language_model_loss(torch.zeros(1, 2, 3), torch.full((1, 2), -100))


def test_a_cosine_is_half_way_down_in_the_middle():
    assert cosine(0, steps=101) == 1
    assert cosine(50, steps=101, final=0.2) == pytest.approx(0.6)
    assert cosine(100, steps=101, final=0.2) == pytest.approx(0.2)
    assert cosine(500, steps=101, final=0.2) == pytest.approx(0.2)


def test_warm_up_rises_in_equal_steps():
    assert [cosine(step, steps=1000, warmup=4) for step in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=1e-4)


def test_a_line_is_a_line():
    assert [linear(step, steps=5) for step in range(5)] == pytest.approx([1, 0.75, 0.5, 0.25, 0])


def test_warm_up_stable_decay_does_not_depend_on_the_number_of_steps_before_it_decays():
    short = [wsd(step, steps=100, warmup=10) for step in range(80)]
    assert short == [wsd(step, steps=1000, warmup=10) for step in range(80)]
    assert wsd(99, steps=100, final=0.1) == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["cosine", "linear", "wsd", "constant"])
def test_every_schedule_begins_warm_and_stays_between_zero_and_one(name):
    factor = schedule(TrainingConfig(steps=50, schedule=name, warmup=5))
    assert factor(0) == pytest.approx(0.2)
    assert all(0 < factor(step) <= 1 for step in range(50))
