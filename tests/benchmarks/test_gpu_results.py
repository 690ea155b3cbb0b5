"""What a comparison leaves in its file, and what becomes of goals."""

import json
import subprocess

import pytest
import torch

from benchmarks.gpu.results import Bench, Comparison, Goal, commit, goals_table, rounded, slug
from benchmarks.gpu.timing import Device


class Scripted(Device):
    """A device on which each run says itself how long it took."""

    type = "cpu"

    def milliseconds(self, runs):
        return [run() for run in runs]

    def peak(self, run):
        return 5_000_000

    def describe(self):
        return {"name": "NVIDIA H200", "l2_mb": 60}


def missing():
    raise ImportError("not installed")


@pytest.fixture
def bench(tmp_path):
    return Bench("matmul", "products", Scripted(), tmp_path, seconds=0)


def test_a_comparison_is_in_the_file_at_once(bench):
    runs = {"minigpt": lambda: 2.0, "cuBLAS": lambda: 1.0, "other": missing}
    found = bench.compare("matmul", "8 x 8", torch.bfloat16, runs, flops=4_000_000_000, size=2_000_000, memory=True)
    stored = json.loads(bench.path.read_text())
    assert bench.path.parts[-2:] == ("nvidia-h200", "matmul.json")
    ours, theirs = stored["rows"]
    assert ours == {
        "operation": "matmul",
        "case": "8 x 8",
        "dtype": "bfloat16",
        "implementation": "minigpt",
        "ms": 2.0,
        "ms_low": 2.0,
        "ms_high": 2.0,
        "turns": 7,
        "flops": 4_000_000_000,
        "TFLOP/s": 2.0,
        "bytes": 2_000_000,
        "GB/s": 1.0,
        "peak_mb": 5.0,
        "times_as_fast_as": {"cuBLAS": [0.5, 0.5, 0.5]},
    }
    assert theirs["implementation"] == "cuBLAS"
    assert "times_as_fast_as" not in theirs
    assert [(entry["implementation"], entry["error"]) for entry in stored["failed"]] == [
        ("other", "ImportError: not installed")
    ]
    assert stored["device"] == {"name": "NVIDIA H200", "l2_mb": 60}
    assert stored["versions"]["torch"].startswith(torch.__version__.partition("+")[0])
    assert {"about", "python", "date", "commit", "clean", "goals"} < set(stored)
    assert found.ratio("cuBLAS") == 0.5


def test_a_ratio_to_some_is_that_to_the_fastest_of_them():
    found = Comparison({"minigpt": [2.0], "fast": [1.0], "slow": [4.0]}, {})
    assert found.ratio() == 0.5
    assert found.ratio("slow", "absent") == 2.0
    assert found.ratio("absent") is None
    assert found.ratio("slow", ours="fast") == 4.0
    assert Comparison({"slow": [4.0]}, {"minigpt": "broken"}).ratio("slow") is None


def test_goals_are_met_missed_or_not_measured(bench):
    bench.goal("speed", 0.96, 0.95)
    bench.goal("memory", 0.3, 0.25, at="most")
    bench.goal("beside what is not installed", None, 1.2)
    stored = json.loads(bench.path.read_text())["goals"]
    assert [goal["met"] for goal in stored] == [True, False, None]
    assert goals_table(stored).splitlines() == [
        "goal                          wanted         reached",
        "speed                         at least 0.95  0.96     met",
        "memory                        at most 0.25   0.3      MISSED",
        "beside what is not installed  at least 1.2   -        not measured",
    ]
    assert goals_table([]) == "no goal was measured"
    assert Goal("exactly", 1.0, 1.0).met


def test_a_device_gives_its_name_to_a_folder():
    assert slug("NVIDIA GeForce RTX 4090") == "nvidia-geforce-rtx-4090"
    assert slug("Tesla T4 (16 GB)") == "tesla-t4-16-gb"
    with pytest.raises(ValueError, match="no name of a folder"):
        slug("--")


def test_numbers_keep_four_digits():
    assert rounded(1234567.0) == 1235000.0
    assert rounded(0.00123456) == 0.001235
    assert rounded(None) is None


def test_the_commit_is_told_and_whether_files_differ_from_it(tmp_path):
    assert commit("given", tmp_path) == ("given", None)

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "kernel.py").write_text("1")
    git("add", ".")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    assert commit("given", tmp_path) == (head, True)
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "benchmarks" / "results" / "new.json").write_text("{}")
    assert commit(None, tmp_path) == (head, True)
    (tmp_path / "kernel.py").write_text("2")
    assert commit(None, tmp_path) == (head, False)
