"""Loss scaling: against torch's own scaler, and gradients that FP16 loses without it."""

import numpy as np
import pytest
import torch

from minigpt.numerics import FP16, LossScale


def test_the_scale_moves_as_that_of_torch_amp():
    ours = LossScale(1024.0, growth=2.0, backoff=0.5, interval=3)
    theirs, growth = torch.tensor(1024.0), torch.tensor(0, dtype=torch.int32)
    finite = np.random.default_rng(0).random(200) < 0.8
    for step in finite:
        torch._amp_update_scale_(theirs, growth, torch.tensor(float(not step)), 2.0, 0.5, 3)
        ours.update(bool(step))
        assert (ours.scale, ours.good_steps) == (theirs.item(), growth.item())
    assert ours.skipped == (~finite).sum()


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_gradients_are_divided_in_place_and_infinities_are_found(make):
    scale = LossScale(8.0)
    gradients = [make([8.0, 16.0]), make([[0.0], [-4.0]])]
    assert scale.unscale(gradients)
    assert gradients[0].tolist() == [1, 2]
    assert gradients[1].tolist() == [[0], [-0.5]]
    assert scale.unscale([None, make([8.0])])  # a parameter that got no gradient
    for bad in (float("inf"), float("-inf"), float("nan")):
        before = scale.scale
        assert not scale.unscale([make([1.0]), make([bad, 1.0])])
        assert scale.scale == before / 2


def test_small_gradients_survive_half_precision_only_under_a_scale():
    gradient = np.full(10, 1e-8)
    assert not FP16.round(gradient).any()
    scale = LossScale(2.0**14, interval=None)
    scaled = FP16.round(gradient * scale.scale)
    assert scale.unscale([scaled])
    np.testing.assert_allclose(scaled, gradient, rtol=FP16.epsilon / 2)


def test_a_static_scale_stays_and_a_dynamic_one_keeps_to_its_limits():
    static = LossScale(4.0, interval=None)
    for finite in (True, False) * 5:
        static.update(finite)
    assert (static.scale, static.skipped) == (4.0, 5)
    dynamic = LossScale(4.0, interval=1, smallest=1.0, largest=16.0)
    scales = []
    for finite in (True,) * 4 + (False,) * 6:
        dynamic.update(finite)
        scales.append(dynamic.scale)
    assert scales == [8, 16, 16, 16, 8, 4, 2, 1, 1, 1]


def test_a_saved_scale_goes_on_as_if_it_had_not_stopped():
    first, second = LossScale(interval=2), LossScale(interval=2)
    for finite in (True, False, True):
        first.update(finite)
    second.load_state_dict(first.state_dict())
    first.update(True)
    second.update(True)
    assert second.state_dict() == first.state_dict() == {"scale": 2.0**16, "good_steps": 0, "skipped": 1}
    assert repr(first) == "LossScale(65536, interval=2)"


def test_impossible_arguments_are_rejected():
    for wrong, match in (
        ({"scale": 0.0}, "scale=0.0 must lie between"),
        ({"growth": 0.5}, "growth=0.5 must be at least 1"),
        ({"backoff": 1.0}, "backoff=1.0 between 0 and 1"),
        ({"interval": 0}, "interval=0 must be at least 1 step, or None"),
    ):
        with pytest.raises(ValueError, match=match):
            LossScale(**wrong)
