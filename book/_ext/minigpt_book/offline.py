"""A site that asks nothing of any other server: MathJax comes along, Thebe stays away."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from sphinx.application import Sphinx

PACKAGE = "sphinx-mathjax-offline"
"""The package whose files are copied; its own extension is not used, because it would copy all 20 MB of them."""

PARTS = ("tex-chtml.js", "a11y", "input/tex/extensions", "output/chtml/fonts", "sre/mathmaps")
"""MathJax itself, and what it loads later: rare TeX commands, fonts, and the speech of its accessibility menu."""

LANGUAGES = ("base", "en", "nemeth")


def mathjax_files() -> dict[str, Path]:
    """The files of MathJax that a page may ask for: path below `mathjax/`, to the file that is installed.

    Raises:
        FileNotFoundError: if the installed package does not have MathJax where it should be.
    """
    found = {}
    for file in metadata.files(PACKAGE) or []:
        _, _, path = file.as_posix().partition("/static/mathjax/")
        if any(path == part or path.startswith(part + "/") for part in PARTS):
            found[path] = Path(file.locate())
    found = {
        path: file
        for path, file in found.items()
        if not path.startswith("sre/mathmaps/") or PurePosixPath(path).stem in LANGUAGES
    }
    if "tex-chtml.js" not in found:
        raise FileNotFoundError(f"{PACKAGE} has no tex-chtml.js; install the version that requirements-book.txt pins")
    return found


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy MathJax into the static files of the site."""
    if exception or app.builder.format != "html":
        return
    for path, file in mathjax_files().items():
        target = Path(app.outdir, "_static", "mathjax", path)
        if not target.exists() or target.stat().st_mtime < file.stat().st_mtime:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)


def drop_thebe(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave out the scripts of Thebe, which the theme adds to every page, twice, even when Thebe is off."""

    def of_thebe(script: Any) -> bool:
        body = getattr(script, "attributes", {}).get("body") or ""
        return "thebe" in str(getattr(script, "filename", script)) or "THEBE_JS_URL" in body

    for key in ("script_files", "css_files"):
        context[key] = [script for script in context.get(key, []) if not of_thebe(script)]


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
