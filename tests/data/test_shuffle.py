"""An order that is computed, not stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.data import Shuffle, draw


@given(st.integers(1, 2000), st.integers(), st.integers())
def test_every_number_comes_once(n, seed, epoch):
    assert sorted(Shuffle(n, seed, epoch)(np.arange(n)).tolist()) == list(range(n))


def test_any_part_of_the_order_can_be_asked_for():
    shuffle = Shuffle(10**12, 7)
    places = np.array([[0, 10**12 - 1], [5, 123456789]])
    assert shuffle(places).tolist() == [[int(shuffle(np.array([p]))[0]) for p in row] for row in places.tolist()]


def test_the_order_is_the_same_on_every_machine():
    assert Shuffle(10, 1, 2)(np.arange(10)).tolist() == [8, 7, 4, 5, 2, 9, 1, 3, 6, 0]
    assert draw(1, 2, 3) == 3794837057053477840


def test_every_order_of_four_things_is_about_as_likely():
    counts = {}
    for seed in range(24 * 100):
        order = tuple(Shuffle(4, seed)(np.arange(4)).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    # Chi-squared with 23 degrees of freedom: above 49.7 in one of a thousand cases.
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 49.7


def test_neighbours_are_torn_apart():
    n = 10_000
    order = Shuffle(n, 3)(np.arange(n))
    # The mean distance of two independent places is n / 3, its standard error here some 24.
    assert abs(np.abs(np.diff(order)).mean() - n / 3) < 100
    # Another seed puts about one thing into the same place.
    assert (order == Shuffle(n, 4)(np.arange(n))).sum() < 8


def test_draws_depend_on_every_part_of_the_seed():
    seeds = [(0,), (1,), (0, 0), (0, 1), (1, 0), (-1,), (2**64,), (2**64 + 1,), (2**200,), ()]
    assert len({draw(*seed) for seed in seeds}) == len(seeds)
    bits = np.array([[draw(seed) >> i & 1 for i in range(64)] for seed in range(400)])
    # Each bit is set in half of the draws; 5 standard errors.
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 5 * 0.5 / 400**0.5


def test_an_impossible_number_of_things_is_refused():
    with pytest.raises(ValueError, match="n=0 must be from 1"):
        Shuffle(0, 1)
