"""The ledger of claims and the chapters agree: what a chapter owes it settles, in cells that can fail."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from minigpt_book.chapters import Chapter, read_plan
from minigpt_book.ledger import Claim, read_ledger, settling_cells
from minigpt_book.notebooks import claims_of

ROOT = Path(__file__).resolve().parents[2]
LEDGER = read_ledger(ROOT / "book" / "claims.yml")
CHAPTERS = {c.number: c for chapters in read_plan(ROOT / "book" / "chapters.yml").values() for c in chapters}


def toc_files(part: dict[str, Any]) -> list[str]:
    """Every file that a part of the table of contents names."""
    inner = [*part.get("parts", []), *part.get("chapters", []), *part.get("sections", [])]
    return [*([part["file"]] if "file" in part else []), *(file for entry in inner for file in toc_files(entry))]


TOC = toc_files(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
WRITTEN = [chapter for chapter in CHAPTERS.values() if chapter.docname in TOC]


def cells(chapter: Chapter) -> list[dict[str, Any]]:
    """The cells of a chapter, each with its source as one string."""
    notebook = json.loads((ROOT / f"{chapter.docname}.ipynb").read_text(encoding="utf-8"))
    return [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]


def owed(chapter: Chapter) -> dict[str, Claim]:
    """The rows that a chapter has to settle."""
    return {claim.id: claim for claim in LEDGER.values() if claim.chapter == chapter.number}


def test_every_row_has_a_chapter() -> None:
    """No row is left without a chapter that examines it."""
    assert {claim.chapter for claim in LEDGER.values()} <= CHAPTERS.keys()


def test_rows_are_numbered_without_gaps() -> None:
    """Within each source the rows count from 1, so that none was lost."""
    for source in ("S0", "S1", "S2", "S3", "S4"):
        numbers = [int(claim.id.partition(".")[2]) for claim in LEDGER.values() if claim.source == source]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_row_says_how_it_is_settled_once_its_chapter_is_written() -> None:
    """`by` is a statement about a cell that exists; before that the row is planned."""
    written = {chapter.number for chapter in WRITTEN}
    assert [claim.id for claim in LEDGER.values() if claim.chapter in written and not claim.by] == []


@pytest.mark.parametrize("chapter", WRITTEN, ids=lambda chapter: chapter.name)
def test_a_chapter_settles_its_rows_and_no_others(chapter: Chapter) -> None:
    """The tags of a chapter's cells are the rows of the ledger that belong to it."""
    settled = settling_cells([ROOT / f"{chapter.docname}.ipynb"])
    missing, foreign = sorted(owed(chapter).keys() - settled.keys()), sorted(settled.keys() - owed(chapter).keys())
    assert not missing, f"no cell of {chapter.name} is tagged for these rows of the ledger: {', '.join(missing)}"
    assert not foreign, f"these rows belong to other chapters: {', '.join(foreign)}"


@pytest.mark.parametrize("chapter", WRITTEN, ids=lambda chapter: chapter.name)
def test_computed_and_measured_rows_are_settled_by_cells_that_can_fail(chapter: Chapter) -> None:
    """Such a row has a cell with an assertion and something to see; a cited one has a citation beside it."""
    ledger = owed(chapter)
    settling = {claim: [cell for cell in cells(chapter) if claim in claims_of(cell)] for claim in ledger}
    for claim, found in settling.items():
        code = [cell for cell in found if cell["cell_type"] == "code"]
        if ledger[claim].by == "cited":
            assert any("{cite:" in cell["source"] for cell in found if cell["cell_type"] == "markdown"), claim
        else:
            assert any(re.search(r"^ *assert ", cell["source"], re.M) for cell in code), claim
            assert any(cell["outputs"] for cell in code), claim


@pytest.mark.parametrize("chapter", WRITTEN, ids=lambda chapter: chapter.name)
def test_ids_of_claims_stay_out_of_the_prose(chapter: Chapter) -> None:
    """The reader meets the ledger through the mark in the margin."""
    prose = "\n".join(cell["source"] for cell in cells(chapter) if cell["cell_type"] == "markdown")
    assert re.findall(r"\bS[0-4]\.\d\d\b", prose) == []


@pytest.mark.parametrize("chapter", WRITTEN, ids=lambda chapter: chapter.name)
def test_the_plan_has_the_title_of_the_chapter(chapter: Chapter) -> None:
    """The map on the first page calls a chapter what the chapter calls itself."""
    assert re.search(r"^# (.+)$", cells(chapter)[0]["source"], re.M)[1].strip() == chapter.title


def test_every_notebook_is_planned_and_in_the_table_of_contents() -> None:
    """A chapter that is written is shown, and in its place."""
    notebooks = [f"notebooks/{path.stem}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert notebooks == [chapter.docname for chapter in WRITTEN]
    assert [file for file in TOC if file.startswith("notebooks/")] == notebooks


def test_every_chapter_stands_in_its_part_and_is_numbered() -> None:
    """The parts of the table of contents that hold chapters are those of the plan."""
    parts = read_plan(ROOT / "book" / "chapters.yml")
    planned = {chapter.docname: part for part, chapters in parts.items() for chapter in chapters}
    for part in yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]:
        chapters = [file for file in toc_files(part) if file.startswith("notebooks/")]
        for file in chapters:
            assert planned[file] == part["caption"], f"{file} belongs to the part {planned[file]!r}"
        assert bool(chapters) == part.get("numbered", False), f"{part['caption']}: chapters have `numbered: true`"


def test_the_plan_has_28_chapters() -> None:
    """Numbers run from 1 to 28."""
    assert list(CHAPTERS) == list(range(1, 29))


def test_the_first_page_counts_the_claims() -> None:
    """The number of claims in the text is the number of rows."""
    assert f"{len(LEDGER)} of their statements" in (ROOT / "book" / "intro.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("{id: S9.01, ch: 1, says: x}", "S9.01"),
        ("{id: S0.01, ch: 1, says: x, by: guessed}", "guessed"),
        ("{id: S0.01, ch: 1, says: x, claim: y}", "unknown fields"),
        ("{id: S0.01, ch: 1, says: x}\n- {id: S0.01, ch: 1, says: y}", "twice"),
    ],
)
def test_a_bad_row_is_refused_by_name(tmp_path: Path, row: str, complaint: str) -> None:
    """A slip in the ledger is an error that says which row."""
    path = tmp_path / "claims.yml"
    path.write_text(f"- {row}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        read_ledger(path)
