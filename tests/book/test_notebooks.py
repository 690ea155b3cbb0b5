"""The stored chapters keep the rules; and each rule, broken on purpose in a sound chapter, is noticed."""

from __future__ import annotations

import copy
import json

import pytest

import guard
import new_chapter
import notebooks
import publish


def stream(text: str, name: str = "stdout") -> dict:
    """What a cell printed."""
    return {"name": name, "output_type": "stream", "text": text.splitlines(keepends=True)}


def picture() -> dict:
    """A figure that a cell drew (the guard does not look into it)."""
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBORw0KGgo=", "text/plain": ["<F>"]}}


def chapter() -> dict:
    """A chapter that keeps every rule: the frame of a new one, with four exercises, as if it had been executed."""
    notebook = new_chapter.frame("toy", "A toy", publish.setting())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            lines = guard.PLACEHOLDERS.sub("Text.", "".join(cell["source"]))
            cell["source"] = lines.splitlines(keepends=True)
    settings = named(notebook, "idea-figure")["metadata"]["mystnb"]
    settings["figure"]["caption"] = settings["image"]["alt"] = "A straight line that rises from zero to two."
    for i in range(3):
        label = f"ex-toy-again-{i}"
        prompt = new_chapter.PROMPT.replace("ex-TOPIC-twice", label)
        again = new_chapter.exercise(label, prompt, new_chapter.ANSWER, new_chapter.TESTS)
        notebook["cells"][-2:-2] = again
    for count, cell in enumerate([cell for cell in notebook["cells"] if cell["cell_type"] == "code"], start=1):
        cell["execution_count"] = count
    named(notebook, "idea-figure")["outputs"] = [picture()]
    named(notebook, "idea-check")["outputs"] = [stream("y rises from 0.0 to 2.0\n")]
    return notebook


def named(notebook: dict, id: str) -> dict:
    """The cell with this id."""
    return next(cell for cell in notebook["cells"] if cell["id"] == id)


@pytest.mark.parametrize("path", notebooks.chapters(), ids=lambda path: path.stem)
def test_stored_chapters_keep_every_rule(path):
    assert guard.problems(path.name, path.read_text(encoding="utf-8")) == []


def test_a_sound_chapter_has_no_problems():
    assert guard.problems("07-toy.ipynb", notebooks.dumps(chapter())) == []


def sets(id, key, value):
    """A change of one field of one cell."""
    return lambda notebook: named(notebook, id).update({key: value})


def prints(text, name="stdout"):
    """A change of what a cell printed."""
    return sets("idea-check", "outputs", [stream(text, name)])


def without(id):
    """The removal of a cell."""
    return lambda notebook: notebook["cells"].remove(named(notebook, id))


def costs(text):
    """Another line of costs."""
    return lambda notebook: named(notebook, "title").update(
        source=["(ch-toy)=\n", "# A toy\n", "\n", f"**Cost:** about {text} of memory."]
    )


def frames_figure(notebook):
    """The caption that the frame of a new chapter has."""
    figure = named(notebook, "idea-figure")["metadata"]["mystnb"]["figure"]
    figure["caption"] = guard.PLACEHOLDER_FIGURE[0]


def shows_hidden_tests(notebook):
    """Copy the hidden tests of an exercise into a cell that everybody sees."""
    hidden = guard.HIDDEN_TESTS.search("".join(named(notebook, "ex-toy-again-1-check")["source"]))[0]
    named(notebook, "idea-check")["source"] = hidden.splitlines(keepends=True)[1:-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (sets("idea-check", "execution_count", None), "cell idea-check has None, expected 4"),
        (sets("idea-check", "execution_count", 9), "cell idea-check has 9, expected 4"),
        (sets("idea-check", "source", [f"x = {i}\n" for i in range(26)]), "shows 26 lines of code"),
        (sets("idea-check", "source", ["\n"]), "is empty"),
        (sets("idea-check", "id", "a1b2c3d4"), "readable id"),
        (sets("idea-check", "id", "imports"), "cell id 'imports' more than once"),
        (sets("idea-check", "metadata", {"tags": ["nbval-ignore-ouput"]}), "unknown tag 'nbval-ignore-ouput'"),
        (sets("idea-check", "metadata", {"collapsed": True}), "needless metadata ['collapsed']"),
        (prints("<object at 0x7f12ab34cd56>\n"), "the address of an object"),
        (prints("saved to /home/ada/model.pt\n"), "a path of this machine"),
        (prints("took 12 ms\n"), "a timing or a progress bar"),
        (prints("0.3333333333333333\n"), "digits that differ elsewhere"),
        (prints("UserWarning: old\n", "stderr"), "standard error"),
        (
            sets("idea-check", "outputs", [{"output_type": "error", "ename": "E", "evalue": "v", "traceback": []}]),
            "ended with E: v",
        ),
        (
            sets(
                "idea-check", "outputs", [{"output_type": "display_data", "metadata": {}, "data": {"text/latex": "x"}}]
            ),
            "an output of type text/latex",
        ),
        (sets("idea-figure", "outputs", [picture(), picture()]), "draws 2 figures"),
        (sets("idea-figure", "metadata", {}), "needs a caption"),
        (sets("idea-figure", "metadata", {}), "for those who cannot see"),
        (sets("title", "source", ["# A toy\n"]), "the label (ch-toy)="),
        (sets("title", "source", ["(ch-toy)=\n", "# A toy\n"]), "needs a line like **Cost:**"),
        (sets("setup", "source", ["cohort = 0\n"]), "another set-up cell"),
        (sets("setup", "metadata", {}), "tagged `setup`"),
        (sets("imports", "source", ["import json\n"]), "call use_style()"),
        (without("ex-toy-again-2-begin"), "is an nbgrader cell outside"),
        (without("ex-toy-again-2-end"), "must be followed by solution-start, the solution"),
        (
            sets("ex-toy-again-1", "source", ["def twice(x): return 2 * x"]),
            "must stand once between ### BEGIN SOLUTION",
        ),
        (sets("ex-toy-again-1-check", "source", ["assert twice(1) == 2"]), "needs visible tests, and hidden ones"),
        (shows_hidden_tests, "hides a test that is shown elsewhere: assert"),
        (sets("ex-toy-again-1-check", "metadata", {}), "needs the nbgrader metadata of a test"),
        (sets("ex-toy-again-1", "metadata", {}), "needs the nbgrader metadata of a solution"),
        (without("ex-toy-open-prompt"), "and 0 open ones"),
        (without("remember"), "has no section '## What to remember'"),
        (costs("500 seconds on one CPU core, 1 GB"), "costs more than 120 seconds or 4 GB"),
        (costs("50 seconds on one CPU core, 8 GB"), "costs more than 120 seconds or 4 GB"),
        (sets("idea", "source", ["A paragraph. Then the equation,\n", "\n"]), "still holds a text of the frame"),
        (frames_figure, "caption or the alternative text of the frame"),
        (sets("idea-check", "source", ["y = torch.randn(3)\n"]), "uses torch.randn"),
        (sets("idea-check", "source", ["y = np.random.rand(3)\n"]), "uses np.random without a generator"),
        (sets("idea-check", "source", ["y = np.random.default_rng().random(3)\n"]), "without a seed"),
        (lambda notebook: notebook.update(nbformat_minor=4), "format 4.5"),
        (lambda notebook: notebook.update(metadata={}), "notebook metadata"),
    ],
)
def test_each_broken_rule_is_noticed(change, message):
    notebook = copy.deepcopy(chapter())
    change(notebook)
    assert message in "\n".join(guard.problems("07-toy.ipynb", notebooks.dumps(notebook)))


def test_a_file_written_in_another_way_is_noticed():
    assert "not written as" in guard.problems("07-toy.ipynb", json.dumps(chapter(), indent=2))[0]


def test_a_large_file_is_noticed():
    notebook = chapter()
    named(notebook, "idea-check")["outputs"] = [stream("x" * 1_000_000)]
    assert "larger than 1 MB" in guard.problems("07-toy.ipynb", notebooks.dumps(notebook))[0]


def test_hidden_tests_do_not_count_as_lines_that_are_shown():
    notebook = chapter()
    check = named(notebook, "ex-toy-again-1-check")
    check["source"][-1:] = ["assert twice(0) == 0\n"] * 30 + check["source"][-1:]
    assert guard.problems("07-toy.ipynb", notebooks.dumps(notebook)) == []


def test_executing_twice_stores_the_same_bytes(tmp_path):
    notebook = chapter()
    named(notebook, "idea-check")["source"] = ["for i in range(3):\n", "    print(i, flush=True)"]
    named(notebook, "idea-check")["outputs"] = []
    path = tmp_path / "07-toy.ipynb"
    path.write_text(notebooks.dumps(notebook), encoding="utf-8")
    assert notebooks.store(path) == []
    first = path.read_bytes()
    assert notebooks.store(path) == []
    assert path.read_bytes() == first
    assert named(json.loads(first), "idea-check")["outputs"] == [stream("0\n1\n2\n")]
    assert "image/png" in named(json.loads(first), "idea-figure")["outputs"][0]["data"]


def test_a_chapter_that_breaks_a_rule_is_not_stored(tmp_path):
    notebook = chapter()
    named(notebook, "idea-check")["source"] = ["print(object())"]
    path = tmp_path / "07-toy.ipynb"
    path.write_text(notebooks.dumps(notebook), encoding="utf-8")
    before = path.read_bytes()
    assert "the address of an object" in notebooks.store(path)[0]
    assert path.read_bytes() == before


def test_chapters_are_chosen_by_number(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("01-one.ipynb", "02-two.ipynb", "notes.ipynb"):
        (folder / name).touch()
    assert [path.name for path in notebooks.select([], tmp_path)] == ["01-one.ipynb", "02-two.ipynb"]
    assert [path.name for path in notebooks.select(["2"], tmp_path)] == ["02-two.ipynb"]
    with pytest.raises(ValueError, match="there is no chapter '3'; there are 01, 02"):
        notebooks.select(["3"], tmp_path)


def test_the_frame_of_a_new_chapter_runs_and_lacks_only_what_is_to_be_written(tmp_path, capsys, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.minigpt]\nrepository = ""\n')
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "chapters.yml").write_bytes((notebooks.ROOT / "book" / "chapters.yml").read_bytes())
    monkeypatch.setattr(publish, "setting", lambda root=None: "")
    call = ["--root", str(tmp_path), "4", "attention", "Attention"]
    assert new_chapter.main(call) == 0
    path = tmp_path / "notebooks" / "04-attention.ipynb"
    assert "".join(json.loads(path.read_text())["cells"][0]["source"]).startswith("(ch-attention)=\n# Attention\n")
    lacks = ("still holds a text of the frame", "still has the caption or the alternative text", "has 1 exercises")
    problems = notebooks.store(path)
    assert [problem for problem in problems if not any(lack in problem for lack in lacks)] == []
    assert all(any(lack in problem for problem in problems) for lack in lacks)
    assert new_chapter.main(call) == 2
    assert "chapter 4 is there already" in capsys.readouterr().err
    assert new_chapter.main(["--root", str(tmp_path), "5", "attention", "Attention"]) == 2
    assert 'chapter 5 is planned as `block`, "The block"' in capsys.readouterr().err
