"""Tables made of text."""

from __future__ import annotations

from docutils import nodes


def table(rows: list[list[str]], heads: int = 1) -> nodes.table:
    """A table whose first row is its head; after the first columns, which name the row, come numbers.

    Args:
        rows: lines of equal length.
        heads: how many columns name the row.
    """
    group = nodes.tgroup(cols=len(rows[0]))
    group += [nodes.colspec(colwidth=1) for _ in rows[0]]

    def line(cells: list[str]) -> nodes.row:
        classes = [["number"] if i >= heads else [] for i in range(len(cells))]
        entries = zip(cells, classes, strict=True)
        return nodes.row("", *[nodes.entry("", nodes.paragraph("", text), classes=names) for text, names in entries])

    group += nodes.thead("", line(rows[0]))
    group += nodes.tbody("", *[line(row) for row in rows[1:]])
    return nodes.table("", group, classes=["plain"])
