"""The browser tests run on a built site: `pytest tests/site --site _build/html`; without --site there are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import chromium, pages, serve


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --site."""
    parser.addoption("--site", type=Path, help="the folder of the built site")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "holding(text): run on the pages that hold this text")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the browser tests out where no site is given, as in the suite of unit tests."""
    return True if config.getoption("site", None) is None else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a page on every page; marked `holding(text)`, on the pages that hold the text."""
    if "page" in metafunc.fixturenames:
        site = metafunc.config.getoption("site")
        holding = metafunc.definition.get_closest_marker("holding")
        text = holding.args[0] if holding else ""
        chosen = [page for page in pages(site) if text in (site / page).read_text(encoding="utf-8")]
        metafunc.parametrize("page", chosen)


@pytest.fixture(scope="session")
def site(pytestconfig: pytest.Config) -> Path:
    """The folder of the built site."""
    return pytestconfig.getoption("site")


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """The address of the site on loopback."""
    with serve(site) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser."""
    with chromium() as browser:
        yield browser
