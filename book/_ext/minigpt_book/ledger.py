"""The ledger of claims: `book/claims.yml` read and checked, and the cells of the notebooks that settle its rows."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import yaml

from minigpt_book.notebooks import claims_of

SOURCES = {
    "S0": "Slides on generative AI",
    "S1": "A developer’s essay",
    "S2": "A talk for mathematicians",
    "S3": "Course slides on GPT and LLaMA",
    "S4": "An exam cheat-sheet",
}
WAYS = ("computed", "measured", "cited")


@dataclass(frozen=True)
class Claim:
    """One row of the ledger."""

    id: str
    chapter: int
    says: str
    errs: str = ""
    by: str = ""

    @property
    def source(self) -> str:
        """The document that says it, `"S0"` to `"S4"`."""
        return self.id.partition(".")[0]

    @property
    def anchor(self) -> str:
        """The part of labels and HTML ids that names the row."""
        return self.id.lower().replace(".", "-")


def read_ledger(path: Path) -> dict[str, Claim]:
    """Read the ledger.

    Raises:
        ValueError: if a row lacks something, says something else, or comes twice; the message names the row.
    """
    claims: dict[str, Claim] = {}
    for row in yaml.safe_load(path.read_text(encoding="utf-8")):
        if unknown := row.keys() - {"id", "ch", "says", "errs", "by"}:
            raise ValueError(f"{path.name}: row {row.get('id')} has unknown fields {sorted(unknown)}")
        claim = Claim(row["id"], row["ch"], row["says"], row.get("errs", ""), row.get("by", ""))
        if claim.source not in SOURCES or claim.by not in ("", *WAYS) or claim.id in claims:
            raise ValueError(f"{path.name}: row {claim.id} comes twice, or its source or `by: {claim.by}` is unknown")
        claims[claim.id] = claim
    return claims


def settling_cells(notebooks: list[Path]) -> dict[str, list[Path]]:
    """For each claim the notebooks whose cells settle it, once for each cell, in reading order."""
    cells: dict[str, list[Path]] = defaultdict(list)
    for notebook in notebooks:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            for claim in claims_of(cell):
                cells[claim].append(notebook)
    return dict(cells)
