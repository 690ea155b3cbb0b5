"""The check of the site's links finds what is broken, and only that."""

from __future__ import annotations

import pytest

import links

SOUND = """
<h1 id="top">Title</h1><a href="#top">up</a> <a href="book/page.html#part">page</a> <a href="book/">folder</a>
<a href="https://example.org">elsewhere</a> <a href="mailto:a@example.org">mail</a> <a href="book/a%20b.txt">file</a>
<img src="picture.png" srcset="picture.png 2x"><img src="data:image/png;base64,AA">
<link rel="canonical" href="https://example.org"><link rel="stylesheet" href="style.css?v=3">
"""


@pytest.fixture
def site(tmp_path):
    """A small site without a fault."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "index.html").write_text('<a href="../index.html">home</a>')
    (tmp_path / "book" / "page.html").write_text('<section id="part"></section><a name="old"></a>')
    for name in ("book/a b.txt", "picture.png", "style.css"):
        (tmp_path / name).touch()
    (tmp_path / "index.html").write_text(SOUND)
    return tmp_path


def test_a_sound_site_has_no_problems(site):
    assert links.problems(site) == []


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="book/pages.html">', "book/pages.html does not exist"),
        ('<a href="book/page.html#parts">', "names an anchor that does not exist"),
        ('<a href="#nowhere">', "names an anchor that does not exist"),
        ('<a href="../outside.html">', "does not exist"),
        ('<a href="/book/page.html">', "is an absolute path"),
        ('<a href="file:///etc/hosts">', "has an odd scheme"),
        ('<img src="missing.png">', "does not exist"),
        ('<img srcset="picture.png 1x, missing.png 2x">', "missing.png does not exist"),
        ('<script src="https://example.org/a.js"></script>', "is loaded from elsewhere"),
        ('<link rel="stylesheet" href="//example.org/a.css">', "is loaded from elsewhere"),
        ('<link rel="preload" href="font.woff2">', "does not exist"),
    ],
)
def test_each_fault_is_found_with_its_place(site, html, problem):
    (site / "index.html").write_text(SOUND + html)
    (found,) = links.problems(site)
    assert problem in found
    assert found.startswith("index.html:6: ")


def test_a_folder_without_a_site_is_refused(tmp_path, capsys):
    assert links.main([str(tmp_path)]) == 2
    assert "make book" in capsys.readouterr().err
