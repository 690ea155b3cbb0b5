"""Packing: every piece in a row, no row too full, and few rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.data import pack, pieces


def test_what_is_longer_than_a_row_is_cut():
    starts, lengths = pieces(np.array([0, 3, 13]), np.array([3, 10, 4]), 4)
    assert starts.tolist() == [0, 3, 7, 11, 13]
    assert lengths.tolist() == [3, 4, 4, 2, 4]


@given(st.lists(st.integers(1, 20), min_size=1), st.integers(1, 9))
def test_the_pieces_are_the_stream(lengths, capacity):
    lengths = np.array(lengths)
    starts, cut = pieces(lengths.cumsum() - lengths, lengths, capacity)
    places = [place for start, n in zip(starts, cut, strict=True) for place in range(start, start + n)]
    assert places == list(range(lengths.sum()))
    assert cut.max() <= capacity


def best_fit_decreasing(lengths, capacity):
    """The number of rows, found by looking at all of them for each piece."""
    left = []
    for length in sorted(lengths, reverse=True):
        fitting = [row for row in range(len(left)) if left[row] >= length]
        if fitting:
            left[min(fitting, key=left.__getitem__)] -= length
        else:
            left.append(capacity - length)
    return len(left)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=100))
def test_rows_are_as_few_as_best_fit_makes_them(lengths):
    rows = pack(np.array(lengths), 30)
    assert sorted(set(rows.tolist())) == list(range(rows.max() + 1))
    assert np.bincount(rows, weights=lengths).max() <= 30
    assert rows.max() + 1 == best_fit_decreasing(lengths, 30)


def test_pieces_that_fit_exactly_leave_nothing_over():
    halves = np.array([3, 7, 5, 4, 6, 5])
    assert pack(halves, 10).max() + 1 == 3


def test_a_piece_that_fits_no_row_is_refused():
    for length in (0, 11):
        with pytest.raises(ValueError, match="do not fit rows of 10; a piece has from 1 to 10"):
            pack(np.array([4, length]), 10)
