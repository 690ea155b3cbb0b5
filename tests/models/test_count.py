"""Counting parameters in closed form gives what building the model gives, in total and part by part."""

from collections import Counter

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from small import config_of

from minigpt.models import ARCHITECTURES, BERT, GPT, PRESETS, EncoderDecoder, TransformerConfig, count_parameters

MODELS = {"gpt": GPT, "bert": BERT, "encoder-decoder": EncoderDecoder}


def counted_by_building(config: TransformerConfig, architecture: str) -> dict[str, int]:
    """The parameters of a model without memory, sorted into parts by their names."""
    with torch.device("meta"):
        model = MODELS[architecture](config)
    count = Counter(dict.fromkeys(count_parameters(config, architecture, by="part"), 0))
    for name, parameter in model.named_parameters():
        count[part_of(name)] += parameter.numel()
    return dict(count)


def part_of(name: str) -> str:
    for sign, part in (
        ("norm.", "norms"),
        ("cross_attention.", "cross-attention"),
        ("attention.", "attention"),
        ("feed_forward.", "feed-forward"),
        ("embedding.", "token embedding"),
        ("positions.", "position embedding"),
        ("segments.", "segment embedding"),
        ("head.", "head"),
    ):
        if sign in name:
            return part
    raise AssertionError(f"no part has {name}")


def choices(*values: object) -> st.SearchStrategy:
    return st.sampled_from(values)


@st.composite
def configurations(draw: st.DrawFn) -> TransformerConfig:
    """Any configuration of a small model."""
    n_kv_heads, shared, half_head = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 4))
    n_heads, d_head = n_kv_heads * shared, 2 * half_head
    own_head = draw(st.booleans())
    return TransformerConfig(
        vocab_size=draw(st.integers(1, 40)),
        n_layers=draw(st.integers(1, 4)),
        d_model=2 * draw(st.integers(1, 12)) if own_head else n_heads * d_head,
        n_heads=n_heads,
        n_kv_heads=draw(choices(n_kv_heads, None)),
        d_head=d_head if own_head else None,
        context=draw(st.integers(1, 40)),
        d_ff=draw(st.none() | st.integers(1, 50)),
        gated=draw(st.booleans()),
        norm=draw(choices("layer", "rms")),
        norm_first=draw(st.booleans()),
        positions=draw(choices("learned", "sinusoidal", "rotary", "none")),
        bias=draw(st.booleans()),
        qkv_bias=draw(choices(None, True, False)),
        out_bias=draw(choices(None, True, False)),
        tied=draw(st.booleans()),
        head_bias=draw(st.booleans()),
        scale_embedding=draw(st.booleans()),
        n_segments=draw(st.integers(0, 3)),
        n_encoder_layers=draw(st.none() | st.integers(1, 4)),
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@given(config=configurations())
@example(config=config_of("llama"))
@example(config=config_of("gpt-1"))
def test_every_part_of_any_model_is_counted(architecture, config):
    parts = count_parameters(config, architecture, by="part")
    assert parts == counted_by_building(config, architecture)
    assert count_parameters(config, architecture) == sum(parts.values())


@pytest.mark.parametrize("name", PRESETS)
def test_every_part_of_a_published_model_is_counted(name):
    config, architecture = PRESETS[name].config, PRESETS[name].architecture
    assert count_parameters(config, architecture, by="part") == counted_by_building(config, architecture)


def test_a_layer_of_gpt_2_has_12_d_squared_and_13_d():
    layers = {
        n: count_parameters(TransformerConfig(vocab_size=50257, n_layers=n, d_model=768, n_heads=12)) for n in (1, 2)
    }
    assert layers[2] - layers[1] == 12 * 768**2 + 13 * 768


def test_the_parts_of_gpt_2():
    parts = count_parameters(PRESETS["gpt-2"].config, by="part")
    assert parts == {
        "token embedding": 50257 * 768,
        "position embedding": 1024 * 768,
        "segment embedding": 0,
        "attention": 12 * (4 * 768**2 + 4 * 768),
        "cross-attention": 0,
        "feed-forward": 12 * (8 * 768**2 + 5 * 768),
        "norms": 25 * 2 * 768,
        "head": 0,
    }


def test_sharing_keys_and_values_and_tying_the_table_save_parameters():
    config = PRESETS["llama-3-8b"].config
    saved = count_parameters(config.replace(n_kv_heads=32)) - count_parameters(config)
    assert saved == 32 * 2 * 4096 * (32 - 8) * 128
    assert count_parameters(config) - count_parameters(config.replace(tied=True)) == 128256 * 4096


def test_what_is_not_known_is_an_error(without_shape_checks):
    with pytest.raises(ValueError, match="architecture='t5' is not known; use one of gpt, bert, encoder-decoder"):
        count_parameters(config_of(), "t5")
    with pytest.raises(ValueError, match="by='layer' is not known; use None for the total, or 'part'"):
        count_parameters(config_of(), by="layer")
