"""Chapters have the numbers of their files, also while chapters between them are not yet written.

Sphinx counts the chapters that there are. So the first part of every number of a section, figure, table, equation or
exercise is replaced, once Sphinx has given them all, by the number in the name of the file.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

CHAPTER = re.compile(r"notebooks/(\d\d)-")


def number_by_file(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Replace the chapter in all numbers of each chapter's page; no page has to be written for this alone."""
    for docname, sections in env.toc_secnumbers.items():
        found = CHAPTER.match(docname)
        if not found:
            continue
        chapter = int(found[1])
        titles = [env.titles[docname], *env.tocs[docname].findall(nodes.reference)]
        for node in (node for node in titles if node.get("secnumber")):
            node["secnumber"] = [chapter, *node["secnumber"][1:]]
        for numbers in (sections, *env.toc_fignumbers.get(docname, {}).values()):
            numbers.update({anchor: (chapter, *number[1:]) for anchor, number in numbers.items() if number})
    return []


def setup(app: Sphinx) -> None:
    """Come after the collectors that give the numbers."""
    app.connect("env-get-updated", number_by_file, priority=900)
