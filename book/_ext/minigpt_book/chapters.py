"""The map of the chapters, from `book/chapters.yml`: those that are written are links, the others are planned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective


@dataclass(frozen=True)
class Chapter:
    """One chapter of the plan."""

    number: int
    name: str
    title: str
    about: str

    @property
    def docname(self) -> str:
        """Where the chapter's page is, once it is written."""
        return f"notebooks/{self.number:02d}-{self.name}"


def read_plan(path: Path) -> dict[str, list[Chapter]]:
    """The parts of the book, in order, with their chapters."""
    parts = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {part["part"]: [Chapter(**chapter) for chapter in part["chapters"]] for part in parts}


def plan(env: BuildEnvironment) -> dict[str, list[Chapter]]:
    """The plan of this book; the page that asks is read again when the plan or the table of contents changes."""
    path = Path(env.srcdir, "book", "chapters.yml")
    env.note_dependency(str(path))
    env.note_dependency(str(Path(env.srcdir, "_toc.yml")))
    return read_plan(path)


def link_to_page(env: BuildEnvironment, docname: str, text: str) -> pending_xref:
    """A link to another page of the book, checked by Sphinx."""
    return pending_xref(
        "",
        nodes.inline("", text),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{docname}",
        refdoc=env.docname,
        refexplicit=True,
        refwarn=True,
    )


class ChapterMap(SphinxDirective):
    """`{chapter-map}`: all chapters, part by part."""

    def run(self) -> list[nodes.Node]:
        """Build a list for each part."""
        written = self.env.found_docs
        result: list[nodes.Node] = []
        for part, chapters in plan(self.env).items():
            block = nodes.container(classes=["chapter-part"])
            block += nodes.paragraph("", part, classes=["chapter-part-name"])
            rows = nodes.bullet_list(classes=["chapter-list"])
            for chapter in chapters:
                ready = chapter.docname in written
                line = nodes.paragraph()
                line += nodes.inline("", f"{chapter.number}", classes=["chapter-number"])
                line += nodes.Text(" ")
                if ready:
                    line += link_to_page(self.env, chapter.docname, chapter.title)
                else:
                    line += nodes.inline("", chapter.title, classes=["chapter-title"])
                    line += nodes.Text(" ")
                    line += nodes.inline("", "planned", classes=["badge-planned"])
                rows += nodes.list_item(
                    "",
                    line,
                    nodes.paragraph("", chapter.about, classes=["chapter-about"]),
                    classes=["ready" if ready else "planned"],
                )
            block += rows
            result.append(block)
        return result


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("chapter-map", ChapterMap)
