"""Figures that the reader can move: HTML with its script inline, so that they work on the static page, offline, and in
JupyterLab, without a server or a kernel."""

from __future__ import annotations

import json
import re
from html import escape
from importlib import resources
from typing import Any


class Movable:
    """A figure that the reader can move, shown by Jupyter through `_repr_html_`."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return "<movable figure>"


def movable(name: str, *, caption: str, **data: Any) -> Movable:
    """Fill the template `figures/<name>.html` of this package with data.

    In the template, `__DATA__` becomes `data` as JSON, and every id starts with `movable-<name>`, so that the same
    call always gives the same HTML and a page can hold each figure once. The caption asks the question that the figure
    answers.

    Args:
        name: the template, for instance `"cubic"`.
        caption: text below the figure; `$...$` is left to the page's mathematics, everything else is plain text.
        data: JSON values for the script.

    Raises:
        ValueError: if there is no such template, or a value is not JSON.
    """
    folder = resources.files("minigpt.plotting") / "figures"
    template = folder / f"{name}.html"
    if not re.fullmatch(r"[a-z0-9-]+", name) or not template.is_file():
        known = sorted(
            f.name.removesuffix(".html") for f in folder.iterdir() if f.name.endswith(".html") and f.name != "base.html"
        )
        raise ValueError(f"there is no movable figure {name!r}; there are {known}")
    try:
        # "</" must not end the script element early.
        values = json.dumps(data, ensure_ascii=False, sort_keys=True, allow_nan=False).replace("</", "<\\/")
    except (TypeError, ValueError) as error:
        raise ValueError(f"the data of the movable figure {name!r} is not JSON: {error}") from error
    base = (folder / "base.html").read_text(encoding="utf-8")
    body = template.read_text(encoding="utf-8").replace("__DATA__", values)
    html = base.replace("__NAME__", name).replace("__CAPTION__", escape(caption, quote=False)).replace("__BODY__", body)
    return Movable(html.strip())
