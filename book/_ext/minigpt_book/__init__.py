"""What this book adds to Jupyter Book: one module for each idea, all set up here."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

from minigpt_book import accessible, api, benchmarks, chapters, claims, kernels, notebooks, numbering, offline, student


def setup(app: Sphinx) -> dict[str, Any]:
    """Set up every module; Sphinx calls this."""
    for module in (offline, accessible, notebooks, claims, chapters, numbering, benchmarks, kernels, api, student):
        module.setup(app)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
