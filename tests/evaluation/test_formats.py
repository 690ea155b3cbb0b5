"""Files in the published forms of HellaSwag and MMLU: the records are ours, the fields those of the benchmarks."""

from __future__ import annotations

import json

import pytest

from minigpt.evaluation import MultipleChoice, read_hellaswag, read_mmlu

SWAG = {
    "ind": 24,
    "activity_label": "Flying a kite",
    "ctx_a": "A girl runs over a meadow with a kite.",
    "ctx_b": "the kite",
    "ctx": "A girl runs over a meadow with a kite. the kite",
    "split": "val",
    "split_type": "indomain",
    "label": 2,
    "endings": ["is eaten by a cow.", "sells apples.", "rises into the wind.", "reads a book to her."],
    "source_id": "activitynet~v_none",
}
HOW_TO = {
    "ind": 25,
    "activity_label": "Home and Garden",
    "ctx_a": "[header] How to paint a chair [title] Clean the chair. [step] Use a  damp cloth.",
    "ctx_b": "",
    "ctx": "",
    "split": "val",
    "split_type": "zeroshot",
    "label": "0",
    "endings": ["[substeps] Let it dry.", "Eat it.", "Sing.", "Go to sleep [title] Wake up."],
    "source_id": "wikihow~none",
}


@pytest.fixture
def lines(tmp_path):
    def write(*values, name="file.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
        return path

    return write


def test_hellaswag_is_put_together_as_by_the_harness(lines):
    first, second = read_hellaswag(lines(SWAG, HOW_TO))
    assert first.context == "Flying a kite: A girl runs over a meadow with a kite. The kite"
    assert first.choices == tuple(SWAG["endings"])
    assert first.answer == 2
    assert first.joint == " "
    assert second.context == "Home and Garden: How to paint a chair. Clean the chair. Use a damp cloth."
    assert second.choices == (" Let it dry.", "Eat it.", "Sing.", "Go to sleep. Wake up.")
    assert second.answer == 0


def test_mmlu_as_json_lines(lines):
    values = {"question": "What is 2 + 2?", "subject": "elementary_mathematics", "choices": ["3", "4", "5", "6"]}
    expected = MultipleChoice("What is 2 + 2?", ("3", "4", "5", "6"), 1, "elementary_mathematics")
    assert read_mmlu(lines(values | {"answer": 1}, values | {"answer": "B"})) == [expected, expected]


def test_mmlu_as_tables(tmp_path):
    path = tmp_path / "elementary_mathematics_test.csv"
    path.write_text('"What is 2 + 2,\nor 1 + 3?",3,4,5,6,B\nWhat is 1?,1,2,3,"4,5",A\n', encoding="utf-8")
    first, second = read_mmlu(path)
    assert first == MultipleChoice("What is 2 + 2,\nor 1 + 3?", ("3", "4", "5", "6"), 1, "elementary_mathematics")
    assert second.choices[3] == "4,5"


def test_what_is_wrong_is_named_with_its_place(lines, tmp_path):
    with pytest.raises(ValueError, match=r"line 2 of .*test set is published without"):
        read_hellaswag(lines(SWAG, SWAG | {"label": ""}))
    with pytest.raises(ValueError, match=r"line 1 of .*'endings'"):
        read_hellaswag(lines({key: value for key, value in SWAG.items() if key != "endings"}))
    with pytest.raises(ValueError, match="answer=4"):
        read_hellaswag(lines(SWAG | {"label": 4}))
    with pytest.raises(ValueError, match="no question of MMLU: the field 'choices' is missing"):
        read_mmlu(lines({"question": "?", "answer": 0}))
    with pytest.raises(ValueError, match="not 'first'"):
        read_mmlu(lines({"question": "?", "choices": ["a", "b"], "answer": "first"}))
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"question": \n')
    with pytest.raises(ValueError, match=r"line 1 of .* is no JSON"):
        read_mmlu(broken)
    (tmp_path / "short.csv").write_text("question,A\n")
    with pytest.raises(ValueError, match=r"row 1 of .* has 2 fields"):
        read_mmlu(tmp_path / "short.csv")
    with pytest.raises(ValueError, match="holds no question"):
        read_mmlu(lines())
