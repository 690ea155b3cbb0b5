"""The shape of the project: floors, documentation, what imports what, and what the README promises."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import notebooks

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {
    0: "files",
    1: "kernels tokenizers village numerics",
    2: "nn data",
    3: "models",
    4: "training generation evaluation distributed",
    5: "alignment compression scaling agents",
    6: "cli plotting interop",
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms.split()}
WITHOUT_TORCH = ["files", "numerics", "plotting", "tokenizers", "village"]
MODULES = sorted(path for path in (ROOT / "minigpt").rglob("*.py"))


def name_of(path: Path) -> str:
    """The name under which a module is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str | None:
    """The part of the package that a module belongs to; None for `minigpt` itself and its command."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] != "__main__" else None


def imports(tree: ast.AST, name: str) -> set[str]:
    """Every module of this package that a module names in an import, wherever in the module that is."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports relatively; write the whole name"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {module for module in found if module.split(".")[0] == "minigpt"}


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
CLASSES = {
    node.name: node
    for path in MODULES
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
}


def inherits_docstring(method: str, owner: ast.ClassDef) -> bool:
    """Whether a class of this package that the owner derives from documents a method of this name."""
    for base in (CLASSES.get(base.id) for base in owner.bases if isinstance(base, ast.Name)):
        if base and base is not owner:
            here = [node for node in base.body if isinstance(node, FUNCTIONS) and node.name == method]
            if any(map(ast.get_docstring, here)) or inherits_docstring(method, base):
                return True
    return False


def undocumented(node: ast.Module | ast.ClassDef) -> list[str]:
    """The public classes, functions and methods that have no docstring, not even that of the method they override."""
    missing = []
    for child in node.body:
        if not isinstance(child, (ast.ClassDef, *FUNCTIONS)) or child.name.startswith("_"):
            continue
        inherited = isinstance(node, ast.ClassDef) and inherits_docstring(child.name, node)
        if not ast.get_docstring(child) and not inherited:
            missing.append(f"{child.name}, line {child.lineno}")
        if isinstance(child, ast.ClassDef):
            missing += [f"{child.name}.{name}" for name in undocumented(child)]
    return missing


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_downhill(path):
    name = name_of(path)
    room = room_of(name)
    if room is None:
        return
    assert room in FLOOR, f"minigpt.{room} stands on no floor; add it to the table in README.md and here"
    for module in imports(ast.parse(path.read_text(encoding="utf-8")), name):
        other = room_of(module)
        if other in FLOOR and other != room:
            assert FLOOR[other] < FLOOR[room], f"{name} (floor {FLOOR[room]}) imports {module} (floor {FLOOR[other]})"


def test_the_readme_draws_the_same_floors():
    drawn = dict(re.findall(r"^([1-6])  (\w.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M))
    assert {int(floor): sorted(rooms.split()) for floor, rooms in drawn.items()} == {
        floor: sorted(rooms.split()) for floor, rooms in FLOORS.items() if floor
    }


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_everything_public_is_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    assert undocumented(tree) == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_annotations_are_not_evaluated(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree)):
        futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        assert any(alias.name == "annotations" for node in futures for alias in node.names)


def run(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter, at the top of the repository."""
    return subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize("room", [room for room in WITHOUT_TORCH if list((ROOT / "minigpt").glob(f"{room}*"))])
def test_it_imports_without_torch(room):
    modules = [name_of(path) for path in MODULES if room_of(name_of(path)) == room]
    block = "import sys; sys.modules['torch'] = None; "
    result = run(block + "; ".join(f"import {module}" for module in modules))
    assert result.returncode == 0, result.stderr


def test_the_village_imports_on_a_bare_python():
    modules = [name_of(path) for path in MODULES if room_of(name_of(path)) == "village"]
    result = run(f"import sys; sys.path.insert(0, {str(ROOT)!r}); import " + ", ".join(modules), "-I", "-S")
    assert result.returncode == 0, result.stderr


def test_importing_the_package_loads_nothing_else():
    before = "import sys; before = set(sys.modules); import minigpt; "
    result = run(before + "print(sorted(set(sys.modules) - before))")
    assert result.stdout.strip() == "['minigpt']", result.stderr


def test_the_wheel_holds_every_file_of_the_package(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "minigpt", source / "minigpt", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, source]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    files = {path.relative_to(source).as_posix() for path in (source / "minigpt").rglob("*") if path.is_file()}
    assert {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("minigpt/")} == files


def test_the_version_is_the_same_everywhere():
    with open(ROOT / "pyproject.toml", "rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert run("import minigpt; print(minigpt.__version__)").stdout.strip() == version


def test_every_direct_pin_is_exact_and_repeated_in_the_constraints():
    constraints = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    constraints = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in constraints.items()}
    for file in ("requirements-book.txt", "requirements.txt"):
        lines = [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith(("#", "-"))]
        for line in lines:
            name, _, version = line.partition(";")[0].partition("==")
            assert constraints[re.sub(r"[-_.]+", "-", name).lower()] == version, f"{file}: {line}; run `make lock`"
        assert "-c constraints.txt" in (ROOT / file).read_text()


def test_rendering_needs_no_torch():
    assert not re.search(r"^(torch|numpy|scipy|matplotlib)\b", (ROOT / "requirements-book.txt").read_text(), re.M)


def test_the_readme_names_every_chapter_by_its_title_as_written_or_planned():
    plan = yaml.safe_load((ROOT / "book" / "chapters.yml").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (planned,) = re.findall(r"^Planned: (.*)\.$", readme, re.M)
    titles = []
    for chapter in (chapter for part in plan for chapter in part["chapters"]):
        path = f"notebooks/{chapter['number']:02}-{chapter['name']}.ipynb"
        if (ROOT / path).exists():
            assert f"| {chapter['number']} | [{chapter['title']}]({path}) | " in readme
        else:
            titles.append(f"{chapter['number']} {chapter['title']}")
    assert planned.split(" · ") == titles


def test_the_table_of_contents_names_every_chapter_in_order():
    toc = re.findall(r"file: (notebooks/\S+)$", (ROOT / "_toc.yml").read_text(encoding="utf-8"), re.M)
    assert toc == [path.relative_to(ROOT).with_suffix("").as_posix() for path in notebooks.chapters()]


def test_the_commands_of_the_readme_work(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^minigpt (.+)$", readme, re.M)
    assert len(commands) == 6
    outputs = []
    for command in commands:
        # The same, but shorter: a test has no two minutes, and needs no thousand stories.
        short = command.replace("--minutes 2", "--steps 4") + (" --stories 20" if "evaluate" in command else "")
        line = [sys.executable, "-m", "minigpt", *shlex.split(short)]
        result = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert result.returncode == 0, f"minigpt {command}\n{result.stderr}"
        outputs.append(result.stdout)
    assert "21 characters" in outputs[2]
    assert outputs[4].startswith("Mia ")
    assert "true entropy" in outputs[5]


def test_the_readme_links_to_what_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert target.startswith("https://") or (ROOT / target).exists(), f"README.md links to {target}"


def test_every_command_that_the_readme_names_is_there():
    readme, makefile = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", readme, re.M))
    assert named
    assert named <= targets, f"README.md names {sorted(named - targets)}"
    for path in re.findall(r"`(?:python )?((?:tools|tests|book|assignments)/[\w/.-]+\.\w+)`", readme):
        assert (ROOT / path).exists() or "04-" in path, f"README.md names {path}"


def test_help_names_every_target_with_what_it_does():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.M)) - {"env-book", "env-course", "env-bench"}
    result = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=ROOT, check=True)
    assert targets == set(re.findall(r"^  ([a-z-]+) +\w.*$", result.stdout, re.M))
