"""The built site as a reader meets it: every page in a real browser, offline, light and dark, small and large."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import SCHEMES, SIZES

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", re.S)


class Visit:
    """A tab, and everything that went wrong in it."""

    def __init__(self, context: Any, address: str) -> None:
        self.address = address
        self.problems: list[str] = []
        self.tab = context.new_page()
        self.tab.on("request", self.asked)
        self.tab.on("console", lambda m: self.problems.append(f"console: {m.text}") if m.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        self.tab.on("requestfailed", lambda request: self.problems.append(f"failed request: {request.url}"))
        self.tab.on("response", lambda r: self.problems.append(f"{r.status}: {r.url}") if r.status >= 400 else None)

    def asked(self, request: Any) -> None:
        """All that a page asks for comes from the site itself."""
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.problems.append(f"asks another server: {request.url}")

    def open(self, page: str) -> Any:
        """Open a page and wait until its formulas stand."""
        self.tab.goto(f"{self.address}/{page}", wait_until="load")
        self.tab.evaluate("() => window.MathJax?.startup?.promise")
        return self.tab


@pytest.fixture(scope="session")
def contexts(browser: Any) -> dict[tuple[str, str], Any]:
    """A profile of the browser for each view; its cache serves all visits."""
    profiles = {
        (size, scheme): browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
        for size, (width, height) in SIZES.items()
        for scheme in SCHEMES
    }
    for profile in profiles.values():
        profile.set_default_timeout(180_000)  # milliseconds; a chapter's formulas take long on a busy machine
    return profiles


@pytest.fixture
def visit(contexts: dict[tuple[str, str], Any], address: str) -> Iterator[Any]:
    """Make visits; their tabs close after the test."""
    visits: list[Visit] = []

    def make(size: str = "desktop", scheme: str = "light", formulas: bool = True) -> Visit:
        visits.append(Visit(contexts[size, scheme], address))
        if not formulas:  # half of the time that a chapter takes to load
            visits[-1].tab.route("**/_static/mathjax/**", lambda route: route.fulfill(body=""))
        return visits[-1]

    yield make
    for one in visits:
        one.tab.close()


# What is wrong with the formulas: unrendered ones, raw TeX in the text, errors of MathJax.
FORMULAS = r"""() => {
  const wrong = [];
  for (const box of document.querySelectorAll(".math"))
    if (!box.querySelector("mjx-container")) wrong.push("not rendered: " + box.textContent.slice(0, 80));
  for (const box of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
    wrong.push("MathJax: " + (box.getAttribute("data-mjx-error") || box.textContent));
  const skip = "code, pre, script, style, textarea, mjx-container, .tex2jax_keep";
  const walk = document.createTreeWalker(document.querySelector("article") || document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode;
    if (text.parentElement.closest(skip)) continue;
    if (/\\\(|\\\[|\$[^$]+\$|\\begin\{/.test(text.data)) wrong.push("raw TeX: " + text.data.trim());
  }
  return wrong;
}"""

OPEN_EVERYTHING = """() => {
  document.querySelectorAll("article details").forEach((d) => { d.open = true; });
  document.querySelectorAll("article .toggle-hidden button.toggle-button-hidden").forEach((b) => b.click());
}"""

# A page of code has thousands of coloured words in a few colours; axe looks at one of each kind. Formulas, which have
# been looked at before, are most of a page's elements and have the colour of the text around them: a letter each stays.
ONE_OF_EACH_COLOUR = """() => {
  const seen = new Set();
  const alike = [...document.querySelectorAll("pre span")].filter((word) => {
    const look = `${word.className} in ${word.closest(".cell_output, .cell_input, .admonition")?.className}`;
    return seen.has(look) || !seen.add(look);
  });
  for (const word of alike) word.replaceWith(...word.childNodes);
  for (const formula of document.querySelectorAll("mjx-container")) formula.replaceWith("x");
}"""

ANIMATION = 350
"""Milliseconds until a fold is open or a colour has changed; a half-faded text has too little contrast."""

DUPLICATE_IDS = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return [...new Set(ids.filter((id, i) => ids.indexOf(id) !== i))];
}"""


def accessibility(tab: Any, view: str, **options: Any) -> list[str]:
    """What axe-core calls serious in the page as it stands."""
    # axe's preload asks for the style sheets that others import, at addresses of its own making.
    found = Axe().run(tab, options={"preload": False, "resultTypes": ["violations"], **options}).response
    return [
        f"axe, {view}, {one['impact']}: {one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_page_is_whole(visit: Any, page: str) -> None:
    """No failed or foreign request, no script error, every formula rendered, nothing that axe-core calls serious.

    The page is loaded once, which is what takes time, and then looked at on a desktop, in the dark, and on a phone.
    """
    one = visit()
    tab = one.open(page)
    problems = tab.evaluate(FORMULAS)
    problems += [f"id used twice: {name}" for name in tab.evaluate(DUPLICATE_IDS)]
    for size, (width, height) in reversed(SIZES.items()):
        tab.set_viewport_size({"width": width, "height": height})
        too_wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if too_wide > 0:
            problems.append(f"on a {size} the page scrolls sideways by {too_wide} pixels")
    tab.evaluate(ONE_OF_EACH_COLOUR)
    problems += accessibility(tab, "phone", rules={"color-contrast": {"enabled": False}})
    width, height = SIZES["desktop"]
    tab.set_viewport_size({"width": width, "height": height})
    tab.evaluate(OPEN_EVERYTHING)
    tab.wait_for_timeout(ANIMATION)
    problems += accessibility(tab, "light")
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    tab.wait_for_timeout(ANIMATION)
    problems += accessibility(tab, "dark", runOnly={"type": "rule", "values": ["color-contrast"]})
    problems += one.problems
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_site_follows_the_reader(visit: Any, scheme: str) -> None:
    """A page opens dark for a reader whose system is dark."""
    tab = visit(scheme=scheme).open("book/intro.html")
    assert tab.evaluate("document.documentElement.dataset.theme") == scheme


@pytest.mark.holding('class="movable"')
def test_movable_figures_answer_to_the_keyboard(visit: Any, page: str) -> None:
    """Every control of a movable figure can be reached and used with the keyboard alone, and the figure changes."""
    one = visit(size="phone", formulas=False)
    tab = one.open(page)
    for figure in tab.locator("figure.movable").all():
        name = figure.get_attribute("id")
        controls = figure.locator("input, select, textarea, button, [tabindex='0']").all()
        assert controls, f"{name} has nothing to move"
        changed = False
        for control in controls:
            if not control.is_visible() or control.is_disabled():
                continue
            control.focus()
            assert control.evaluate("c => c === document.activeElement"), f"{name}: a control cannot have the focus"
            before = figure.inner_html()
            kind = control.evaluate("c => c.matches('textarea, input:not([type]), input[type=text]') ? 'text' : c.type")
            value = control.evaluate("c => c.value")
            if kind == "text":
                tab.keyboard.type("hallo ")
            elif kind in ("button", "submit"):
                tab.keyboard.press("Enter")
            elif kind in ("checkbox", "radio"):
                tab.keyboard.press("Space")
            else:
                at_end = control.evaluate("c => c.type === 'range' && Number(c.value) >= Number(c.max)")
                tab.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
            if kind in ("text", "range"):
                assert control.evaluate("c => c.value") != value, f"{name}: a control does not move"
            changed = changed or figure.inner_html() != before
        assert changed, f"{name} does not change when its controls are used"
    assert one.problems == []


@pytest.mark.holding('class="claim-mark')
def test_claim_marks_lead_to_the_ledger(visit: Any, page: str) -> None:
    """Each mark in the margin has a name that says what it is, lies inside the window, and leads to its row."""
    one = visit(formulas=False)
    tab = one.open(page)
    links = tab.locator(".claim-mark a").all()
    for link in links:
        assert link.inner_text().startswith("A source says: ")
        box = link.bounding_box()
        assert 0 <= box["x"] <= SIZES["desktop"][0] - box["width"]
    if links:
        target = links[0].get_attribute("href").partition("#")[2]
        links[0].focus()
        tab.keyboard.press("Enter")
        tab.wait_for_url(f"**/book/claims.html#{target}")
        assert tab.locator("li:target").is_visible()
    assert one.problems == []


def test_search_finds(visit: Any) -> None:
    """The search opens with the keyboard and finds a word of the glossary."""
    one = visit(formulas=False)
    tab = one.open("book/intro.html")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("perplexity")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=perplexity*")
    tab.locator("#search-results li a[href*='glossary']").first.wait_for()  # the results come one by one
    assert one.problems == []


def test_sidebar_opens_on_a_phone(visit: Any) -> None:
    """On a phone the table of contents is behind a button, and leads to other pages."""
    one = visit(size="phone", formulas=False)
    tab = one.open("book/intro.html")
    tab.locator("button.primary-toggle:visible").first.click()
    link = tab.get_by_role("link", name="Glossary").first
    link.wait_for(state="visible")
    link.click()
    tab.wait_for_url("**/book/glossary.html")
    assert one.problems == []


def test_theme_button_changes_the_theme(visit: Any) -> None:
    """The button at the top switches between light and dark."""
    tab = visit(scheme="light").open("book/intro.html")
    themes = set()
    for _ in range(3):
        tab.locator("button.theme-switch-button:visible").first.click()
        themes.add(tab.evaluate("document.documentElement.dataset.theme"))
    assert themes == {"light", "dark"}
    tab.evaluate("localStorage.clear()")


def test_first_page_leads_to_the_book(visit: Any) -> None:
    """The root of the site opens the first page of the book."""
    one = visit(formulas=False)
    one.tab.goto(one.address)
    one.tab.wait_for_url("**/book/intro.html")


def test_hidden_tests_stay_hidden(site: Path) -> None:
    """Nothing of the site holds a line of a hidden test."""
    hidden = {
        line.strip()
        for notebook in sorted((ROOT / "notebooks").glob("*.ipynb"))
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        for block in HIDDEN.findall("".join(cell["source"]))
        for line in block.splitlines()
        if "assert" in line
    }
    texts = [path for path in site.rglob("*") if path.suffix in (".html", ".txt", ".ipynb", ".json", ".md")]
    for path in [*texts, site / "searchindex.js"]:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":  # code on a page is cut up by the tags that colour it
            text = unescape(re.sub(r"<[^>]+>", "", text))
        assert "HIDDEN TESTS" not in text, path
        assert not [line for line in hidden if line in text], path
