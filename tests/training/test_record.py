"""The record of a run."""

import pytest

from minigpt.training.record import Record, read_record


def test_lines_are_in_the_file_as_soon_as_they_are_added(tmp_path):
    record = Record(tmp_path / "metrics.jsonl")
    record.add(step=1, loss=2.5)
    assert read_record(tmp_path / "metrics.jsonl") == [{"step": 1, "loss": 2.5}] == record.lines


def test_going_back_forgets_what_lies_behind_and_a_line_cut_short(tmp_path):
    path = tmp_path / "metrics.jsonl"
    before = Record(path)
    for step in (10, 20, 30):
        before.add(step=step)
    with open(path, "a") as file:
        file.write('{"step": 40, "lo')
    record = Record(path)
    record.rewind(20)
    record.add(step=21)
    assert [line["step"] for line in read_record(path)] == [10, 20, 21]


def test_damage_in_the_middle_is_reported(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\nnonsense\n{"step": 2}\n')
    with pytest.raises(ValueError, match="line 2"):
        read_record(path)


def test_without_a_path_the_record_is_kept_in_memory():
    record = Record()
    record.add(step=1)
    record.add(step=2)
    record.rewind(1)
    assert record.lines == [{"step": 1}]


def test_what_is_not_finite_is_null(tmp_path):
    record = Record(tmp_path / "metrics.jsonl")
    record.add(step=1, loss=2.5, gradient_norm=float("inf"))
    assert read_record(tmp_path / "metrics.jsonl") == [{"step": 1, "loss": 2.5, "gradient_norm": None}]
