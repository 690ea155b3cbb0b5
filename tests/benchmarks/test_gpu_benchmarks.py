"""Every benchmark runs: on a CPU, with tiny tensors, and kernels that are interpreted. Its times mean nothing there."""

import json
from pathlib import Path

import pytest

import gpu
from benchmarks.gpu.__main__ import main
from minigpt.kernels.cuda import cpu
from minigpt.kernels.dispatch import has_triton

FOLDER = Path(gpu.ROOT, "benchmarks", "gpu")
NOT_HERE = {"cuDNN", "FlashAttention-2"}
"""Peers that need a GPU, or tensors of a size that they take."""


def test_every_module_is_a_benchmark_of_the_command_and_of_the_page():
    modules = {path.stem for path in FOLDER.glob("*.py") if "def run(bench" in path.read_text(encoding="utf-8")}
    assert modules == set(gpu.BENCHMARKS)
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in modules)


@pytest.mark.skipif(not has_triton(), reason="Triton is not installed (there are wheels for Linux alone)")
@pytest.mark.parametrize("name", gpu.BENCHMARKS)
def test_it_runs(name, tmp_path, capsys):
    if name == "ladder" and cpu.compiler() is None:
        pytest.skip("no C++ compiler here")
    bench = main([name, "--trial", "--out", str(tmp_path), "--seconds", "0"])
    stored = json.loads((tmp_path / "cpu" / f"{name}.json").read_text())
    assert stored["rows"] == bench.rows
    assert {entry["implementation"] for entry in stored["failed"]} <= NOT_HERE
    groups = {}
    for row in stored["rows"]:
        assert row["ms_low"] <= row["ms"] <= row["ms_high"]
        groups.setdefault((row["operation"], row["case"], row["dtype"]), []).append(row)
    for rows in groups.values():
        assert any("times_as_fast_as" in row for row in rows)
    assert "could not run" not in capsys.readouterr().out or stored["failed"]


def test_a_trial_never_writes_among_the_results(capsys):
    with pytest.raises(SystemExit):
        main(["matmul", "--trial"])
    assert "measures nothing that may stand among the results" in capsys.readouterr().err
