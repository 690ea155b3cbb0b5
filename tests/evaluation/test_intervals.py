"""Intervals and tests: equal to scipy's, and they hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from minigpt.evaluation import bootstrap, mcnemar, paired_difference, wilson


@pytest.mark.parametrize(("right", "n"), [(0, 10), (1, 3), (50, 100), (997, 1000), (7, 7)])
def test_wilson_is_that_of_scipy(right, n):
    found = wilson(right, n)
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert found.estimate == right / n
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_wilson_covers_the_true_share():
    n, share = 50, 0.9
    chances = stats.binom.pmf(np.arange(n + 1), n, share)
    covered = sum(p for k, p in enumerate(chances) if wilson(k, n).low <= share <= wilson(k, n).high)
    assert 0.93 < covered < 0.98


def test_bootstrap_agrees_with_the_normal_interval_of_many_values():
    values = np.random.default_rng(0).random(400)
    found = bootstrap(values, seed=1)
    half = 1.96 * values.std(ddof=1) / 20
    assert found.estimate == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.004)
    assert bootstrap(values, seed=1) == found


def test_mcnemar_is_the_sign_test_on_the_questions_that_differ():
    first = [1] * 15 + [0] * 4 + [1] * 80 + [0] * 30
    second = [0] * 15 + [1] * 4 + [1] * 80 + [0] * 30
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second) == (15, 4)
    assert found.p_value == pytest.approx(stats.binomtest(4, 19).pvalue)
    assert mcnemar(second, first).p_value == found.p_value
    assert mcnemar([1, 0], [1, 0]).p_value == 1
    assert mcnemar([1] * 3000, [0] * 3000).p_value < 1e-300


def test_a_paired_difference_is_narrower_than_two_shares():
    random = np.random.default_rng(2)
    first = (random.random(500) < 0.6).astype(float)
    second = first.copy()
    second[:20] = 1
    found = paired_difference(second, first)
    assert found.mean == pytest.approx(second.mean() - first.mean())
    paired = stats.ttest_rel(second, first).confidence_interval()
    assert found.half_width == pytest.approx((paired.high - paired.low) / 2, rel=0.01)
    alone = wilson(first.sum(), 500)
    assert found.half_width < (alone.high - alone.low) / 2


@pytest.mark.parametrize("n", [2, 3, 10, 29])
def test_a_mean_of_few_has_the_interval_of_student(n):
    values = np.random.default_rng(n).normal(size=n)
    found = paired_difference(values, np.zeros(n))
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert found.half_width == pytest.approx((expected.high - expected.low) / 2, rel=3e-4)


def test_intervals_of_three_cover_the_mean_as_often_as_they_say():
    values = np.random.default_rng(0).normal(size=(2000, 3))
    found = [paired_difference(row, np.zeros(3)) for row in values]
    assert sum(abs(one.mean) < one.half_width for one in found) / 2000 == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("n", [30, 500])
def test_a_mean_of_many_has_the_normal_interval(n):
    values = np.random.default_rng(n).normal(size=n)
    found = paired_difference(values, np.zeros(n))
    assert found.half_width == pytest.approx(1.96 * values.std(ddof=1) / n**0.5)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="right=5 of n=4"):
        wilson(5, 4)
    with pytest.raises(ValueError, match="same questions"):
        mcnemar([1], [1, 0])
    with pytest.raises(ValueError, match="same questions"):
        paired_difference([], [])
    with pytest.raises(ValueError, match="at least 1"):
        bootstrap([], seed=0)
