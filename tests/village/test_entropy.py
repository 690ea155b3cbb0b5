"""The measured entropy: means, intervals and units."""

from __future__ import annotations

import math
import statistics

import pytest

from minigpt.village import entropy, stories


def test_the_mean_and_its_interval_are_those_of_the_sample():
    nats = [-told.log_prob for told in stories(200, seed=3, size="hamlet")]
    measured = entropy("hamlet", 200, seed=3)
    assert measured.per_story.mean == pytest.approx(statistics.fmean(nats))
    assert measured.per_story.half_width == pytest.approx(1.96 * statistics.stdev(nats) / math.sqrt(200))
    assert measured.without_state is None
    assert measured.per_token is None


def test_bytes_and_tokens_are_ratios_of_totals():
    told = list(stories(100, size="hamlet"))
    total = -sum(each.log_prob for each in told)
    measured = entropy("hamlet", 100, count_tokens=lambda text: len(text.split()) + 1)
    assert measured.per_byte.mean == pytest.approx(total / sum(len(each.text) + 1 for each in told))
    assert measured.per_token.mean == pytest.approx(total / sum(len(each.text.split()) + 1 for each in told))


def test_intervals_cover_the_mean_of_a_large_sample():
    truth = entropy("hamlet", 8000, seed=1).per_byte.mean
    hits = sum(
        abs(e.per_byte.mean - truth) < e.per_byte.half_width for e in (entropy("hamlet", 100, s) for s in range(2, 42))
    )
    assert hits >= 34


def test_one_story_gives_no_interval():
    with pytest.raises(ValueError, match="at least 2"):
        entropy("hamlet", 1)
