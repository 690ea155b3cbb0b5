"""Cures for accessibility faults in the HTML that other extensions write."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

CURES = (
    # The list of references claims to be an ARIA list, whose items are not list items.
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
    (re.compile(r' role="doc-biblioentry"'), ""),
    # Every exercise of a page has a section with the same id.
    (re.compile(r' id="(?:exercise|solution)-content"'), ""),
    # What Thebe needs in the body; it is off.
    (re.compile(r'<script type="text/x-thebe-config">.*?</script>\s*(<script>kernelName = .*?</script>)?', re.S), ""),
)


LINES = re.compile(r'<dl>\s*(<dd><em class="sig-param">.*?)</dl>', re.S)
"""The parameters of a signature that takes several lines: a list of definitions without terms, which is no list."""


def cure(html: str) -> str:
    """The same HTML without the faults."""
    html = LINES.sub(lambda lines: f'<div class="sig-lines">{lines[1]}</div>'.replace("dd>", "div>"), html)
    for pattern, replacement in CURES:
        html = pattern.sub(replacement, html)
    return html


def cure_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Cure the body of a page."""
    if context.get("body"):
        context["body"] = cure(context["body"])


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", cure_page, priority=900)
