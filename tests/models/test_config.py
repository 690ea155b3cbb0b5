"""The configuration: filled in, checked when it is made, and changed without surprises."""

import copy
import dataclasses
import math
import pickle

import pytest
from small import SMALL, config_of

from minigpt.models import TransformerConfig
from minigpt.nn import LinearScaling, Llama3Scaling


def test_the_defaults_are_those_of_gpt_2():
    config = TransformerConfig(vocab_size=50257, n_layers=12, d_model=768, n_heads=12)
    assert (config.context, config.d_head, config.d_ff, config.n_kv_heads) == (1024, 64, 3072, 12)
    assert (config.activation, config.norm, config.norm_eps, config.norm_first) == ("gelu_tanh", "layer", 1e-5, True)
    assert (config.positions, config.bias, config.tied, config.head_bias) == ("learned", True, True, False)


def test_values_that_follow_from_others_are_filled_in():
    config = config_of(bias=False)
    assert (config.n_kv_heads, config.d_head, config.d_ff, config.n_encoder_layers) == (4, 4, 64, 2)
    assert config.qkv_bias is False
    assert config.out_bias is False
    assert config_of(bias=False, qkv_bias=True).qkv_bias is True


def test_it_cannot_be_changed_but_replaced():
    config = config_of()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.n_layers = 3
    assert config.replace(n_layers=3).n_layers == 3
    assert config.n_layers == 2


def test_replace_finds_anew_what_followed():
    wider = config_of().replace(d_model=32, n_heads=8, n_layers=5, bias=False)
    assert wider == config_of(d_model=32, n_heads=8, n_layers=5, bias=False)
    assert (wider.d_ff, wider.d_head, wider.n_kv_heads, wider.n_encoder_layers) == (128, 4, 8, 5)
    assert wider.qkv_bias is False


def test_replace_keeps_what_did_not_follow():
    own = config_of(d_ff=40, d_head=6, n_kv_heads=2, n_encoder_layers=1, qkv_bias=False)
    wider = own.replace(d_model=32, n_heads=8, n_layers=5)
    assert (wider.d_ff, wider.d_head, wider.n_kv_heads, wider.n_encoder_layers) == (40, 6, 2, 1)
    assert wider.qkv_bias is False
    assert wider.out_bias is True


def test_replace_checks_the_new_values():
    with pytest.raises(ValueError, match="d_model=18 is not divisible by n_heads=4"):
        config_of().replace(d_model=18)
    with pytest.raises(TypeError, match="n_layer"):
        config_of().replace(n_layer=3)


def test_changed_names_what_tells_it_from_the_defaults():
    changed = config_of(norm="rms", tied=False).changed()
    assert changed["norm"] == "rms"
    assert changed["tied"] is False
    assert "norm_eps" not in changed
    assert TransformerConfig(**changed) == config_of(norm="rms", tied=False)


def test_equal_configurations_are_equal_keys_and_survive_copies():
    config = config_of("llama", rope_scaling=Llama3Scaling())
    assert {config: 1}[config_of("llama", rope_scaling=Llama3Scaling())] == 1
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config


@pytest.mark.parametrize("name", ["vocab_size", "n_layers", "d_model", "n_heads", "context", "d_ff", "window"])
@pytest.mark.parametrize("value", [0, -1, 2.0, True, "8"])
def test_sizes_are_integers_of_at_least_one(name, value, without_shape_checks):
    with pytest.raises(ValueError, match=f"{name}={value!r} must be an integer of at least 1"):
        TransformerConfig(**SMALL | {name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 3}, "d_model=16 is not divisible by n_heads=3; choose others, or give d_head"),
        ({"n_kv_heads": 3}, "n_heads=4 is not a multiple of n_kv_heads=3"),
        ({"n_kv_heads": 8}, "n_heads=4 is not a multiple of n_kv_heads=8"),
        ({"activation": "swish"}, r"activation='swish' is not known; use one of relu, gelu, .*"),
        ({"norm": "batch"}, "norm='batch' is not known; use one of layer, rms"),
        ({"positions": "alibi"}, "positions='alibi' is not known; use one of learned, sinusoidal, rotary, none"),
        ({"rope_layout": "split"}, "rope_layout='split' is not known; use one of half, interleaved"),
        ({"positions": "rotary", "d_head": 5}, "d_head=5 is odd; rotary positions turn pairs of coordinates"),
        ({"positions": "sinusoidal", "d_model": 15, "n_heads": 5}, "d_model=15 is odd; sinusoidal positions are pairs"),
        ({"rope_scaling": LinearScaling(2.0)}, "rope_scaling needs positions='rotary', not 'learned'"),
        ({"rope_base": 1.0}, "rope_base=1.0 must be larger than 1"),
        ({"norm_eps": 0.0}, "norm_eps=0.0 must be positive, or a vector of zeros divides by zero"),
        ({"norm_eps": math.nan}, "norm_eps=nan must be positive"),
        ({"dropout": 1.0}, "dropout=1.0 is a share; it must be from 0 to below 1"),
        ({"dropout": -0.1}, "dropout=-0.1 is a share"),
        ({"std": -0.02}, "std=-0.02 is no standard deviation; it must be a finite number that is at least 0"),
        ({"n_segments": -1}, "n_segments=-1 must be an integer of at least 0"),
    ],
)
def test_impossible_values_are_rejected_when_it_is_made(changes, message, without_shape_checks):
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**SMALL | changes)


def test_values_go_by_name():
    with pytest.raises(TypeError, match="positional"):
        TransformerConfig(13, 2, 16, 4)
