"""The scripts behind `make`: environments are made once and for what they are needed, and no failed build stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import check

ROOT = Path(__file__).resolve().parents[2]


def script(path: Path, text: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def tree(tmp_path):
    """A copy of what the scripts read, in a folder whose name has a space, with requirements that ask for nothing."""
    tree = tmp_path / "a course"
    (tree / "tools").mkdir(parents=True)
    for name in ("tools/setup.sh", "tools/book.sh", "_config.yml", "pyproject.toml"):
        shutil.copy2(ROOT / name, tree / name)
    for name in ("requirements.txt", "requirements-book.txt", "constraints.txt"):
        (tree / name).write_text("# nothing\n")
    script(tree / "book" / "_ext" / "extension.py", "")
    return tree


def call(tree: Path, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts."""
    command = ["sh", str(tree / "tools" / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_the_environment_is_made_once_and_again_when_the_requirements_change(tree):
    first = call(tree, "setup.sh", "book", PYTHON=sys.executable)
    assert first.returncode == 0, first.stderr
    assert "Setting up .venv" in first.stdout
    assert (tree / ".venv" / "bin" / "python").exists()
    assert call(tree, "setup.sh", "book").stdout == ""
    (tree / "requirements-book.txt").write_text("# nothing new\n")
    assert "Setting up .venv" in call(tree, "setup.sh", "book").stdout
    assert call(tree, "setup.sh", "book").stdout == ""


@pytest.mark.parametrize("damage", ["moved", "its Python is gone"])
def test_an_environment_that_cannot_work_is_made_anew(tree, tmp_path, damage):
    script(tree / ".venv" / "bin" / "python", "echo pip 26")
    (tree / ".venv" / ".made-in").write_text(f"{tree}\n")
    no_python = script(tmp_path / "none", "exit 1")
    assert "Setting up .venv" in call(tree, "setup.sh", "book", PYTHON=str(no_python)).stdout, "it is sound"
    if damage == "moved":
        tree = tree.rename(tree.parent / "moved")
    else:
        (tree / ".venv" / "bin" / "python").unlink()
    assert "needs Python 3.11 or newer" in call(tree, "setup.sh", "book", PYTHON=str(no_python)).stderr


def test_an_old_python_is_refused_with_what_to_do(tree, tmp_path):
    old = script(tmp_path / "old", 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac')
    result = call(tree, "setup.sh", "book", PYTHON=str(old))
    assert result.returncode == 1
    assert "needs Python 3.11 or newer; found: Python 3.9.2" in result.stderr
    assert not (tree / ".venv").exists()


def test_a_python_without_venv_is_refused_with_what_to_do(tree, tmp_path):
    answers = 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.11;; esac'
    result = call(tree, "setup.sh", "book", PYTHON=str(script(tmp_path / "bare", answers)))
    assert result.returncode == 1
    assert "apt install python3.11-venv" in result.stderr


def fake_build(tree: Path, code: int) -> None:
    """Put a program in the place of jupyter-book that writes a page, and succeeds or fails."""
    command = f"mkdir -p _build/html; echo page >>_build/html/index.html; echo chatter; exit {code}"
    script(tree / ".venv" / "bin" / "jupyter-book", command)


def test_a_build_says_where_the_site_is_and_the_next_one_continues(tree):
    fake_build(tree, 0)
    for count in (1, 2):
        result = call(tree, "book.sh")
        assert result.stdout == f"The site is ready: {tree}/_build/html/index.html\n"
        assert (tree / "_build" / "html" / "index.html").read_text() == "page\n" * count


def test_a_failed_build_leaves_nothing_that_would_hide_its_warnings(tree):
    fake_build(tree, 1)
    result = call(tree, "book.sh")
    assert result.returncode == 1
    assert "chatter" in result.stdout
    assert not (tree / "_build").exists()


@pytest.mark.parametrize("change", ["killed", "extension"])
def test_after_a_killed_build_or_a_new_extension_the_folder_is_empty(tree, change):
    fake_build(tree, 0)
    call(tree, "book.sh")
    if change == "killed":
        (tree / "_build" / ".complete").unlink()
    else:
        (tree / "book" / "_ext" / "extension.py").write_text("new = True\n")
    call(tree, "book.sh")
    assert (tree / "_build" / "html" / "index.html").read_text() == "page\n"


def python(code: str) -> list[str]:
    """A command that runs a line of Python."""
    return [sys.executable, "-c", code]


def test_all_stages_run_and_one_failure_fails_all(monkeypatch, capsys):
    stages = {
        "first": ("fails", [python("print('one'); raise SystemExit(3)"), python("print('two')")]),
        "second": ("passes", [python("import os; print(os.environ['OMP_NUM_THREADS'], 'thread')")]),
    }
    monkeypatch.setattr(check, "STAGES", stages)
    assert check.main([]) == 1
    summary = capsys.readouterr().out.partition("=== summary\n")[2].splitlines()
    assert [line.split()[:2] for line in summary] == [["FAILED", "first"], ["passed", "second"], ["===", "FAILED"]]
    assert summary[0].endswith("one")
    assert summary[1].endswith("1 thread")
    assert check.main(["second"]) == 0


def test_an_unknown_stage_is_refused(capsys):
    with pytest.raises(SystemExit):
        check.main(["units"])
    assert "there is no stage units" in capsys.readouterr().err
