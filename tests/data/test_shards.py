"""Token ids in a file: what was written is what is read, and damage is noticed."""

import json
import tracemalloc

import numpy as np
import pytest

from minigpt.data import open_tokens, write_tokens

DOCUMENTS = [[5, 6, 7], [8], [9, 1, 1, 2]]


def written(folder, documents=DOCUMENTS, vocab_size=10, end_of_text=0):
    write_tokens(documents, folder / "corpus.tokens", vocab_size=vocab_size, end_of_text=end_of_text)
    return open_tokens(folder / "corpus.tokens")


def test_documents_stand_between_separators(tmp_path):
    tokens = written(tmp_path)
    assert tokens.ids.tolist() == [0, 5, 6, 7, 0, 8, 0, 9, 1, 1, 2, 0]
    assert tokens.starts.tolist() == [0, 4, 6]
    assert tokens.lengths.tolist() == [4, 2, 5]
    assert len(tokens) == 12
    assert [tokens.document(i).tolist() for i in range(tokens.n_documents)] == DOCUMENTS
    assert (tokens.vocab_size, tokens.end_of_text) == (10, 0)
    tokens.verify()
    with pytest.raises(IndexError, match=r"document 3 is not there; .* has documents 0 to 2"):
        tokens.document(3)


def test_the_first_line_says_what_the_file_holds(tmp_path):
    tokens = written(tmp_path)
    with open(tokens.path, "rb") as file:
        header = json.loads(file.readline())
        assert file.tell() == 1024
    assert header["format"] == "minigpt-tokens"
    assert (header["n_tokens"], header["n_documents"], header["dtype"]) == (12, 3, "<u2")


@pytest.mark.parametrize(("vocab_size", "bytes_per_id"), [(10, 2), (65536, 2), (65537, 4), (2**32, 4)])
def test_an_id_takes_two_bytes_where_they_are_enough(tmp_path, vocab_size, bytes_per_id):
    tokens = written(tmp_path, [[vocab_size - 1, 1]], vocab_size)
    assert tokens.ids.itemsize == bytes_per_id
    assert tokens.document(0).tolist() == [vocab_size - 1, 1]


@pytest.mark.parametrize("container", [list, tuple, np.array, lambda ids: np.array(ids, np.uint16)])
def test_ids_may_come_in_any_sequence_and_documents_from_an_iterator(tmp_path, container):
    tokens = written(tmp_path, (container(document) for document in DOCUMENTS))
    assert [tokens.document(i).tolist() for i in range(3)] == DOCUMENTS


def test_many_documents_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("minigpt.data.shards._IDS_AT_ONCE", 100)
    generator = np.random.default_rng(0)
    documents = [generator.integers(1, 10, size=generator.integers(1, 30)).tolist() for _ in range(200)]
    tokens = written(tmp_path, documents)
    assert [tokens.document(i).tolist() for i in range(200)] == documents
    tokens.verify()


def test_memory_holds_a_part_of_the_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr("minigpt.data.shards._IDS_AT_ONCE", 1 << 14)
    document = np.ones(1000, np.int64)
    tracemalloc.start()
    tokens = written(tmp_path, (document for _ in range(3000)))
    tokens.verify()
    assert tracemalloc.get_traced_memory()[1] < 2_000_000 < tokens.ids.nbytes
    tracemalloc.stop()


def test_the_checksum_tells_corpora_apart(tmp_path):
    first = written(tmp_path).checksum
    assert written(tmp_path).checksum == first
    changes = [([[5, 6, 7, 8], [9, 1, 1, 2]], 10, 0), (DOCUMENTS, 11, 0), ([[5, 6, 7], [8], [9, 1, 1, 3]], 10, 0)]
    others = [written(tmp_path, *change).checksum for change in changes]
    assert len({first, *others}) == 4


def test_empty_documents_are_left_out(tmp_path):
    assert written(tmp_path, [[], [1], [], [2], []]).ids.tolist() == [0, 1, 0, 2, 0]


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([[1], [2, 10]], "document 1 has the id 10, where 0 to 9 are possible"),
        ([[1, -1]], "document 0 has the id -1, where 0 to 9 are possible"),
        ([[1, 0, 2]], "document 0 holds the separator, id 0: it would count as two. Encode texts without allowing"),
        ([[1.5]], "document 0 is no sequence of integers, but float64"),
        ([[[1, 2]]], r"document 0 is no sequence of integers, but int64 of shape \(1, 2\)"),
        ([], "there is no document to write, or all of them are empty"),
        ([[]], "there is no document to write, or all of them are empty"),
    ],
)
def test_wrong_documents_are_refused_and_an_old_file_stays(tmp_path, documents, message, without_shape_checks):
    old = written(tmp_path).path.read_bytes()
    with pytest.raises(ValueError, match=message):
        written(tmp_path, documents)
    assert (tmp_path / "corpus.tokens").read_bytes() == old
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("vocab_size", "end_of_text", "message"),
    [(10, 10, "end_of_text=10 is no id: there are 0 to 9"), (2**33, 0, r"must be from 1 to 2\*\*32")],
)
def test_wrong_sizes_are_refused(tmp_path, vocab_size, end_of_text, message):
    with pytest.raises(ValueError, match=message):
        written(tmp_path, DOCUMENTS, vocab_size, end_of_text)


def test_a_changed_bit_is_found_wherever_it_is(tmp_path):
    path = written(tmp_path).path
    whole = path.read_bytes()
    for place in (whole.index(b'"vocab_size": 10') + 15, 1024, 1040, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged: its checksum is not that of what it holds"):
            open_tokens(path).verify()


def test_a_file_cut_short_is_not_opened(tmp_path):
    path = written(tmp_path).path
    whole = path.read_bytes()
    for length, message in ((len(whole) - 1, "damaged: it has .* bytes where"), (50, "no minigpt-tokens file")):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=message):
            open_tokens(path)
    path.write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"no minigpt-tokens file; such a file is written by minigpt.data.write_tokens"
    ):
        open_tokens(path)


def test_a_newer_version_and_a_broken_description_are_named(tmp_path):
    path = written(tmp_path).path
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"version": 1', b'"version": 9'))
    with pytest.raises(ValueError, match="has version 9, this minigpt reads 1; update one of them"):
        open_tokens(path)
    path.write_bytes(whole.replace(b'"n_tokens"', b'"n_tokans"'))
    with pytest.raises(ValueError, match="is damaged: its first line is"):
        open_tokens(path)
    with pytest.raises(FileNotFoundError):
        open_tokens(tmp_path / "nowhere")
