"""The page about the village: its stories are stories, its numbers those of the benchmark, its examples run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from minigpt.village import SIZES, story
from minigpt.village.generator import Generator
from minigpt.village.grammar import Grammar
from minigpt.village.plots.village import CLASSES, PLOTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "village.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "village.json").read_text(encoding="utf-8"))["sizes"]
QUOTES = [
    "\n".join(line[2:] for line in block.splitlines()) for block in re.findall(r"(?:^>.*\n)+", PAGE, flags=re.MULTILINE)
]


def row(name: str) -> list[str]:
    """The cells of a row of the table."""
    cells = re.search(rf"^\* - {re.escape(name)}\n((?:  - .*\n)+)", PAGE, flags=re.MULTILINE)[1]
    return [cell.removeprefix("  - ") for cell in cells.splitlines()]


def test_the_stories_are_those_of_their_seeds():
    hamlet, village, town = QUOTES
    assert hamlet == story(24, "hamlet").text
    assert village == story(1424).text
    begin, end = town.split("\n\n[...]\n\n")
    assert story(2, "town").text.startswith(begin)
    assert story(2, "town").text.endswith(end)


@pytest.mark.parametrize(
    ("name", "key", "form"),
    [
        ("word forms that occur", "word_forms", "{:,}"),
        ("words a story", "words_per_story", "{:.0f}"),
        ("entropy a story (nats)", "nats_per_story", "{0[0]:.1f} ± {0[1]:.1f}"),
        ("entropy a byte (nats)", "nats_per_byte", "{0[0]:.4f}"),
        ("without the state, a story (nats)", "nats_per_story_without_state", "{0[0]:.1f} ± {0[1]:.1f}"),
        ("excess without the state", "excess_without_state_percent", "{:.1f} %"),
    ],
)
def test_the_table_shows_what_was_measured(name, key, form):
    assert row(name) == [form.format(RESULTS[size][key]) for size in SIZES]


def test_the_text_shows_what_was_measured():
    for size in SIZES:
        checked = RESULTS[size]["check"]
        assert checked["with_one_derivation"] == checked["stories"]
        assert checked["largest_difference"] < 1e-9
        assert f"{checked['stories']:,}" in PAGE
        assert RESULTS[size]["megabytes_per_second"] > 1
    assert f"{RESULTS['village']['repeated_pairs']} pairs were equal" in PAGE
    assert len(PLOTS) == 19


def test_the_examples_run():
    usage, plot, _, web = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(usage, {})
    exec(web, {})
    names: dict = {}
    exec(plot, names)
    tape = Generator(Grammar("example", names["plot"], CLASSES)).tell(1)
    assert "".join(tape.out).endswith(".")
