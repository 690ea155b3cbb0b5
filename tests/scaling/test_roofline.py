"""Counting a model's operations and bytes, and what a device can make of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from minigpt.models import GPT, TransformerConfig, count_parameters, preset
from minigpt.scaling import DEVICES, Device, Operation, operations

PRODUCTS = {"queries, keys, values", "attention", "mixing the heads", "up", "down", "head"}
configs = st.builds(
    lambda heads, groups, **sizes: TransformerConfig(
        n_heads=heads * groups, n_kv_heads=heads, d_model=8 * heads * groups, context=64, **sizes
    ),
    heads=st.integers(1, 3),
    groups=st.integers(1, 3),
    vocab_size=st.integers(2, 90),
    n_layers=st.integers(1, 3),
    d_ff=st.integers(1, 70),
    gated=st.booleans(),
    positions=st.sampled_from(["learned", "rotary"]),
    tied=st.booleans(),
)


def total(config, phase, what="flops", only=None, **sizes):
    counted = operations(config, phase, **sizes)
    return sum(getattr(operation, what) for operation in counted if only is None or operation.name in only)


@settings(deadline=None)
@given(configs, st.integers(1, 3), st.integers(1, 16))
def test_products_are_as_many_as_pytorch_counts(config, batch, length):
    with torch.device("meta"):
        model = GPT(config)
        ids = torch.zeros(batch, length, dtype=torch.long)
    with FlopCounterMode(display=False) as forward:
        logits = model(ids)
    with FlopCounterMode(display=False) as backward:
        F.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()
    whole = {"batch": batch, "length": length, "only": PRODUCTS, "fused_attention": False}
    assert total(config, "training", **whole) == forward.get_total_flops() + backward.get_total_flops()
    # A prompt needs the logits of its last position alone.
    spared = 2 * batch * (length - 1) * config.d_model * config.vocab_size
    assert total(config, "prefill", **whole) == forward.get_total_flops() - spared


@given(configs, st.integers(1, 16))
def test_one_token_reads_every_weight_once(config, batch):
    # Bytes that do not depend on the batch are those of the weights, the table counted as the map to the logits.
    one, two = (total(config, "decode", "bytes", batch=n * batch, length=1, bytes_per_number=1) for n in (1, 2))
    tables = {"token embedding", "position embedding", "norms"}
    weights = sum(n for part, n in count_parameters(config, by="part").items() if part not in tables)
    if config.tied:
        weights += config.vocab_size * config.d_model
    assert 2 * one - two == weights


def test_attention_in_decoding_does_not_gain_from_the_batch():
    for name, expected in (("gpt-2", 1), ("llama-3-8b", 4), ("llama-3-70b", 8)):
        for batch in (1, 64):
            counted = operations(preset(name), "decode", batch=batch, length=4096)
            attention = next(operation for operation in counted if operation.name == "attention")
            up = next(operation for operation in counted if operation.name == "up")
            assert attention.intensity == pytest.approx(expected, rel=0.01)  # queries for each key and value
            assert up.intensity == pytest.approx(batch, rel=0.1)


def test_a_window_and_the_mask_spare_what_nobody_sees():
    config = TransformerConfig(vocab_size=10, n_layers=2, d_model=8, n_heads=2, context=32, window=3)
    seen = sum(min(i + 1, 3) for i in range(20))
    prefill = total(config, "prefill", only={"attention"}, batch=1, length=20)
    assert prefill == 2 * 4 * 8 * seen
    assert total(config, "decode", only={"attention"}, batch=1, length=20) == 2 * 4 * 8 * 3
    whole = total(config, "prefill", only={"attention"}, batch=1, length=20, fused_attention=False)
    assert whole == 2 * 4 * 8 * 20 * 20


def test_a_backward_pass_costs_two_forward_passes():
    config = preset("gpt-2")
    linear = PRODUCTS - {"attention", "head"}
    for what in ("flops", "bytes"):
        both = total(config, "training", what, only=linear, batch=2, length=64)
        assert both == 3 * total(config, "prefill", what, only=linear, batch=2, length=64)


def test_the_operations_of_a_training_token_are_about_six_for_each_parameter():
    config = preset("gpt-2")
    for_each = total(config, "training", only=PRODUCTS, batch=1, length=64) / 64 / count_parameters(config)
    assert 5.9 < for_each < 6.1


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-3, 1e6), st.floats(1e-3, 1e6))
def test_the_roof_is_the_time_of_the_slower_of_two_things(flops, bandwidth, work, moved):
    device, operation = Device("any", flops, bandwidth), Operation("any", work, moved)
    assert work / device.seconds(operation) == pytest.approx(device.attainable(operation.intensity))
    assert device.attainable(device.ridge) == pytest.approx(flops)
    assert device.seconds([operation, operation]) == pytest.approx(2 * device.seconds(operation))


def test_the_bend_of_an_h200_lies_at_about_two_hundred_operations_a_byte():
    assert DEVICES["H200"].ridge == pytest.approx(206, abs=1)
    assert DEVICES["H100"].ridge == pytest.approx(295, abs=1)


def test_what_is_asked_wrongly_is_explained():
    config = preset("gpt-2")
    with pytest.raises(ValueError, match="phase='reading'"):
        operations(config, "reading", batch=1, length=1)
    with pytest.raises(ValueError, match="batch=0"):
        operations(config, "decode", batch=0, length=1)
    with pytest.raises(ValueError, match="bandwidth=0"):
        Device("no memory", 1, 0)
    with pytest.raises(ValueError, match="intensity=-1"):
        DEVICES["T4"].attainable(-1)
