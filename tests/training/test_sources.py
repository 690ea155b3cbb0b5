"""Which part of a text is kept for validation."""

import json

import pytest

from minigpt.training import RunSettings
from minigpt.training.sources import TextSource


def documents_of(path, n):
    path.write_text("".join(json.dumps({"text": f"document {i}"}) + "\n" for i in range(n)))
    return path


@pytest.mark.parametrize(("share", "kept"), [(0.1, 10), (0.25, 25), (0.3, 30), (0.4, 40), (0.5, 50)])
def test_a_share_of_many_documents_is_kept(tmp_path, share, kept):
    path = documents_of(tmp_path / "many.jsonl", 100)
    source = TextSource(RunSettings(data=str(path), steps=1, validation=share))
    training, validation = list(source.training()), list(source.validation())
    assert len(validation) == kept
    assert sorted(training + validation) == sorted(f"document {i}" for i in range(100))


def test_of_few_documents_one_is_kept(tmp_path):
    path = documents_of(tmp_path / "few.jsonl", 3)
    source = TextSource(RunSettings(data=str(path), steps=1))
    assert list(source.validation()) == ["document 2"]


def test_of_a_single_document_the_end_is_kept(tmp_path):
    path = tmp_path / "one.txt"
    path.write_text("abcdefghij")
    source = TextSource(RunSettings(data=str(path), steps=1, validation=0.3))
    assert (list(source.training()), list(source.validation())) == (["abcdefg"], ["hij"])
