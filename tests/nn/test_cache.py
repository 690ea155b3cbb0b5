"""The key-value cache: what was put in comes out, in order, until it is full."""

import pytest
import torch
from by_hand import draw

from minigpt.nn import Cache, LayerCache


def test_what_was_appended_comes_back_in_order():
    keys, values = draw(2, 3, 7, 4), draw(2, 3, 7, 4, seed=1)
    cache = LayerCache(7)
    assert cache.filled is None
    start = 0
    for time in (2, 1, 4):
        k, v = cache.append(keys[:, :, start : start + time], values[:, :, start : start + time])
        start += time
        assert cache.length == start
        assert torch.equal(k, keys[:, :, :start])
        assert torch.equal(v, values[:, :, :start])
    for kept, whole in zip(cache.filled, (keys, values), strict=True):
        assert torch.equal(kept, whole)


def test_the_memory_is_taken_once():
    cache = LayerCache(100)
    first, _ = cache.append(draw(1, 2, 3, 4), draw(1, 2, 3, 4))
    second, _ = cache.append(draw(1, 2, 5, 4), draw(1, 2, 5, 4))
    assert first.data_ptr() == second.data_ptr()


def test_a_full_cache_takes_no_more_and_keeps_what_it_has():
    cache = LayerCache(4)
    cache.append(draw(1, 2, 3, 4), draw(1, 2, 3, 4))
    with pytest.raises(ValueError, match="2 more positions do not fit: the cache holds 3 of 4; make it with a larger"):
        cache.append(draw(1, 2, 2, 4), draw(1, 2, 2, 4))
    assert cache.length == 3
    cache.append(draw(1, 2, 1, 4), draw(1, 2, 1, 4))
    assert cache.length == cache.capacity == 4


def test_rows_can_go_on_from_others_and_part_ways():
    cache = Cache(2, 4)
    for layer in cache.layers:
        layer.append(draw(3, 1, 2, 4), draw(3, 1, 2, 4, seed=1))
    cache.select(torch.tensor([2, 2, 0, 1]))
    for layer in cache.layers:
        keys, values = layer.append(draw(4, 1, 1, 4, seed=2), draw(4, 1, 1, 4, seed=3))
        assert torch.equal(keys[:, :, :2], draw(3, 1, 2, 4)[[2, 2, 0, 1]])
        assert torch.equal(values[:, :, :2], draw(3, 1, 2, 4, seed=1)[[2, 2, 0, 1]])
        assert not torch.equal(keys[0], keys[1])
    assert cache.length == 3


def test_an_empty_cache_can_be_selected_from():
    cache = Cache(1, 3)
    cache.select(torch.tensor([0, 0]))
    assert cache.length == 0


@pytest.mark.parametrize(("n_layers", "capacity"), [(0, 3), (3, 0)])
def test_impossible_sizes_are_rejected(n_layers, capacity):
    with pytest.raises(ValueError, match=f"n_layers={n_layers} and capacity={capacity} must both be at least 1"):
        Cache(n_layers, capacity)


@pytest.mark.parametrize("chunks", [[1] * 20, [7, 1, 1, 1, 3, 5, 2], [2, 9, 1, 1, 4, 3], [20], [3, 3, 3, 3, 3, 3, 2]])
def test_a_window_keeps_what_the_next_query_sees(chunks):
    keys, values = draw(2, 1, 20, 4), draw(2, 1, 20, 4, seed=1)
    cache = Cache(1, 20, window=4)
    (layer,) = cache.layers
    start = 0
    for time in chunks:
        seen = slice(max(0, start - 3), start + time)
        assert cache.n_keys(time) == seen.stop - seen.start
        k, v = layer.append(keys[:, :, start : start + time], values[:, :, start : start + time])
        start += time
        assert torch.equal(k, keys[:, :, seen])
        assert torch.equal(v, values[:, :, seen])
        assert torch.equal(layer.filled[0], keys[:, :, max(0, start - 3) : start])
    assert cache.length == 20
    with pytest.raises(ValueError, match="1 more positions do not fit: the cache holds 20 of 20"):
        layer.append(keys[:, :, :1], values[:, :, :1])


@pytest.mark.parametrize("window", [None, 4])
def test_the_last_positions_can_be_forgotten(window):
    keys, values = draw(1, 1, 12, 4), draw(1, 1, 12, 4, seed=1)
    cache = Cache(1, 20, window=window)
    (layer,) = cache.layers
    for start in range(0, 12, 3):
        layer.append(keys[:, :, start : start + 3], values[:, :, start : start + 3])
        cache.truncate(start + 1)
        k, v = layer.append(keys[:, :, start + 1 : start + 3], values[:, :, start + 1 : start + 3])
        first = 0 if window is None else max(0, start - 2)
        assert torch.equal(k, keys[:, :, first : start + 3])
        assert torch.equal(v, values[:, :, first : start + 3])
    with pytest.raises(ValueError, match="length=13 must be from 0 to 12"):
        cache.truncate(13)
    if window is not None:
        with pytest.raises(ValueError, match=r"length=3 lies too far back: of the 12 positions .* sees 3 before it"):
            cache.truncate(3)


def test_a_window_needs_a_size():
    with pytest.raises(ValueError, match="window=0 must be at least 1"):
        Cache(1, 3, window=0)
