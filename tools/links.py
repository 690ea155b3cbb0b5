"""Check the built site without a browser: every link and every anchor resolves, and no page loads from elsewhere.

python tools/links.py _build/html
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": ("src",), "img": ("src", "srcset"), "source": ("src", "srcset"), "iframe": ("src",)}
LOADED |= {"video": ("src", "poster"), "audio": ("src",), "object": ("data",), "embed": ("src",), "use": ("href",)}
LOADING_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "manifest", "prefetch"}


@dataclass
class Page(HTMLParser):
    """What a page offers to be linked to, what it links to, and what it loads."""

    anchors: set[str] = field(default_factory=set)
    links: list[tuple[int, str]] = field(default_factory=list)
    loads: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        line = self.getpos()[0]
        self.anchors.update(values[name] for name in ("id", "name") if values.get(name))
        for name in LOADED.get(tag, ()):
            parts = values.get(name, "").split(",") if name == "srcset" else [values.get(name, "")]
            self.loads += [(line, part.split()[0]) for part in parts if part.strip()]
        if tag == "link" and values.get("href"):
            loading = LOADING_LINKS & set(values.get("rel", "").split())
            (self.loads if loading else self.links).append((line, values["href"]))
        elif tag in ("a", "area") and "href" in values:
            self.links.append((line, values["href"]))


def read(path: Path) -> Page:
    """Parse one page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def problems(site: Path) -> list[str]:
    """Every link of the site that leads nowhere, and every file that a page would load from elsewhere.

    Args:
        site: the folder that holds the site's index.html.

    Raises:
        FileNotFoundError: if there is no site in the folder.
    """
    site = site.resolve()
    if not (site / "index.html").is_file():
        raise FileNotFoundError(f"there is no site in {str(site)!r}; build it with `make book`")
    paths = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts]
    pages = {path: read(path) for path in paths}
    found = []
    for path, page in pages.items():
        for loaded, line, address in [(True, *at) for at in page.loads] + [(False, *at) for at in page.links]:
            problem = _problem(address, path, pages, site, loaded)
            if problem:
                found.append(f"{path.relative_to(site).as_posix()}:{line}: {address} {problem}")
    return found


def _problem(address: str, path: Path, pages: dict[Path, Page], site: Path, loaded: bool) -> str | None:
    parts = urlsplit(address)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        outside = loaded or parts.scheme not in ("https", "http", "mailto")
        return "is loaded from elsewhere" if outside and loaded else "has an odd scheme" if outside else None
    if parts.path.startswith("/"):
        return "is an absolute path; the site must work in any folder"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site) or not target.is_file():
        return "does not exist"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return "names an anchor that does not exist"
    return None


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of the built site")
    args = parser.parse_args(arguments)
    try:
        found = problems(args.site)
    except FileNotFoundError as error:
        print(f"links: {error}", file=sys.stderr)
        return 2
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"{len(found)} broken links")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
