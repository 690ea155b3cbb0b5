"""Take pictures of pages: `python tests/site/screenshots.py _build/html /tmp/pictures book/intro.html ...`.

Each page is taken light and dark, on a phone and on a desktop; without page names, all pages are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from browsing import SCHEMES, SIZES, chromium, pages, serve


def main() -> None:
    """Take the pictures and print where they are."""
    parser = argparse.ArgumentParser(description="Take pictures of the pages of the built site.")
    parser.add_argument("site", type=Path, help="the folder of the built site")
    parser.add_argument("out", type=Path, help="the folder for the pictures")
    parser.add_argument("pages", nargs="*", help="pages below the site's root; all of them if none is given")
    parser.add_argument("--size", choices=SIZES, action="append", help="only this size")
    parser.add_argument("--scheme", choices=SCHEMES, action="append", help="only this colour scheme")
    parser.add_argument("--part", default="", help="a CSS selector: only this part of the page")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with serve(args.site) as address, chromium() as browser:
        for scheme in args.scheme or SCHEMES:
            for size in args.size or SIZES:
                width, height = SIZES[size]
                context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
                for page in args.pages or pages(args.site):
                    tab = context.new_page()
                    tab.goto(f"{address}/{page}", wait_until="networkidle")
                    picture = (
                        args.out / f"{Path(page).with_suffix('').as_posix().replace('/', '-')}-{size}-{scheme}.png"
                    )
                    if args.part:
                        tab.locator(args.part).first.screenshot(path=picture)
                    else:
                        tab.screenshot(path=picture, full_page=True)
                    print(picture)
                    tab.close()
                context.close()


if __name__ == "__main__":
    main()
