"""The student edition: plain Markdown with the page's numbers, no solutions, no hidden tests, never stale."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from scratch_book import code, exercise_cells, machines, markdown, source, write_book, write_notebook

import publish
import student
from chapter import ROOT, ChapterError, chapter_paths, hidden, read_chapter, read_chapters
from plain_markdown import PlainMarkdown, PlainMarkdownError
from references import read_bibliography, read_book


@pytest.fixture
def book(tmp_path):
    return write_book(tmp_path)


@pytest.fixture
def edition(book):
    student.write(book)
    return book / "student" / "01-machines.ipynb"


def plain(root, text):
    return PlainMarkdown(read_book(root), "01-machines")(text, "here")


def numbers(text):
    """The numbers of the equations, and those of figures, tables and exercises, in the order of the text."""
    return re.findall(r"\\tag\{(.+?)\}", text), re.findall(r"\b(?:Figure|Table|Exercise) [0-9]+\.[0-9]+", text)


def article(page):
    """The text of a page, with the numbers of its equations as TeX has them."""
    html = page.read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]
    return re.sub(r"<[^>]+>", "", re.sub(r'<span class="eqno">\((.+?)\)', r"\\tag{\1}", html))


def test_the_numbers_are_those_of_the_page(book):
    """Sphinx numbers the pages, with the settings of the real book; the student edition agrees, across gaps as well."""
    (book / "notebooks" / "02-tokens.ipynb").rename(book / "notebooks" / "07-tokens.ipynb")
    for name in ("_ext", "_static", "_templates"):
        shutil.copytree(ROOT / "book" / name, book / "book" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("claims.yml", "chapters.yml"):
        shutil.copy(ROOT / "book" / name, book / "book")
    shutil.copy(ROOT / "_config.yml", book)
    parts = "".join(
        f"  - numbered: true\n    chapters:\n      - file: notebooks/{name}\n" for name in ("01-machines", "07-tokens")
    )
    (book / "_toc.yml").write_text(f"format: jb-book\nroot: book/notation\nparts:\n{parts}", encoding="utf-8")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", str(book)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    student.write(book)
    for name in ("01-machines", "07-tokens"):
        page = book / "_build" / "html" / "notebooks" / f"{name}.html"
        cells = json.loads((book / "student" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
        assert numbers(article(page)) == numbers(text)
        assert numbers(text)[0]


def test_chapters_stand_in_the_order_of_their_numbers_in_numbered_parts():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    chapters = [entry["file"] for part in parts if part.get("numbered") for entry in part["chapters"]]
    everywhere = re.findall(r"file: (notebooks/\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert chapters == everywhere
    numbers = [int(name.removeprefix("notebooks/")[:2]) for name in chapters]
    assert numbers == sorted(set(numbers))


def test_references_are_spelled_out_with_the_numbers_of_the_page(edition):
    text = source(edition, "text-0")
    assert "$$\np(x) = a x + b \\tag{1.1}\n$$" in text
    assert "With (1.1) you can draw Figure 1.1." in text
    assert "([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)), says Knuth (1984), and `{ref}` is code" in text
    assert "```python\n$$ not an equation $$ (eq-machines-not)\n```" in text
    assert "(sec-machines-line)=" not in text


def test_admonitions_become_quotes_and_folded_sections(edition):
    assert source(edition, "text-1") == (
        "> **Note**\n>\n> Two lines,\n>\n> $$q(x) = c x \\\\ + d \\tag{1.2}$$\n>\n> and token.\n\n"
        "<details>\n<summary>A <em>longer</em> word</summary>\n\nA hint with $x^2$.\n\n"
        "> **Warning**\n>\n> Inside.\n\n</details>"
    )


def test_list_tables_become_tables(edition):
    assert source(edition, "text-2") == (
        "**Table 1.1.** Names and sizes.\n\n| name | size |\n| --- | --- |\n"
        "| `a \\| b` | $\\vert a\\vert $ and more |\n\n"
        "Table 1.1 has two columns; see the line and Exercise 1.1."
    )


def test_list_tables_may_have_empty_cells(book):
    text = "```{list-table}\n:header-rows: 1\n* - a\n  -\n* -\n  - $\\|x\\|$ costs $5 | $6\n```"
    expected = "| a |  |\n| --- | --- |\n|  | $\\Vert x\\Vert $ costs $5 \\| $6 |"
    assert plain(book, text) == expected


def test_other_chapters_and_pages_are_named(book):
    student.write(book)
    text = source(book / "student" / "02-tokens.ipynb", "title")
    assert "After *Machines* (chapter 1), from *A line* (chapter 1) and (1.2); see *Notation*," in text
    assert "the other chapter and `ByteTokenizer`." in text
    assert "By (2.1), Figure 1.1 and *Tokens*." in text


def test_a_figure_has_its_caption_below_and_its_code_folded(edition):
    cells = json.loads(edition.read_text(encoding="utf-8"))["cells"]
    position = next(i for i, cell in enumerate(cells) if cell["id"] == "line")
    assert cells[position]["metadata"] == {"jupyter": {"source_hidden": True}}
    assert "".join(cells[position + 1]["source"]) == "**Figure 1.1.** A line: see (1.1)."


def test_a_figure_that_was_not_drawn_has_no_caption_and_no_number(tmp_path):
    missing = {"figure": {"name": "fig-machines-missing", "caption": "Of results that are not there."}}
    book = write_book(tmp_path, code("missing", "print('no results')", mystnb=missing))
    student.write(book)
    assert "Of results" not in (book / "student" / "01-machines.ipynb").read_text(encoding="utf-8")
    assert "fig-machines-missing" not in read_book(book).targets


def test_exercises_keep_signature_docstring_and_visible_checks_alone(edition):
    assert source(edition, "ex-machines-double") == (
        'import math\n\n\ndef double(x):\n    """Twice x."""\n    ...  # your answer here'
    )
    assert source(edition, "ex-machines-guess") == "...  # your answer here"
    check = source(edition, "ex-machines-double-check")
    assert "twice 2 is 4" in check
    whole = edition.read_text(encoding="utf-8")
    for secret in (
        "fsum",
        "large numbers",
        "HIDDEN",
        "SOLUTION",
        "{hint}",
        "exercise-",
        "solution-",
        "claim:",
        "stored",
    ):
        assert secret not in whole
    prompt = source(edition, "ex-machines-double-prompt")
    assert prompt.startswith("### Exercise 1.1: Twice as much\n\n**Difficulty 2 of 5 · 10 minutes**\n\n")
    assert "<details>\n<summary>Hint</summary>\n\nThink.\n\n</details>" in prompt


def test_the_works_cited_are_listed_in_full(edition):
    assert source(edition, "references") == (
        "## References\n\n- D. E. Knuth (1984). *Literate Programming*. Addison-Wesley.\n"
        "- A. Vaswani, N. Shazeer and Ł. Kaiser (2017). *Attention Is All You Need*. NeurIPS. "
        "<https://arxiv.org/abs/1706.03762>"
    )


def test_the_edition_is_a_valid_notebook_with_the_set_up_cell_of_its_chapter(edition):
    notebook = nbformat.read(edition, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[1].source == publish.setup_cell()
    assert notebook.cells[1].metadata.tags == ["setup"]
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```{figure} picture.png\n```", "unknown directive {figure}"),
        (":::{margin}\nx\n:::", "unknown directive {margin}"),
        ("see {guilabel}`File`", "unknown role {guilabel}`File`"),
        ("{eq}`eq-machines-none`", "nothing in the book has the label 'eq-machines-none'"),
        ("{eq}`fig-machines-line`", "'fig-machines-line' is a figure; this role refers to equation"),
        ("{cite:p}`nobody2020nothing`", "book/references.bib has no entry 'nobody2020nothing'"),
        ("{doc}`/book/nowhere`", "the book has no page '/book/nowhere'"),
        ("[here](../book/notation.md)", "leads nowhere from a notebook alone"),
        ("![a picture](picture.png)", "leads nowhere from a notebook alone"),
        (":::{note}\nopen", "is never closed"),
        ("{eq}`eq-machines-line", "is never closed"),
        ("a footnote[^1]", "plain Markdown has no form for '[^1]'"),
        ("term\n: definition", "plain Markdown has no form for the line ': definition'"),
        ("[text]{.small}", "plain Markdown has no form for ']{.small}'"),
        ("$$\nx = 1\n\n", "does not end on a line of its own"),
        ("```{list-table}\n* - a\n```", "needs `:header-rows: 1`"),
        ("```{list-table}\n:header-rows: 1\n* - a\n  - b\n* - c\n```", "different numbers of cells"),
    ],
)
def test_what_plain_markdown_cannot_say_is_an_error_that_names_the_cell(book, text, message):
    with pytest.raises(PlainMarkdownError) as error:
        plain(book, text)
    assert message in str(error.value)
    assert str(error.value).startswith("01-machines, cell 'here': ")


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and `{ref}` is a role; {x} and a_{b} are not.",
        "``a ` b`` and $a_{ij}$ and $$c$$ in the line",
        "~~~text\n:::{note}\n~~~",
        "- item\n\n  ```python\n  {1: 2}\n  ```\n\n| a | b |\n|---|---|\n| $x$ | [y](https://example.org) |",
        "> a quote\n\n1. one\n2. two\n\n---\n\n<b>html</b>",
    ],
)
def test_plain_markdown_stays_as_it_is(book, text):
    assert plain(book, text) == text


def test_directives_in_lists_keep_their_place(book):
    text = "- item\n\n  :::{tip}\n  Inside {eq}`eq-machines-line`.\n  :::\n\n  $$ x $$ (eq-machines-line)"
    expected = "- item\n\n  > **Tip**\n  >\n  > Inside (1.1).\n\n  $$\n  x \\tag{1.1}\n  $$"
    assert plain(book, text) == expected


def test_a_stale_a_missing_and_a_left_over_edition_are_told_apart(book, capsys):
    student.write(book)
    assert student.stale(book) == []
    assert student.main(["--root", str(book), "--check"]) == 0
    assert student.write(book) == []
    (book / "student" / "02-tokens.ipynb").unlink()
    (book / "student" / "09-old.ipynb").write_text("{}", encoding="utf-8")
    write_notebook(book / "notebooks" / "01-machines.ipynb", machines(markdown("new", "New.")))
    assert student.main(["--root", str(book), "--check"]) == 1
    said = capsys.readouterr().err
    assert "student/01-machines.ipynb is not that of notebooks/01-machines.ipynb" in said
    assert "student/02-tokens.ipynb is missing" in said
    assert "student/09-old.ipynb has no chapter" in said
    assert student.main(["--root", str(book), "--write"]) == 0
    assert student.stale(book) == []


def test_publishing_the_repository_leaves_no_edition_stale(book):
    student.write(book)
    for path in [*book.glob("notebooks/*.ipynb"), *book.glob("student/*.ipynb")]:
        text = publish.with_setup(path.read_text(encoding="utf-8"), "https://github.com/owner/name", path.name)
        path.write_text(text, encoding="utf-8")
    assert "pip" in source(book / "student" / "01-machines.ipynb", "setup")
    assert student.stale(book) == []


def test_an_unknown_directive_stops_the_writing_and_changes_nothing(book, capsys):
    student.write(book)
    before = (book / "student" / "01-machines.ipynb").read_text(encoding="utf-8")
    write_notebook(book / "notebooks" / "01-machines.ipynb", machines(markdown("odd", "```{mermaid}\n```")))
    assert student.main(["--root", str(book), "--write"]) == 2
    assert "01-machines, cell 'odd': unknown directive {mermaid}" in capsys.readouterr().err
    assert (book / "student" / "01-machines.ipynb").read_text(encoding="utf-8") == before


def test_an_exercise_without_its_check_is_an_error(tmp_path):
    *four, _ = exercise_cells("machines", "half", "Half", "Half.", "### BEGIN SOLUTION\n### END SOLUTION", "", 1)
    with pytest.raises(ChapterError, match="ex-machines-half has only one of solution and check"):
        read_chapters(write_book(tmp_path, *four))


def test_a_work_without_a_year_is_an_error():
    with pytest.raises(ValueError, match=r"old1900 in book/references\.bib needs an author, a title and a year"):
        read_bibliography("@article{old1900, author={Old, A.}, title={T}}")


def test_a_title_with_a_macro_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match=r"'\\\\TeX book' has a macro that is not known here"):
        read_bibliography(r"@book{knuth, author={Knuth, D.}, title={{\TeX}book}, year=1984}")


def test_many_authors_are_cut_and_an_organisation_keeps_its_name():
    names = " and ".join(f"Name{i}, A." for i in range(12))
    works = read_bibliography(
        f"@misc{{a, author={{{names}}}, title={{T}}, year=2020, doi={{10.1/x}}}}"
        "@misc{b, author={{Open Group} and Levy, Omer}, title={T}, year=2021}"
        "@misc{c, author={van Berg, Ming-Wei and others}, title={T}, year=2019, school={Somewhere}}"
    )
    assert works["a"].reference.startswith("A. Name0, A. Name1, ")
    assert works["a"].reference.endswith("A. Name7 et al. (2020). *T*.")
    assert works["a"].authors == "Name0 et al."
    assert works["a"].address == "https://doi.org/10.1/x"
    assert works["b"].authors == "Open Group and Levy"
    assert works["c"].reference == "M.-W. van Berg et al. (2019). *T*. Somewhere."
    assert works["c"].authors == "van Berg et al."


@pytest.mark.parametrize("path", chapter_paths(), ids=lambda path: path.stem)
def test_the_edition_of_a_chapter_has_all_of_its_code_and_nothing_secret(path):
    chapter = read_chapter(path)
    cells = student.student_cells(chapter, read_book())
    code = {cell["id"]: cell["source"] for cell in cells if cell["cell_type"] == "code"}
    for cell in chapter.cells:
        if cell["cell_type"] == "code" and "nbgrader" not in cell["metadata"]:
            assert code[cell["id"]] == cell["source"]
    for exercise in chapter.graded:
        assert "your answer here" in code[exercise.label]
        assert hidden(exercise.check["source"]) not in code[f"{exercise.label}-check"]
        assert code[f"{exercise.label}-check"] == exercise.check["source"].partition("### BEGIN HIDDEN")[0].strip()
        assert "### BEGIN" not in code[exercise.label]


def test_the_committed_editions_are_those_of_the_chapters():
    assert student.stale(ROOT) == []
