"""The laws of speed-up, and a pool of workers played through event by event."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.scaling import amdahl, gustafson, serial_fraction, simulate

shares = st.floats(0, 1)
seconds = st.floats(0, 10)


def test_a_program_that_is_a_quarter_serial_gets_at_most_four_times_as_fast():
    assert amdahl(0.25, 3) == pytest.approx(2)
    assert amdahl(0.25, math.inf) == pytest.approx(4)
    assert gustafson(0.25, 3) == pytest.approx(2.5)
    assert amdahl(0, math.inf) == math.inf


@given(st.fractions(0, 1), st.integers(1, 10_000))
def test_both_laws_are_one_law_seen_from_two_sides(serial, workers):
    # The same run: its serial share by the clock is that of one worker, times the speed-up.
    exact = 1 / (serial + (1 - serial) / workers)
    by_the_clock = serial * exact
    assert 0 <= by_the_clock <= 1
    assert by_the_clock + (1 - by_the_clock) * workers == exact  # an identity of fractions, without rounding
    assert amdahl(float(serial), workers) == pytest.approx(float(exact))
    assert gustafson(float(by_the_clock), workers) == pytest.approx(float(exact))


@given(shares, st.integers(2, 10_000))
def test_the_serial_share_comes_back_from_the_speed_up(serial, workers):
    assert serial_fraction(amdahl(serial, workers), workers) == pytest.approx(serial, abs=1e-9)


@pytest.mark.parametrize("law", [amdahl, gustafson])
@pytest.mark.parametrize(("serial", "workers", "names"), [(1.5, 2, "serial=1.5"), (0.5, 0, "workers=0")])
def test_laws_refuse_what_is_no_share_and_no_worker(law, serial, workers, names):
    with pytest.raises(ValueError, match=names):
        law(serial, workers)


def test_one_worker_tells_nothing_about_the_serial_share():
    with pytest.raises(ValueError, match="workers=1"):
        serial_fraction(1.0, 1)


@given(st.integers(1, 20), st.integers(1, 20), seconds, seconds)
def test_equal_tasks_without_other_costs_obey_amdahls_law(rounds, workers, before, after):
    tasks = [0.25] * (rounds * workers)
    alone = before + after + sum(tasks)
    timeline = simulate(tasks, workers, before=before, after=after)
    assert alone / timeline.seconds == pytest.approx(amdahl((before + after) / alone, workers))


@given(st.lists(seconds, min_size=1, max_size=40), st.integers(1, 8), st.integers(1, 5))
def test_no_schedule_beats_the_bounds_and_this_one_keeps_grahams(tasks, workers, chunk):
    parallel = simulate(tasks, workers, chunk=chunk).parallel_end
    chunks = [sum(tasks[i : i + chunk]) for i in range(0, len(tasks), chunk)]
    assert parallel >= max(max(chunks), sum(tasks) / workers) - 1e-9
    assert parallel <= sum(tasks) / workers + (1 - 1 / workers) * max(chunks) + 1e-9


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_the_events_are_those_of_a_clock_that_ticks(tasks, workers, before, start_up, hand_out):
    # Independent: time goes on in ticks of one, and at each tick whoever is free looks into the queue.
    ready = {worker: before + start_up * (worker + 1) for worker in range(workers)}
    arrives = [before + start_up * workers + hand_out * (i + 1) for i in range(len(tasks))]
    tick, begun, ends = 0, 0, []
    while begun < len(tasks):
        for worker in range(workers):
            while begun < len(tasks) and ready[worker] <= tick and arrives[begun] <= tick:
                ready[worker] = tick + tasks[begun]
                ends.append(ready[worker])
                begun += 1
        tick += 1
    timeline = simulate(tasks, workers, before=before, start_up=start_up, hand_out=hand_out)
    assert timeline.parallel_end == max(ends)
    assert sorted(span.end for span in timeline.spans) == sorted(ends)


@given(st.lists(seconds, min_size=1, max_size=30), st.integers(1, 6), seconds, st.integers(1, 4))
def test_every_task_runs_once_and_nobody_does_two_things_at_once(tasks, workers, hand_out, chunk):
    timeline = simulate(tasks, workers, hand_out=hand_out, chunk=chunk)
    assert [span.first for span in timeline.spans] == list(range(0, len(tasks), chunk))
    assert sum(span.end - span.start for span in timeline.spans) == pytest.approx(sum(tasks), abs=1e-9)
    for worker in range(workers):
        spans = [span for span in timeline.spans if span.worker == worker]
        assert all(first.end <= second.start for first, second in pairwise(spans))
    assert timeline.parallel_end >= hand_out * len(timeline.spans) - 1e-9


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"tasks": [], "workers": 2}, "0 tasks"),
        ({"tasks": [1, -1], "workers": 2}, "less than 0"),
        ({"tasks": [1], "workers": 0}, "workers=0"),
        ({"tasks": [1], "workers": 1, "hand_out": -1}, "below 0"),
    ],
)
def test_a_pool_says_what_it_cannot_play(arguments, names):
    with pytest.raises(ValueError, match=names):
        simulate(**arguments)


def test_the_speed_up_of_the_course_in_exact_numbers():
    # 3 seconds alone, 9 seconds of tasks: s = 1/4, and three workers make 12 seconds 6.
    assert Fraction(12) / Fraction(simulate([1] * 9, 3, before=1, after=2).seconds) == 2
