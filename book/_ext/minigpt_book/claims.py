"""Claims on the pages: the ledger with a link to the cell that settles each row, and a mark beside that cell."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from minigpt_book.chapters import Chapter, plan
from minigpt_book.ledger import SOURCES, Claim, read_ledger, settling_cells
from minigpt_book.tables import table


class ClaimDirective(SphinxDirective):
    """What the directives share: the ledger, and labels that Sphinx checks."""

    def ledger(self) -> dict[str, Claim]:
        """The ledger of this book."""
        path = Path(self.env.srcdir, "book", "claims.yml")
        self.env.note_dependency(str(path))
        return read_ledger(path)

    def settled(self) -> dict[str, int]:
        """For each row that a written chapter settles, in how many cells."""
        chapters = [chapter for part in plan(self.env).values() for chapter in part]
        notebooks = [Path(self.env.srcdir, f"{c.docname}.ipynb") for c in chapters if c.docname in self.env.found_docs]
        for notebook in notebooks:
            self.env.note_dependency(str(notebook))
        return {claim: len(cells) for claim, cells in settling_cells(notebooks).items()}

    def label(self, name: str, node: nodes.Element) -> None:
        """Make a node the target of `{ref}`."""
        node["ids"].append(name)
        self.env.get_domain("std").note_hyperlink_target(name, self.env.docname, name, name)

    def link(self, label: str, text: str) -> pending_xref:
        """A link to a label."""
        return pending_xref(
            "",
            nodes.inline("", text),
            refdomain="std",
            reftype="ref",
            reftarget=label,
            refdoc=self.env.docname,
            refexplicit=True,
            refwarn=True,
        )


class ClaimMark(ClaimDirective):
    """`{claim} S0.01`: the mark beside the cell that settles a row of the ledger.

    The extension for notebooks writes it before each tagged cell; nobody writes it by hand.
    """

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Build the mark."""
        ledger = self.ledger()
        if self.arguments[0] not in ledger:
            raise self.error(f"book/claims.yml has no row {self.arguments[0]!r}; mend the tag of the cell")
        claim = ledger[self.arguments[0]]
        if not claim.by:
            raise self.error(f"a cell settles {claim.id}, but its row says neither computed, measured nor cited")
        settled = self.env.temp_data.setdefault("minigpt_claims", [])
        count = settled.count(claim.id)
        settled.append(claim.id)
        mark = nodes.container(classes=["claim-mark", *(["errs"] if claim.errs else [])])
        self.label(f"claim-{claim.anchor}" + (f"-{count + 1}" if count else ""), mark)
        verdict = f" That is wrong or loose. {claim.errs}" if claim.errs else ""
        text = f"A source says: {claim.says}.{verdict} Settled here ({claim.by}); see the ledger."
        mark += nodes.paragraph("", "", self.link(f"ledger-{claim.anchor}", text))
        return [mark]


class Ledger(ClaimDirective):
    """`{ledger} S0`: the rows of one source."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the list."""
        source = self.arguments[0]
        if source not in SOURCES:
            raise self.error(f"there is no source {source!r}; there are {sorted(SOURCES)}")
        chapters = {chapter.number: chapter for part in plan(self.env).values() for chapter in part}
        settled = self.settled()
        rows = nodes.bullet_list(classes=["ledger"])
        for claim in self.ledger().values():
            if claim.source == source:
                rows += self.row(claim, chapters[claim.chapter], settled.get(claim.id, 0))
        return [rows]

    def row(self, claim: Claim, chapter: Chapter, n_cells: int) -> nodes.list_item:
        """One row: the statement, what is wrong with it, and where it is settled."""
        item = nodes.list_item(classes=["claim", *(["errs"] if claim.errs else [])])
        self.label(f"ledger-{claim.anchor}", item)
        item += nodes.paragraph(
            "", "", nodes.inline("", claim.id, classes=["claim-id"]), nodes.Text(f" {claim.says}."), classes=["says"]
        )
        if claim.errs:
            verdict = nodes.strong("", "Wrong or loose.")
            item += nodes.paragraph("", "", verdict, nodes.Text(f" {claim.errs}"), classes=["verdict"])
        where = nodes.paragraph(classes=["where"])
        name = f"chapter {chapter.number}, {chapter.title}"
        if n_cells:
            where += nodes.inline("", claim.by, classes=["badge-settled", claim.by])
            where += nodes.Text(" in ")
            where += self.link(f"claim-{claim.anchor}", name)
            for n in range(2, n_cells + 1):
                where += nodes.Text(" · ")
                where += self.link(f"claim-{claim.anchor}-{n}", f"cell {n}")
        else:
            where += nodes.inline("", "planned", classes=["badge-planned"])
            where += nodes.Text(f" {name}")
        item += where
        return item


class LedgerSummary(ClaimDirective):
    """`{ledger-summary}`: how many claims each source makes, how many are settled, and how many err."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        ledger, settled = self.ledger(), self.settled()
        rows = [["Source", "Claims", "Settled", "Planned", "Wrong or loose"]]
        for source, title in [*SOURCES.items(), ("", "All")]:
            claims = [c for c in ledger.values() if c.source == source or not source]
            done = sum(c.id in settled for c in claims)
            wrong = sum(bool(c.errs) for c in claims)
            numbers = [len(claims), done, len(claims) - done, f"{wrong} ({wrong / len(claims):.0%})"]
            rows.append([f"{source}: {title}" if source else title, *map(str, numbers)])
        return [table(rows)]


def setup(app: Sphinx) -> None:
    """Add the directives."""
    app.add_directive("claim", ClaimMark)
    app.add_directive("ledger", Ledger)
    app.add_directive("ledger-summary", LedgerSummary)
