"""Turns are taken in rotation, medians have their quartiles, and what cannot run is left out."""

import pytest

from benchmarks.gpu.timing import Cpu, Device, Quartiles, take_turns, times_as_fast, warmed_up


class Scripted(Device):
    """A device on which each run says itself how long it took."""

    type = "scripted"

    def __init__(self):
        self.order = []

    def milliseconds(self, runs):
        taken = [run() for run in runs]
        self.order += [name for name, _ in taken]
        return [time for _, time in taken]

    def peak(self, run):
        return None

    def describe(self):
        return {"name": "Scripted"}


def lasting(name, *times):
    """A run that takes these times, one after the other, and then again."""
    calls = iter(times * 100)
    return lambda: (name, next(calls))


def test_in_each_turn_another_one_is_the_first():
    device = Scripted()
    found = take_turns(device, {"a": lasting("a", 1.0, 2.0, 3.0), "b": lasting("b", 5.0)}, seconds=60, fewest=1, most=3)
    assert found == {"a": [1.0, 2.0, 3.0], "b": [5.0] * 3}
    assert device.order == ["a", "b", "b", "a", "a", "b"]


def test_turns_end_with_the_time_but_a_few_are_always_taken():
    runs = {"a": lasting("a", 1.0)}
    assert len(take_turns(Scripted(), runs, seconds=0, fewest=4, most=9)["a"]) == 4
    assert len(take_turns(Scripted(), runs, seconds=60, fewest=4, most=9)["a"]) == 9


def test_a_median_has_its_quartiles_beside_it():
    assert Quartiles.of([5.0, 1.0, 3.0, 2.0, 4.0]) == Quartiles(3.0, 2.0, 4.0)
    assert Quartiles.of([7.0]) == Quartiles(7.0, 7.0, 7.0)
    with pytest.raises(ValueError, match="no value was measured"):
        Quartiles.of([])


def test_a_ratio_is_that_of_the_same_turn():
    # Something slowed both down in the second turn: the ratio does not see it.
    assert times_as_fast([4.0, 40.0, 4.0], [2.0, 20.0, 2.0]) == Quartiles(2.0, 2.0, 2.0)


def test_what_cannot_run_is_left_out_with_its_reason():
    def absent():
        raise RuntimeError("there is no\nsuch library")

    device = Scripted()
    able, failed = warmed_up(device, {"here": lasting("here", 1.0), "absent": absent}, turns=2)
    assert list(able) == ["here"]
    assert failed == {"absent": "RuntimeError: there is no such library"}
    assert device.order == ["here", "here"]


def test_the_clock_of_a_cpu_goes_forward():
    assert Cpu().milliseconds([lambda: sum(range(10_000))])[0] > 0
    assert Cpu().peak(list) is None
