"""What the browser tests and the screenshot tool share: a server on loopback and Chromium."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The installed browser, or None."""

SIZES = {"phone": (375, 800), "desktop": (1280, 900)}
SCHEMES = ("light", "dark")


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *args: Any) -> None:
        """Keep the output of the tests clean."""


@contextmanager
def serve(site: Path) -> Iterator[str]:
    """Serve a folder on loopback; gives its address, without a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the installed Chromium without a window and without a network; it works as root too."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", nowhere]
        )
        try:
            yield browser
        finally:
            browser.close()


def pages(site: Path) -> list[str]:
    """The pages of the book, as addresses below the site's root, without the redirects and Sphinx's own indexes."""
    return sorted(
        path.relative_to(site).as_posix()
        for folder in ("book", "notebooks")
        for path in (site / folder).rglob("*.html")
    )
