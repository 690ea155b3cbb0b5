"""What the book adds to Jupyter Book, module by module, and then all of it in one small book."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from minigpt_book import accessible, api, benchmarks, kernels, offline, student
from minigpt_book.notebooks import page, without_grading

ROOT = Path(__file__).resolve().parents[2]

SOLUTION = """\
def double(x):
    \"\"\"Twice x.\"\"\"
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION"""
CHECK = """\
assert double(2) == 4, "visible"
### BEGIN HIDDEN TESTS
assert double(3) == 6, "secret"
### END HIDDEN TESTS"""
EXERCISE = """\
```{exercise-start} Twice
:label: ex-machines-double
```

**Difficulty 1 of 5 · 2 minutes**

Write `double`.

:::{hint}
:class: dropdown
Add.
:::

```{exercise-end}
```"""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def markdown(name: str, source: str, **metadata: Any) -> dict[str, Any]:
    """A Markdown cell."""
    return {"cell_type": "markdown", "id": name, "metadata": metadata, "source": source}


def code(name: str, source: str, *outputs: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A code cell that was run."""
    shown = {"execution_count": 1, "outputs": list(outputs)}
    return {"cell_type": "code", "id": name, "metadata": metadata, "source": source, **shown}


def graded(name: str, *, grade: bool) -> dict[str, Any]:
    """The mark of a cell of an exercise."""
    return {"grade": grade, "solution": not grade, "grade_id": name, "schema_version": 3}


FIGURE = {"figure": {"name": "fig-machines-dot", "caption": "A dot, $x = 0$."}, "image": {"alt": "One dot."}}
CHAPTER = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "cells": [
        markdown("title", "(ch-machines)=\n# Machines that depend on numbers\n\nSee {numref}`fig-machines-dot`."),
        code("setup", "cohort = 0", tags=["setup"]),
        code(
            "dot",
            "plt.show()",
            {"output_type": "display_data", "data": {"image/png": PIXEL}, "metadata": {}},
            tags=["hide-input", "claim:S2.01"],
            mystnb=FIGURE,
        ),
        markdown("history", "Long ago.", tags=["claim:S2.22"]),
        markdown("ex", EXERCISE),
        markdown("start", "```{solution-start} ex-machines-double\n:class: dropdown\n```"),
        code("answer", SOLUTION, nbgrader=graded("ex-machines-double", grade=False)),
        markdown("end", "```{solution-end}\n```"),
        code("check", CHECK, nbgrader=graded("ex-machines-double-check", grade=True)),
    ],
}


def test_pages_show_solutions_without_their_markers() -> None:
    """The reader sees the code that a solution is, as if it had been written so."""
    assert without_grading(SOLUTION) == 'def double(x):\n    """Twice x."""\n    return 2 * x'


def test_pages_do_not_show_hidden_tests() -> None:
    """Only the visible check is left, wherever in the cell the hidden one stands."""
    assert without_grading(CHECK) == 'assert double(2) == 4, "visible"'
    first, _, rest = CHECK.partition("\n")
    assert without_grading(f"{rest}\n{first}") == first


def test_claims_are_marked_before_their_cell() -> None:
    """The mark is a cell of its own, so that it can stand beside code as well as beside prose."""
    cells = page(copy.deepcopy(CHAPTER))["cells"]
    marked = {cells[i + 1]["id"]: cell["source"] for i, cell in enumerate(cells) if "{claim}" in cell["source"]}
    assert {name: re.findall(r"S\d\.\d\d", source) for name, source in marked.items()} == {
        "dot": ["S2.01"],
        "history": ["S2.22"],
    }


def test_claims_of_a_section_are_marked_below_its_heading() -> None:
    """A mark before the heading would stand in the section above."""
    cell = markdown("past", "(sec-past)=\n## The past\n\nLong ago.", tags=["claim:S2.22"])
    (only,) = page({"cells": [cell]})["cells"]
    assert only["source"] == "(sec-past)=\n## The past\n\n:::{claim} S2.22\n:::\n\nLong ago."


def test_figures_that_speak_in_shades_are_marked() -> None:
    """In the dark, drawings are inverted; a heat map is not, since its shades have a meaning."""
    heat = code("heat", "plt.imshow(table)\nplt.show()", mystnb=copy.deepcopy(FIGURE))
    line = code("line", "plt.plot(x)\nplt.show()", mystnb=copy.deepcopy(FIGURE))
    cells = page({"cells": [heat, line]})["cells"]
    assert [cell["metadata"]["mystnb"]["image"].get("classes") for cell in cells] == ["shades", None]


def test_a_page_keeps_what_needs_no_change() -> None:
    """Sources may also be lists of lines, as they are in the file."""
    lines = copy.deepcopy(CHAPTER)
    for cell in lines["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
    assert page(lines) == page(copy.deepcopy(CHAPTER))


def test_mathjax_comes_with_what_it_loads_later() -> None:
    """Fonts, rare commands and English speech are there; twenty megabytes of other things are not."""
    files = offline.mathjax_files()
    assert {"tex-chtml.js", "a11y/sre.js", "sre/mathmaps/en.json", "input/tex/extensions/cancel.js"} <= files.keys()
    assert sum(path.endswith(".woff") for path in files) >= 20
    assert sum(file.stat().st_size for file in files.values()) < 5e6


def test_lists_that_are_no_lists_are_cured() -> None:
    """The parameters of a signature over several lines are lines, not a list of definitions without terms."""
    lines = "".join(f'<dd><em class="sig-param">{name}</em>, </dd>\n' for name in "xy")
    html = f'<dl>\n{lines}</dl><dl class="py"></dl>'
    cured = accessible.cure(html)
    assert "<dd>" not in cured
    assert cured.count("<div>") == 2
    assert '<dl class="py">' in cured


def test_colab_opens_the_student_edition_of_a_repository_on_github() -> None:
    """No button points to a place that cannot be."""
    address = student.colab_address("https://github.com/owner/name", "01-machines.ipynb")
    assert address == "https://colab.research.google.com/github/owner/name/blob/main/student/01-machines.ipynb"
    assert student.colab_address("https://gitlab.com/owner/name", "01-machines.ipynb") is None
    assert student.colab_address("", "01-machines.ipynb") is None


PACKAGE = '''\
"""A package that cannot be imported."""
from __future__ import annotations
import os
from collections.abc import Iterable
from zoo import Lion
raise ImportError("the reference reads the source and runs nothing")
Pair = tuple[int, int]
__all__ = ["Cat", "meow"]
class Pet:
    """What cats are."""
class Cat(Pet):
    """A cat with `n` lives.

    Args:
        lives, tails: how many, a list `[1, 2]`.
    """
    def __init__(self, lives: int, *, tails: int = 1) -> None: ...
    def chase(self, pairs: list[Pair], /, *others: Lion) -> Iterable[Pair]:
        """Run.

        Raises:
            KeyError: if nothing is there.
        """
    def _sleep(self): ...
def meow(cat: Cat, **how: os.PathLike[str]) -> None:
    """Say it."""
def purr(): ...
'''


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A folder with a package."""
    (tmp_path / "zoology").mkdir()
    (tmp_path / "zoology" / "__init__.py").write_text(PACKAGE, encoding="utf-8")
    return tmp_path


def test_the_reference_reads_signatures_without_importing(zoo: Path) -> None:
    """Every kind of parameter is written as in the source, and every type by its full name."""
    module = api.find(zoo, "zoology")
    cat = module["Cat"]
    assert api.signature(cat["__init__"], method=True) == "(lives: int, *, tails: int = 1) -> None"
    chase = "(pairs: list[~zoology.Pair], /, *others: ~zoo.Lion) -> ~collections.abc.Iterable[~zoology.Pair]"
    assert api.signature(cat["chase"], method=True) == chase
    assert api.signature(module["meow"]) == "(cat: ~zoology.Cat, **how: ~os.PathLike[str]) -> None"


def test_the_reference_shows_what_is_public_and_what_that_names(zoo: Path) -> None:
    """Members come from `__all__`; a base class or an alias that they name gets an entry too; the rest does not."""
    module = api.find(zoo, "zoology")
    shown = api.members(module)
    assert [name for name, _ in shown] == ["Cat", "meow"]
    assert sorted(obj.name for obj in api.companions(module, [obj for _, obj in shown])) == ["Pair", "Pet"]


def test_the_reference_writes_docstrings_as_fields(zoo: Path) -> None:
    """Sections of a docstring become fields, one for each parameter."""
    text = "\n".join(api.document("zoology", "Cat", api.find(zoo, "zoology")["Cat"]))
    for line in (
        ":param lives: how many, a list `[1, 2]`.",
        ":param tails: ",
        ":raises KeyError: if nothing is there.",
    ):
        assert line in text
    assert "_sleep" not in text
    alias = api.document("zoology", "Pair", api.find(zoo, "zoology")["Pair"])
    assert ":canonical: tuple[int, int]" in alias


RESULTS = {
    "training": [
        {"vocab_size": 4096, "seconds": {"ours": 1.5, "theirs": 3}},
        {"vocab_size": 9, "seconds": {"ours": [2, 0.5]}},
    ],
    "rows": [{"kind": "prose", "cache": "cold", "speed": {"ours": 7}}],
    "kinds": {"prose": {"cold": {"ours": 7.25, "spread": 0.1}}, "code": {"cold": {"ours": 6, "spread": 0.2}}},
}


def test_a_table_follows_a_path_through_the_results() -> None:
    """Entries of lists are named by a field, every key is taken by a star, and what is not there is a dash."""
    assert benchmarks.rows(RESULTS, "training[vocab_size].seconds", ["tokens"], []) == [
        ["tokens", "ours", "theirs"],
        ["4,096", "1.5", "3"],
        ["9", "2 ± 0.5", "–"],
    ]
    assert benchmarks.rows(RESULTS, "rows[kind, cache].speed", ["text", "cache"], []) == [
        ["text", "cache", "ours"],
        ["prose", "cold", "7"],
    ]
    assert benchmarks.rows(RESULTS, "kinds.*.*", ["text", "cache"], ["spread"]) == [
        ["text", "cache", "ours"],
        ["prose", "cold", "7.25"],
        ["code", "cold", "6"],
    ]


def test_a_path_that_leads_nowhere_is_an_error() -> None:
    """A benchmark that changes its results cannot leave an empty table behind."""
    with pytest.raises(KeyError):
        benchmarks.rows(RESULTS, "trainings[vocab_size].seconds", ["tokens"], [])
    with pytest.raises(KeyError, match="the path ends"):
        benchmarks.rows(RESULTS, "training[vocab_size].seconds.ours", ["tokens"], [])
    with pytest.raises(ValueError, match="the head names"):
        benchmarks.rows(RESULTS, "kinds.*.*", ["text"], [])


def test_a_table_of_kernels_tells_what_was_compiled_and_where_it_ran(tmp_path: Path) -> None:
    """Registers and spills come from the check, devices from what `make gpu` stored; nothing is typed by hand."""
    usage = {"registers": 255, "local": 8, "shared": 0, "matrix": "mma.sync"}
    kernels_of = [{"module": "softmax", "kernel": "softmax_forward 64", "usage": {"80": usage}}]
    compiled = {
        "architectures": {"75": "T4", "80": "A100"},
        "kernels": [*kernels_of, {**kernels_of[0], "module": "moe"}],
    }
    assert kernels.runs(tmp_path) == {}
    assert kernels.rows(compiled, {"softmax"}, {}) == [
        ["module", "kernel", "T4 (sm_75)", "A100 (sm_80)", "matrices", "run on"],
        ["softmax", "softmax_forward 64", "–", "255 + 8 B", "mma.sync", "no GPU yet"],
    ]
    (tmp_path / "nvidia-h200").mkdir()
    stored = {"device": {"name": "NVIDIA H200"}, "date": "2026-11-28", "rows": [{"operation": "softmax"}]}
    (tmp_path / "nvidia-h200" / "memory.json").write_text(json.dumps(stored), encoding="utf-8")
    (tmp_path / "nvidia-h200" / "moe.json").write_text(json.dumps({**stored, "rows": []}), encoding="utf-8")
    ran = kernels.runs(tmp_path)
    assert [line[-1] for line in kernels.rows(compiled, {"softmax", "moe"}, ran)[1:]] == [
        "NVIDIA H200, 2026-11-28",
        "no GPU yet",
    ]


def test_every_module_of_kernels_belongs_to_a_benchmark() -> None:
    """Or its kernels could never be told to have run."""
    stored = json.loads((ROOT / "benchmarks" / "results" / "compiled.json").read_text(encoding="utf-8"))
    assert {entry["module"] for entry in stored["kernels"]} == {
        name for names in kernels.PARTS.values() for name in names
    }


def test_a_type_is_found_under_the_package_that_offers_it() -> None:
    """A signature names the module in which an alias is defined; the page shows it under the package around it."""

    class Python:
        def resolve_xref(self, env: Any, doc: str, builder: Any, kind: str, target: str, node: Any, text: Any) -> Any:
            return f"{kind} {target}" if target == "zoo.cats.Pair" else None

    env = SimpleNamespace(get_domain=lambda name: Python())
    app = SimpleNamespace(builder=None)

    def resolve(target: str) -> Any:
        node = {"refdomain": "py", "reftype": "class", "reftarget": target, "refdoc": "page"}
        return api.resolve_alias(app, env, node, None)

    assert resolve("zoo.cats.inner.names.Pair") == "type zoo.cats.Pair"
    assert resolve("zoo.cats.Pair") == "type zoo.cats.Pair"
    assert resolve("zoo.Pair") is None


INDEX = """\
# A small book

```{benchmark-conditions} speed
```

```{benchmark} speed
:path: training[vocab_size].seconds
:head: tokens
:turned:
```
"""


@pytest.fixture(scope="module")
def small_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of one chapter, built with the configuration of the real one; gives the folder of its site."""
    root = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "_config.yml", root)
    files = ["notebooks/01-machines", "book/claims", "book/references"]
    toc = "format: jb-book\nroot: index\nchapters:\n" + "".join(f"  - file: {file}\n" for file in files)
    (root / "_toc.yml").write_text(toc, encoding="utf-8")
    (root / "index.md").write_text(INDEX, encoding="utf-8")
    (root / "benchmarks" / "results").mkdir(parents=True)
    results = {"date": "2026-11-21", "python": "3.11.7", "cpus": 2, "versions": {"regex": "1"}, **RESULTS}
    (root / "benchmarks" / "results" / "speed.json").write_text(json.dumps(results), encoding="utf-8")
    (root / "notebooks").mkdir()
    (root / "notebooks" / "01-machines.ipynb").write_text(json.dumps(CHAPTER), encoding="utf-8")
    (root / "student").mkdir()
    (root / "student" / "01-machines.ipynb").write_text("{}", encoding="utf-8")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", str(root), "-W", "-n", "--keep-going"]
    built = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert built.returncode == 0, built.stdout + built.stderr
    return root / "_build" / "html"


@pytest.fixture(scope="module")
def chapter(small_book: Path) -> str:
    """The HTML of the chapter."""
    return (small_book / "notebooks" / "01-machines.html").read_text(encoding="utf-8")


def test_a_page_hides_the_hidden_tests(small_book: Path, chapter: str) -> None:
    """They are neither on the page nor in the index of the search."""
    index = (small_book / "searchindex.js").read_text(encoding="utf-8")
    assert "visible" in chapter
    assert "secret" not in chapter + index
    assert "BEGIN" not in chapter
    assert not (small_book / "_sources").exists()


def test_a_figure_has_number_caption_and_alternative_text(chapter: str) -> None:
    """The metadata of a cell makes a numbered figure that the text refers to."""
    assert '<figure class="align-default" id="fig-machines-dot">' in chapter
    assert 'alt="One dot."' in chapter
    assert re.search(r'caption-number">Fig\w* ?1', chapter)
    assert re.search(r'href="#fig-machines-dot"><span class="std std-numref">Figure 1', chapter)


def test_cells_that_matter_less_are_folded(chapter: str) -> None:
    """Set-up, the code of figures and checks stand behind a line that names them."""
    for prompt in ("Show the set-up of this notebook", "Show the code of this figure", "Show the check"):
        assert prompt in chapter


def test_marks_and_ledger_lead_to_each_other(small_book: Path, chapter: str) -> None:
    """The mark is a link with words to the row, the row a link to the mark; rows without a cell are planned."""
    ledger = (small_book / "book" / "claims.html").read_text(encoding="utf-8")
    for anchor in ("s2-01", "s2-22"):
        assert f'id="claim-{anchor}"' in chapter
        assert f'href="../book/claims.html#ledger-{anchor}"' in chapter
        assert f'id="ledger-{anchor}"' in ledger
        assert f'href="../notebooks/01-machines.html#claim-{anchor}"' in ledger
    assert "A source says: " in chapter
    assert len(re.findall(r'class="badge-planned"', ledger)) == len(re.findall(r'id="ledger-', ledger)) - 2


def test_results_of_benchmarks_become_tables(small_book: Path) -> None:
    """A turned table has a column for each place, and the conditions stand above it."""
    html = (small_book / "index.html").read_text(encoding="utf-8")
    assert "Measured 2026-11-21; Python 3.11.7; 2 processor cores; regex 1." in html
    cells = re.findall(r"<t[hd][^>]*><p>([^<]*)</p>", html)
    assert cells == ["tokens", "4,096", "9", "ours", "1.5", "2 ± 0.5", "theirs", "3", "–"]


def test_nothing_of_thebe_is_left(chapter: str) -> None:
    """Its scripts fail on every page even when it is off."""
    assert "thebe" not in chapter.lower()


def test_the_reader_can_download_the_student_edition(small_book: Path, chapter: str) -> None:
    """The button leads to a file of the site, and there is none for Colab while the repository has no address."""
    assert "_static/student/01-machines.ipynb" in chapter
    assert (small_book / "_static" / "student" / "01-machines.ipynb").is_file()
    published = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    assert ("colab" in chapter.lower()) == ("https://github.com/" in published)
