"""`make gpu`: what it runs, what it says where there is no GPU, and how it ends when the time is up."""

import argparse
import json
import sys

import pytest

import gpu

ASKED = argparse.Namespace(out="somewhere", commit=None)


def step(name, code, fine=(0,)):
    return gpu.Step(name, [sys.executable, "-c", code], fine=fine)


def test_without_a_gpu_everything_is_skipped_and_said_so(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "has_gpu", lambda: False)
    monkeypatch.setattr(gpu, "run_part", lambda *_: pytest.fail("nothing may run"))
    assert gpu.main([]) == 0
    said = capsys.readouterr().out
    assert "no CUDA device was found" in said
    assert "nothing was measured" in said
    assert said.splitlines()[1:] == ["skipped: tests", "skipped: sanitize", "skipped: bench"]


def test_a_missing_package_is_named(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "missing", lambda parts: ["jaxtyping", "hypothesis"])
    assert gpu.main(["tests"]) == gpu.MISSING
    assert "lacks jaxtyping, hypothesis" in capsys.readouterr().out


def test_only_what_is_asked_for_runs_and_the_worst_status_counts(monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(gpu, "has_gpu", lambda: True)
    monkeypatch.setattr(gpu, "sanitizer", lambda: None)
    monkeypatch.setattr(gpu, "run_part", lambda part, steps, minutes: ran.append((part, steps)) or len(ran) % 2)
    monkeypatch.setattr(gpu, "report", lambda names, folder: ran.append(("report", names)))
    assert gpu.main(["matmul", "decode", "sanitize"]) == gpu.FAILED
    assert ran[0] == ("sanitize", [])
    assert [step.name for step in ran[1][1]] == ["matmul", "decode"]
    assert ran[2] == ("report", ["matmul", "decode"])
    assert "sanitize: skipped, compute-sanitizer is not installed" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        gpu.main(["matmull"])


def test_the_tests_are_those_marked_for_a_gpu_in_files_that_know_the_device(monkeypatch):
    files = [path.name for path in gpu.test_files()]
    assert {"test_attention.py", "test_matmul.py", "test_norm.py", "test_rungs.py"} <= set(files)
    assert "test_dispatch.py" not in files
    monkeypatch.setattr(gpu, "sanitizer", lambda: "/usr/bin/compute-sanitizer")
    memcheck, racecheck = gpu.steps("sanitize", [], ASKED)
    assert memcheck.command[:3] == ["/usr/bin/compute-sanitizer", "--tool", "memcheck"]
    assert racecheck.command[2] == "racecheck"
    assert dict(memcheck.environment) == {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    for found in (memcheck, *gpu.steps("tests", [], ASKED)):
        assert found.command[found.command.index("pytest") :][1:3] == ["-m", "gpu"]


def test_a_step_that_fails_does_not_stop_the_others(tmp_path, capfd):
    out = tmp_path / "ran"
    steps = [
        step("one", "raise SystemExit(4)"),
        step("two", f"open({str(out)!r}, 'w')"),
        step("three", "exit(5)", (0, 5)),
    ]
    assert gpu.run_part("tests", steps, 1) == gpu.FAILED
    assert out.exists()
    assert "FAILED with status 4" in capfd.readouterr().out
    assert gpu.run_part("tests", steps[1:], 1) == 0


def test_when_the_time_is_up_what_is_left_is_named(capfd):
    steps = [step("matmul", "import time; time.sleep(60)"), step("decode", "")]
    assert gpu.run_part("bench", steps, 0) == gpu.UNFINISHED
    assert "to go on: gpu.py matmul decode" in capfd.readouterr().out


def test_goals_are_read_from_the_files_of_the_device(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "NVIDIA H200")
    goal = {"goal": "speed", "at": "least", "wanted": 0.9, "reached": 0.8, "met": False}
    (tmp_path / "nvidia-h200").mkdir()
    (tmp_path / "nvidia-h200" / "matmul.json").write_text(json.dumps({"goals": [goal]}))
    gpu.report(["matmul", "decode"], tmp_path)
    assert "speed  at least 0.9  0.8      MISSED" in capsys.readouterr().out
