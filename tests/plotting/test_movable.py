"""Figures that a reader can move are complete, deterministic pieces of HTML."""

import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from minigpt.plotting import movable

TEMPLATES = sorted(
    f.name.removesuffix(".html")
    for f in (resources.files("minigpt.plotting") / "figures").iterdir()
    if f.name.endswith(".html") and f.name != "base.html"
)


class _Ids(HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.urls, self.labels, self.controls = [], [], set(), []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        self.urls += [attrs[k] for k in ("src", "href") if attrs.get(k)]
        if tag == "label" and "for" in attrs:
            self.labels.add(attrs["for"])
        if tag in ("input", "select", "textarea"):
            self.controls.append(attrs)


@pytest.mark.parametrize("name", TEMPLATES)
def test_ids_belong_to_the_figure_and_nothing_comes_from_outside(name):
    html = movable(name, caption="What moves?", value=1).html
    page = _Ids()
    page.feed(html)
    assert page.ids
    assert len(set(page.ids)) == len(page.ids)
    assert all(i.startswith(f"movable-{name}") for i in page.ids)
    assert all(url.startswith("#") for url in page.urls)
    assert not re.search(r"https?://(?!www\.w3\.org/)", html)
    assert "__DATA__" not in html


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_control_has_a_name(name):
    html = movable(name, caption="What moves?").html
    page = _Ids()
    page.feed(html)
    for control in page.controls:
        inside = re.search(rf"<label[^>]*>(?:(?!</label>).)*id=\"{control.get('id')}\"", html, re.S)
        assert control.get("id") in page.labels or "aria-label" in control or inside, control


def test_the_caption_is_text_and_data_cannot_end_the_script():
    name = "cubic"
    html = movable(name, caption="a < b & c", text="</script><b>").html
    assert "a &lt; b &amp; c" in html
    assert json.dumps("</script><b>").replace("</", "<\\/") in html
    assert html == movable(name, caption="a < b & c", text="</script><b>").html


def test_unknown_figures_and_wrong_data_are_named():
    with pytest.raises(ValueError, match="no movable figure 'nothing'"):
        movable("nothing", caption="")
    with pytest.raises(ValueError, match=r"no movable figure '\.\./style'"):
        movable("../style", caption="")
    with pytest.raises(ValueError, match="not JSON"):
        movable("cubic", caption="", data=float("nan"))
