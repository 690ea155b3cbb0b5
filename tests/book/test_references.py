"""The references are real entries, each cited somewhere, and the glossary is in order."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENTRY = re.compile(r"^@(\w+)\{([^,]+),(.*?)^\}", re.M | re.S)
ENTRIES = ENTRY.findall((ROOT / "book" / "references.bib").read_text(encoding="utf-8"))


def texts() -> list[str]:
    """The Markdown of every page."""
    pages = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "book").rglob("*.md"))]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            captions = cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption", "")
            pages += ["".join(cell["source"])] * (cell["cell_type"] == "markdown") + [captions]
    return pages


def test_every_reference_is_cited() -> None:
    """The list of references holds what the book speaks of and nothing else."""
    cited = {
        key.strip() for keys in re.findall(r"\{cite:\w+\}`([^`]+)`", "\n".join(texts())) for key in keys.split(",")
    }
    assert {key for _, key, _ in ENTRIES} == cited


def test_every_reference_can_be_found() -> None:
    """An entry says who wrote what, when, and where to find it."""
    for kind, key, body in ENTRIES:
        fields = set(re.findall(r"^\s*(\w+)\s*=", body, re.M))
        assert {"author", "title", "year"} <= fields, key
        assert fields & {"url", "doi", "journal", "booktitle", "publisher", "school", "institution"}, (kind, key)


def test_keys_of_references_are_author_year_word() -> None:
    """A key can be guessed: first author, year, first word of the title; and the year is that of the entry."""
    for _, key, body in ENTRIES:
        found = re.fullmatch(r"[a-z]+(\d{4})[a-z0-9]+", key)
        assert found, key
        assert found[1] in body, key
    assert len({key for _, key, _ in ENTRIES}) == len(ENTRIES)


def test_the_glossary_is_in_order() -> None:
    """Terms are sorted and come once."""
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    block = re.search(r"```\{glossary\}\n(.*?)```", text, re.S)[1]
    terms = [line for line in block.splitlines() if line and not line.startswith(" ")]
    assert terms == sorted(set(terms), key=str.lower)
