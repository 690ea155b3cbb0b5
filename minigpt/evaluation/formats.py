"""Files of published benchmarks: HellaSwag's JSON lines, MMLU's JSON lines and tables."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minigpt.evaluation.letters import LETTERS
from minigpt.evaluation.multiple_choice import MultipleChoice


def read_hellaswag(path: str | os.PathLike[str]) -> list[MultipleChoice]:
    """The questions of a file such as `hellaswag_val.jsonl` (Zellers et al., 2019).

    Each line is an object with `activity_label`, `ctx_a`, `ctx_b`, four `endings` and the `label` of the right one
    (`ind`, `ctx`, `split`, `split_type` and `source_id` are not needed). The text is put together as
    `lm-evaluation-harness` does: the activity, a colon, the context with its second part begun by a capital, and
    without the marks in square brackets that come from WikiHow (`" [title]"` becomes a full stop).

    Raises:
        ValueError: if a line is not of this form, or has no label (the test set is published without).
    """
    return [_hellaswag(values, where) for values, where in _json_lines(path)]


def read_mmlu(path: str | os.PathLike[str]) -> list[MultipleChoice]:
    """The questions of a file of MMLU (Hendrycks et al., 2021), in either form in which it is published.

    `*.csv` is a table without a header: question, four choices, letter of the answer; the subject is the name of the
    file, as in `college_physics_test.csv`. Any other file holds JSON lines with `question`, `subject`, `choices` and
    `answer`, an index or a letter.

    Raises:
        ValueError: if a row or line is not of this form.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        return [_mmlu(values, where) for values, where in _json_lines(path)]
    subject = re.sub(r"_(test|val|dev|train)$", "", path.stem)
    found = []
    with open(path, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if not row:
                continue
            where = f"row {number} of {str(path)!r}"
            if len(row) < 4:
                raise ValueError(f"{where} has {len(row)} fields; expected the question, its choices, and a letter")
            question, *choices, answer = row
            found.append(_question(question, choices, answer.strip(), subject, where))
    return _some(found, path)


def _hellaswag(values: dict[str, Any], where: str) -> MultipleChoice:
    try:
        context = f"{values['ctx_a']} {values['ctx_b'].capitalize()}"
        context = _without_brackets(f"{values['activity_label']}: {context}")
        endings = [_without_brackets(ending) for ending in values["endings"]]
        label = values["label"]
    except KeyError as error:
        raise ValueError(f"{where} is no question of HellaSwag: the field {error} is missing") from error
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"{where} is no question of HellaSwag: activity_label, ctx_a and ctx_b must be texts and endings a list of "
            f"texts ({error})"
        ) from error
    if label in ("", None):
        raise ValueError(f"{where} has no label: the test set is published without; use the validation set")
    return _question(context, endings, label, values.get("activity_label", ""), where)


def _mmlu(values: dict[str, Any], where: str) -> MultipleChoice:
    try:
        return _question(values["question"], values["choices"], values["answer"], values.get("subject") or "", where)
    except KeyError as error:
        raise ValueError(f"{where} is no question of MMLU: the field {error} is missing") from error


def _question(context: str, choices: list[str], answer: Any, subject: str, where: str) -> MultipleChoice:
    # The index of the answer, its digits, or its letter.
    if isinstance(answer, str):
        answer = LETTERS.find(answer) if len(answer) == 1 and answer in LETTERS else answer
        answer = int(answer) if isinstance(answer, str) and answer.isdecimal() else answer
    texts = [context, subject, *choices] if isinstance(choices, list) else [None]
    if not all(isinstance(text, str) for text in texts) or type(answer) is not int:
        raise ValueError(f"{where}: expected texts and the index or letter of the answer, not {answer!r}")
    try:
        return MultipleChoice(context, tuple(choices), answer, subject)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _without_brackets(text: str) -> str:
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def _json_lines(path: str | os.PathLike[str]) -> Iterator[tuple[dict[str, Any], str]]:
    n = 0
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            where = f"line {number} of {os.fspath(path)!r}"
            try:
                values = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{where} is no JSON: {error}") from error
            if not isinstance(values, dict):
                raise ValueError(f"{where} is no JSON object: {line[:60]!r}")
            n += 1
            yield values, where
    if not n:
        raise ValueError(f"{os.fspath(path)!r} holds no question")


def _some(found: list[MultipleChoice], path: Path) -> list[MultipleChoice]:
    if not found:
        raise ValueError(f"{str(path)!r} holds no question")
    return found
