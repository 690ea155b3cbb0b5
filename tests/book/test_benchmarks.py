"""Stored results of benchmarks belong to the script that stands beside them."""

import json
import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_stored_run_of_chapter_23_has_the_settings_of_its_script():
    script = runpy.run_path(str(ROOT / "benchmarks" / "parallel.py"))
    stored = json.loads((ROOT / "benchmarks" / "results" / "parallel.json").read_text(encoding="utf-8"))
    assert stored["workers"]["settings"] == script["SETTINGS"]
    assert stored["workers"]["growing"]["pages"] == list(script["SIZES"])
    assert stored["roofline"]["decoding"]["batch"] == list(script["BATCHES"])
    for name in script["DTYPES"]:
        rows = [point["rows"] for point in stored["roofline"][name]["points"] if point["what"] == "rows"]
        assert rows == list(script["ROWS"])
    # One file is one result of the tokenising program; a page may be thrown out.
    programs = stored["workers"]["programs"]
    assert programs["tokenizing Python's sources"]["result"] == script["REAL_FILES"]
    assert programs["cleaning"]["result"] < script["PAGES"]
