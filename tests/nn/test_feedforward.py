"""Feed-forward networks: each position alone, the published formulas, and the forms of GELU."""

import math

import pytest
import torch
from by_hand import draw, seeded
from torch import nn

from minigpt.nn import ACTIVATIONS, FeedForward, GatedFeedForward
from minigpt.nn.feedforward import activation_of

FORMULAS = {
    "relu": lambda a: max(a, 0.0),
    "gelu": lambda a: a * 0.5 * (1 + math.erf(a / math.sqrt(2))),
    "gelu_tanh": lambda a: 0.5 * a * (1 + math.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))),
    "gelu_sigmoid": lambda a: a / (1 + math.exp(-1.702 * a)),
    "silu": lambda a: a / (1 + math.exp(-a)),
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "identity": lambda a: a,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_equal_their_formulas(name):
    x = torch.linspace(-6, 6, 101, dtype=torch.float64)
    expected = torch.tensor([FORMULAS[name](a.item()) for a in x], dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS[name](x), expected, rtol=1e-12, atol=1e-15)


def test_gelu_in_two_forms_equals_pytorch():
    x = 5 * draw(1000, dtype=torch.float32)
    assert torch.equal(ACTIVATIONS["gelu"](x), nn.GELU()(x))
    assert torch.equal(ACTIVATIONS["gelu_tanh"](x), nn.GELU(approximate="tanh")(x))


def test_the_tanh_form_of_gelu_is_forty_times_closer_than_the_sigmoid_form():
    x = torch.linspace(-8, 8, 16001, dtype=torch.float64)
    exact = ACTIVATIONS["gelu"](x)
    worst = {name: (ACTIVATIONS[name](x) - exact).abs().max().item() for name in ("gelu_tanh", "gelu_sigmoid")}
    assert worst["gelu_tanh"] == pytest.approx(0.00047, abs=1e-5)
    assert worst["gelu_sigmoid"] == pytest.approx(0.0203, abs=1e-4)


@pytest.mark.parametrize("name", ["relu", "gelu_tanh"])
def test_the_plain_network_equals_equation_2(name):
    network = FeedForward(4, 6, activation=name, generator=seeded(), std=0.5).double()
    network.up.bias.data, network.down.bias.data = draw(6, seed=1), draw(4, seed=2)
    x = draw(2, 3, 4)
    inner = (x @ network.up.weight.T + network.up.bias).detach().apply_(FORMULAS[name])
    torch.testing.assert_close(network(x), inner @ network.down.weight.T + network.down.bias)


@pytest.mark.parametrize("name", ["silu", "gelu", "relu", "sigmoid", "identity"])
def test_the_gated_network_equals_equation_6_of_shazeer(name):
    network = GatedFeedForward(4, 6, activation=name, generator=seeded(), std=0.5).double()
    x = draw(2, 3, 4)
    gate = (x @ network.gate.weight.T).detach().apply_(FORMULAS[name])
    torch.testing.assert_close(network(x), (gate * (x @ network.up.weight.T)) @ network.down.weight.T)


@pytest.mark.parametrize("network", [FeedForward(4, 8), GatedFeedForward(4, 8)])
def test_every_position_is_mapped_alone(network):
    x = draw(2, 5, 4, dtype=torch.float32).requires_grad_()
    network(x)[0, 2].sum().backward()
    assert x.grad[0, 2].all()
    others = x.grad.clone()
    others[0, 2] = 0
    assert not others.any()


def test_two_thirds_of_the_width_give_a_gated_network_as_many_parameters():
    plain, gated = FeedForward(12, 48, bias=False), GatedFeedForward(12, 32)
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in gated.parameters()) == 8 * 12**2


@pytest.mark.parametrize("network", [FeedForward, GatedFeedForward])
def test_the_map_back_can_begin_smaller(network):
    narrow = network(100, 200, std=0.02, std_out=0.005, generator=seeded())
    assert narrow.up.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert narrow.down.weight.std().item() == pytest.approx(0.005, rel=0.02)
    same = network(100, 200, std=0.02, generator=seeded())
    assert same.down.weight.std().item() == pytest.approx(0.02, rel=0.02)


def test_an_unknown_activation_is_named_with_those_that_there_are():
    for make in (lambda: FeedForward(4, 8, activation="swish"), lambda: activation_of("swish")):
        with pytest.raises(ValueError, match=r"activation=.swish. is not known; use one of relu, gelu, .*, identity"):
            make()
    with pytest.raises(ValueError, match="d_in=4 and d_out=0 must both be at least 1"):
        FeedForward(4, 0)
