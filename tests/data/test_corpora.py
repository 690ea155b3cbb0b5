"""Corpora: every form of a file gives the documents that were put into it."""

import gzip
import importlib.util
import json

import pytest

from minigpt.cli import main
from minigpt.data import corpus, python_docs, python_docstrings, text_file, village
from minigpt.village import stories

DOCUMENTS = ["One.\n\nStill one.", "Zwei — mit Umlaut: Ü.", "  def three():\n      return 3"]


def test_the_village_is_a_corpus():
    assert list(village("hamlet", 5, seed=3)) == [story.text for story in stories(5, 3, "hamlet")]
    assert next(corpus("hamlet")) == next(stories(1, 0, "hamlet")).text
    assert len(list(corpus("hamlet"))) == 10_000


def test_a_file_without_separators_is_one_document_exactly_as_it_is(tmp_path):
    path = tmp_path / "text.txt"
    text = "  A line.\r\n\r\nAnother that mentions <|endoftext|> in passing.\n\n"
    path.write_bytes(text.encode())
    assert list(text_file(path)) == [text]
    assert list(corpus(path)) == list(corpus(str(path))) == [text]


def test_lines_separate_documents(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_text("".join(f"{text}\n<|endoftext|>\n" for text in DOCUMENTS), encoding="utf-8")
    assert list(text_file(path)) == DOCUMENTS
    path.write_text("\n<|endoftext|>\n".join(DOCUMENTS), encoding="utf-8")
    assert list(text_file(path)) == DOCUMENTS
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert list(text_file(path)) == [text.replace("\n", "\r\n") for text in DOCUMENTS]


def test_what_minigpt_village_writes_is_read_back(tmp_path):
    expected = [story.text for story in stories(20, 1, "hamlet")]
    for name, options in (("stories.txt", []), ("stories.jsonl", ["--jsonl"])):
        path = tmp_path / name
        main(["village", "--documents", "20", "--seed", "1", "--size", "hamlet", "--out", str(path), *options])
        assert list(text_file(path)) == expected


def test_separators_anywhere(tmp_path):
    path = tmp_path / "web.txt"
    path.write_text("One<|endoftext|>Two\nlines.\n<|endoftext|>\n\nThree<|endoftext|><|endoftext|>Four\n")
    assert list(text_file(path, anywhere=True)) == ["One", "Two\nlines.", "Three", "Four"]
    assert list(text_file(path)) == ["One<|endoftext|>Two\nlines.", "\nThree<|endoftext|><|endoftext|>Four"]


def test_documents_without_a_visible_character_are_left_out(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("<|endoftext|>\n \n\n<|endoftext|>\na\n<|endoftext|>\n\t\n")
    assert list(text_file(path)) == ["a"]
    path.write_text("")
    assert list(text_file(path)) == []


def test_json_lines(tmp_path):
    path = tmp_path / "documents.jsonl"
    lines = [json.dumps({"url": "x", "text": text}) for text in DOCUMENTS]
    path.write_text("\n".join([*lines, "", '{"text": ""}']), encoding="utf-8")
    assert list(text_file(path)) == DOCUMENTS


def test_compressed_files(tmp_path):
    for name, content in (
        ("text.txt.gz", "".join(f"{text}\n<|endoftext|>\n" for text in DOCUMENTS)),
        ("text.jsonl.gz", "".join(json.dumps({"text": text}) + "\n" for text in DOCUMENTS)),
    ):
        (tmp_path / name).write_bytes(gzip.compress(content.encode()))
        assert list(text_file(tmp_path / name)) == DOCUMENTS


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / "text.txt").write_bytes("\ufeffHello.".encode())
    assert list(text_file(tmp_path / "text.txt")) == ["Hello."]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"abc\nd\xe9f\n", r"is not UTF-8: byte 0xe9 at position 5; convert it, for instance with `iconv"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "line 2 of .* is no JSON"),
        ("a.jsonl", b'{"text": "a"}\n\n{"texts": "b"}\n', 'line 3 of .* is no JSON object with a string "text"'),
        ("a.jsonl", b'["text"]\n', 'line 1 of .* is no JSON object with a string "text"'),
        ("a.txt.gz", gzip.compress(b"abc" * 1000)[:-9], "is damaged or cut short"),
        ("a.txt.gz", b"no such format", "is damaged or cut short"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        list(text_file(tmp_path / name))


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_needs_pyarrow(tmp_path):
    with pytest.raises(ImportError, match=r"reading .*a.parquet' needs pyarrow; install it with: pip install pyarrow"):
        text_file(tmp_path / "a.parquet")


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"text": [*DOCUMENTS, None, " "], "score": [1.0, 2.0, 3.0, 4.0, 5.0]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert list(text_file(tmp_path / "a.parquet")) == DOCUMENTS


def test_an_unknown_name_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"is neither a file nor a corpus; corpora are hamlet, village, town, pyth"):
        corpus("hamlett")
    with pytest.raises(ValueError, match="is a folder; give one text file"):
        corpus(str(tmp_path))


def test_the_reference_of_python_is_there():
    documents = list(corpus("python-docs"))
    assert documents == list(python_docs())
    assert len(documents) == len(set(documents)) > 70
    assert 300_000 < sum(map(len, documents)) < 1_000_000
    assert any('The "if" statement' in text for text in documents)


def test_the_docstrings_of_the_standard_library_are_there():
    documents = list(python_docstrings())
    assert len(documents) > 300
    assert sum(map(len, documents)) > 1_000_000
    (argparse,) = [text for text in documents if text.startswith("argparse\n")]
    assert "Command-line parsing library" in argparse
    assert "\nArgumentParser\n\nObject for parsing command line strings" in argparse
