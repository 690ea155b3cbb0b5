"""`minigpt village`: the promised bytes, complete or not at all."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from minigpt.cli import main
from minigpt.cli import village as command
from minigpt.village import stories

ROOT = Path(__file__).parents[2]


def test_a_file_holds_the_stories_each_followed_by_the_separator(tmp_path):
    out = tmp_path / "stories.txt"
    assert main(["village", "--documents", "20", "--seed", "4", "--size", "hamlet", "--out", str(out)]) == 0
    expected = "".join(told.text + "\n<|endoftext|>\n" for told in stories(20, 4, "hamlet"))
    assert out.read_bytes() == expected.encode()


def test_standard_output_gets_the_same_bytes(capfd):
    assert main(["village", "--documents", "3", "--out", "-"]) == 0
    assert capfd.readouterr().out == "".join(told.text + "\n<|endoftext|>\n" for told in stories(3))


def test_json_lines_carry_truth_and_probability(tmp_path):
    out = tmp_path / "stories.jsonl"
    assert main(["village", "--documents", "5", "--size", "hamlet", "--jsonl", "--out", str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for line, told in zip(lines, stories(5, 0, "hamlet"), strict=True):
        assert line["text"] == told.text
        assert math.isclose(line["log_prob"], told.log_prob)
        assert [tuple(event) for event in line["events"]] == [(event.kind, *event.args) for event in told.events]


@pytest.mark.parametrize("before", [None, "kept"])
def test_an_interrupted_run_leaves_what_was_there(tmp_path, monkeypatch, before):
    out = tmp_path / "stories.txt"
    if before is not None:
        out.write_text(before)

    def interrupted(n, seed, size):
        yield from stories(2, seed, size)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "stories", interrupted)
    assert main(["village", "--documents", "10", "--size", "hamlet", "--out", str(out)]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ([] if before is None else ["stories.txt"])
    assert before is None or out.read_text() == before


@pytest.mark.parametrize("arguments", [["--documents", "-3"], ["--seed", "x"], ["--size", "city"], []])
def test_wrong_use_is_refused(arguments, tmp_path, capsys):
    out = [] if not arguments else ["--out", str(tmp_path / "x")]
    assert main(["village", *arguments, *out]) == 2
    assert capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_village_needs_nothing_but_python():
    # -S leaves site-packages out, -I the rest of the environment.
    code = "import sys; sys.path.insert(0, sys.argv[1]); from minigpt.village import *; print(story(3, 'hamlet').text)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)], capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip("\n") == [told.text for told in stories(4, 0, "hamlet")][3]
