"""Buttons that hand the reader a notebook: the student edition, without solutions and hidden tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sphinx.application import Sphinx

COLAB = "https://colab.research.google.com"


def student_notebook(app: Sphinx, pagename: str) -> Path | None:
    """The student edition of a chapter, if the page is a chapter that has one."""
    folder, _, name = pagename.rpartition("/")
    path = Path(app.srcdir, "student", f"{name}.ipynb")
    return path if folder == "notebooks" and path.is_file() else None


def colab_address(repository: str, notebook: str) -> str | None:
    """Where Colab opens a notebook of a repository, which must be on GitHub."""
    parts = urlsplit(repository)
    if parts.netloc != "github.com":
        return None
    return f"{COLAB}/github/{parts.path.strip('/').removesuffix('.git')}/blob/main/student/{notebook}"


def add_buttons(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the buttons at the top of a chapter: download always, Colab once the repository is published."""
    notebook = student_notebook(app, pagename)
    if notebook is None:
        return
    target = Path(app.outdir, "_static", "student", notebook.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(notebook, target)
    buttons = [("Download the notebook", context["pathto"](f"_static/student/{notebook.name}", 1), "fas fa-download")]
    address = colab_address(app.config.html_theme_options.get("repository_url", ""), notebook.name)
    if address:
        buttons.append(("Open in Colab", address, "fas fa-rocket"))
    context["header_buttons"] = [
        {"type": "link", "text": text, "tooltip": text, "icon": icon, "url": url, "label": f"notebook-{i}"}
        for i, (text, url, icon) in enumerate(buttons)
    ] + context.get("header_buttons", [])


def setup(app: Sphinx) -> None:
    """Connect to Sphinx, after the theme has made its own buttons."""
    app.connect("html-page-context", add_buttons, priority=520)
