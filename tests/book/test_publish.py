"""The repository's address: all places agree with the setting, in every state it can be in."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import new_chapter
import notebooks
import publish

ADDRESS = "https://github.com/ada/minigpt-course"


@pytest.fixture
def tree(tmp_path):
    """A copy of every file that shows the address, with one chapter more than there is."""
    for path in publish.plan(publish.ROOT, ""):
        target = tmp_path / path.relative_to(publish.ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(path, target)
    chapter = new_chapter.frame("toy", "A toy", publish.setting())
    for folder in ("notebooks", "student"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "99-toy.ipynb").write_text(notebooks.dumps(chapter), encoding="utf-8")
    publish.write(tmp_path, publish.setting())
    return tmp_path


def contents(tree: Path) -> dict[str, bytes]:
    """Every file of a tree."""
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_every_place_agrees_with_the_setting():
    assert publish.disagreeing() == []


def test_publishing_reaches_every_place_and_taking_it_back_restores_the_bytes(tree):
    publish.write(tree, "")
    before = contents(tree)
    changed = publish.write(tree, ADDRESS + ".git/")
    assert {"pyproject.toml", "_config.yml", "README.md", "notebooks/99-toy.ipynb", "student/99-toy.ipynb"} <= {
        *changed
    }
    assert publish.disagreeing(tree) == []
    assert all(ADDRESS.encode() in contents(tree)[name] for name in changed)
    assert publish.write(tree, ADDRESS) == []
    publish.write(tree, "")
    assert contents(tree) == before
    assert not any(b"ada/minigpt-course" in data for data in before.values())


def test_the_readme_opens_every_chapter_of_the_student_edition_in_colab(tree):
    publish.write(tree, ADDRESS)
    readme = (tree / "README.md").read_text(encoding="utf-8")
    assert f"git clone {ADDRESS}\ncd minigpt-course\n" in readme
    for path in tree.glob("student/*.ipynb"):
        assert f"https://colab.research.google.com/github/ada/minigpt-course/blob/main/student/{path.name}" in readme


def test_the_readme_gives_the_cost_of_every_chapter(tree):
    readme = (tree / "README.md").read_text(encoding="utf-8")
    assert "| 99 | [A toy](notebooks/99-toy.ipynb) | 5 s | 1 GB |\n" in readme
    assert readme.count("](notebooks/") == len(notebooks.chapters(tree))


def test_elsewhere_than_on_github_there_is_no_colab(tree):
    publish.write(tree, "https://git.example.org/ada/course")
    assert "colab.research.google.com" not in (tree / "README.md").read_text(encoding="utf-8")
    assert publish.disagreeing(tree) == []


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", ""),
        (ADDRESS, ADDRESS),
        ("https://gitlab.example.org/group/ada/course", "https://gitlab.example.org/group/ada/course"),
        ("https://git.example.org/ada/course", ""),
    ],
)
def test_the_site_accepts_the_settings(tree, address, shown):
    from jupyter_book.config import get_final_config
    from sphinx_book_theme.header_buttons import update_context_with_repository_info

    publish.write(tree, address)
    settings, _ = get_final_config(
        user_yaml=tree / "_config.yml",
        cli_config={"latex_individualpages": False},
        sourcedir=tree,
        raise_on_invalid=True,
    )
    options = settings["html_theme_options"]
    assert options["repository_url"] == shown
    assert options["use_repository_button"] == bool(shown)
    assert not any(value for name, value in options["launch_buttons"].items() if name != "notebook_interface")
    context: dict[str, str] = {}
    config = SimpleNamespace(html_theme_options=options, html_context=context)
    update_context_with_repository_info(SimpleNamespace(config=config, builder=SimpleNamespace(theme_options=options)))
    parts = {context.get(f"{host}_{part}") for host in publish.THEME_KNOWS for part in ("user", "repo")}
    assert parts - {None} == {*shown.split("/")[-2:]} - {""}


@pytest.mark.parametrize("place", ["README.md", "_config.yml", "notebooks/99-toy.ipynb", "student/99-toy.ipynb"])
def test_a_place_that_was_left_behind_is_noticed(tree, place):
    publish.write(tree, "")
    old = (tree / place).read_bytes()
    publish.write(tree, ADDRESS)
    (tree / place).write_bytes(old)
    assert publish.disagreeing(tree) == [f"{place} is stale"]


def test_a_place_that_cannot_be_written_leaves_all_as_it_was(tree):
    (tree / "README.md").write_text("# Another README\n", encoding="utf-8")
    before = contents(tree)
    with pytest.raises(ValueError, match="must hold the block `<!-- publish: clone -->`"):
        publish.write(tree, ADDRESS)
    assert contents(tree) == before


@pytest.mark.parametrize(
    "address", ["github.com/ada/course", "http://github.com/ada/course", "https://github.com/ada", "https://x/a b/c'"]
)
def test_what_is_not_the_address_of_a_repository_is_refused(tree, address, capsys):
    assert publish.main(["--root", str(tree), "--repository", address]) == 2
    assert "write https://host/owner/name" in capsys.readouterr().err


def test_the_command_line_says_what_is_stale_and_mends_it(tree, capsys):
    setting = publish.with_setting((tree / "pyproject.toml").read_text(), ADDRESS)
    (tree / "pyproject.toml").write_text(setting, encoding="utf-8")
    assert publish.main(["--root", str(tree), "--check"]) == 1
    assert "README.md is stale" in capsys.readouterr().err
    assert publish.main(["--root", str(tree), "--write"]) == 0
    assert publish.main(["--root", str(tree), "--check"]) == 0


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_the_set_up_cell_does_nothing_where_the_package_is_there(address):
    names: dict = {}
    exec(publish.setup_cell(address, cohort=7), names)
    assert names["cohort"] == 7


def test_unpublished_the_set_up_cell_says_what_to_do(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="run `make lab`"):
        exec(publish.setup_cell(), {})


def test_published_the_set_up_cell_installs_the_package_and_leaves_torch_alone(monkeypatch):
    asked = []
    shell = type("Shell", (), {"run_line_magic": lambda self, *what: asked.append(what)})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(builtins, "get_ipython", shell, raising=False)
    exec(publish.setup_cell(ADDRESS), {})
    assert asked == [("pip", f"install -q 'minigpt[plot,torch] @ git+{ADDRESS}'")]


def test_the_set_up_cell_is_plain_python_of_a_few_lines():
    for address in ("", ADDRESS):
        source = publish.setup_cell(address)
        ast.parse(source)
        assert len(source.splitlines()) <= 15


def test_a_chapter_without_its_set_up_cell_is_named(tree):
    path = tree / "notebooks" / "99-toy.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    del notebook["cells"][1]
    path.write_text(notebooks.dumps(notebook), encoding="utf-8")
    assert "notebooks/99-toy.ipynb" in publish.disagreeing(tree)[0]


def test_publishing_needs_only_a_bare_python():
    command = [sys.executable, "-I", "-S", str(publish.ROOT / "tools" / "publish.py"), "--setup-cell"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.rstrip("\n") == publish.setup_cell(publish.setting())
