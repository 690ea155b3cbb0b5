"""Writing token by token gives what the full pass of an encoder-decoder gives, also when beams change places."""

import pytest
import torch
from small import config_of, ids_of, with_biases

from minigpt.models import EncoderDecoder

IS_SOURCE_TOKEN = torch.tensor([[True] * 7, [True] * 5 + [False] * 2, [True] * 7])


@pytest.fixture(params=["sinusoidal", "gpt-2", "llama"])
def model(request):
    config = config_of(request.param, n_encoder_layers=1)
    return with_biases(EncoderDecoder(config, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("is_source_token", [None, IS_SOURCE_TOKEN], ids=["whole", "padded"])
def test_step_by_step_equals_the_full_pass(model, is_source_token):
    source, target = ids_of(3, 7), ids_of(3, 9, seed=1)
    expected = model(source, target, is_source_token=is_source_token)
    state = model.start(source, is_source_token=is_source_token)
    for i in range(9):
        logits = model.decode_step(target[:, i : i + 1], state)
        torch.testing.assert_close(logits, expected[:, i])


def test_a_prefix_can_be_read_at_once(model):
    source, target = ids_of(3, 7), ids_of(3, 9, seed=1)
    state = model.start(source, capacity=9)
    torch.testing.assert_close(model.decode_step(target[:, :8], state), model(source, target)[:, 7])
    torch.testing.assert_close(model.decode_step(target[:, 8:], state), model(source, target)[:, 8])


def test_beams_can_change_places_and_number(model):
    source, target = ids_of(3, 7), ids_of(3, 4, seed=1)
    state = model.start(source, is_source_token=IS_SOURCE_TOKEN)
    model.decode_step(target, state)
    which, more = torch.tensor([1, 1, 2, 0, 1]), ids_of(5, 1, seed=2)
    state.select(which)
    whole = model(source[which], torch.cat([target[which], more], dim=1), is_source_token=IS_SOURCE_TOKEN[which])
    torch.testing.assert_close(model.decode_step(more, state), whole[:, -1])


def test_there_is_room_for_the_capacity_and_no_more(model):
    state = model.start(ids_of(1, 7), capacity=2)
    model.decode_step(ids_of(1, 2), state)
    with pytest.raises(ValueError, match="1 more positions do not fit: the cache holds 2 of 2"):
        model.decode_step(ids_of(1, 1), state)
    with pytest.raises(ValueError, match="capacity=13 is more than the context, 12 tokens"):
        model.start(ids_of(1, 7), capacity=13)
