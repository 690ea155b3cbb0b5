"""Whole documents in rows, those of one length together: each once an epoch, the same in one process and in two."""

import numpy as np
import pytest
import torch

from minigpt.data import DocumentLoader, open_tokens, write_tokens


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    """Documents that begin with their number."""
    path = tmp_path_factory.mktemp("varied") / "tokens"
    generator = np.random.default_rng(0)
    documents = ([1 + i, *generator.integers(200, 250, size=generator.integers(1, 30))] for i in range(150))
    write_tokens(documents, path, vocab_size=250, end_of_text=0)
    return open_tokens(path)


def numbers(batch) -> list[int]:
    return [int(row[1]) for row in batch.inputs if row.shape[0] > 1]


def test_a_row_is_a_document_from_its_separator_to_its_end(varied):
    batch = DocumentLoader(varied, batch_size=4, context=64, seed=1).batch(3)
    for inputs, targets, number in zip(batch.inputs, batch.targets, numbers(batch), strict=True):
        document = varied.document(number - 1).tolist()
        n = len(document) + 1
        assert inputs[:n].tolist() == [0, *document]
        assert targets[:n].tolist() == [*document, 0]
        assert set(targets[n:].tolist()) <= {-100}


def test_an_epoch_has_every_document_once(varied):
    loader = DocumentLoader(varied, batch_size=5, context=64, seed=1)
    assert loader.batches_per_epoch == 30
    first = [number for step in range(30) for number in numbers(loader.batch(step))]
    second = [number for step in range(30, 60) for number in numbers(loader.batch(step))]
    assert sorted(first) == sorted(second) == list(range(1, 151))
    assert first != second


def test_documents_of_a_batch_are_of_about_the_same_length(varied):
    loader = DocumentLoader(varied, batch_size=5, context=64, seed=1)
    batches = [loader.batch(step) for step in range(30)]
    lengths = [(batch.targets != -100).sum(1) for batch in batches]
    behind_the_longest = sum(int((rows.max() - rows).sum()) for rows in lengths)
    assert behind_the_longest / sum(int(rows.sum()) for rows in lengths) < 0.08


def test_batches_have_few_widths(varied):
    loader = DocumentLoader(varied, batch_size=5, context=40, seed=1)
    widths = {loader.batch(step).inputs.shape[1] for step in range(30)}
    assert widths <= {16, 32, 40}


def test_two_processes_share_the_batch_of_one(varied):
    one = DocumentLoader(varied, batch_size=8, context=64, seed=1)
    two = [DocumentLoader(varied, batch_size=4, context=64, seed=1, rank=rank, world_size=2) for rank in range(2)]
    for step in range(25):
        assert numbers(one.batch(step)) == [number for loader in two for number in numbers(loader.batch(step))]


def test_a_single_epoch_counts_every_token_once(varied):
    loader = DocumentLoader(varied, batch_size=7, context=64, seed=1, repeat=False)
    batches = [loader.batch(step) for step in range(loader.batches_per_epoch)]
    assert sum(int((batch.targets >= 0).sum()) for batch in batches) == len(varied) - 1
    with pytest.raises(ValueError, match="not repeated"):
        loader.batch(loader.batches_per_epoch)


def test_what_is_longer_than_the_context_loses_its_end(varied):
    batch = DocumentLoader(varied, batch_size=50, context=10, seed=1).batch(0)
    assert batch.inputs.shape == (50, 10)


def test_the_order_depends_on_the_seed_alone(varied):
    a, b, c = (DocumentLoader(varied, batch_size=5, context=64, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(a.batch(17).inputs, b.batch(17).inputs)
    assert [numbers(a.batch(i)) for i in range(9)] != [numbers(c.batch(i)) for i in range(9)]


def test_what_makes_no_whole_batch_waits_for_the_next_epoch(varied):
    loader = DocumentLoader(varied, batch_size=7, context=64, seed=1)
    assert loader.batches_per_epoch == 150 // 7
    epochs = [[n for i in range(21) for n in numbers(loader.batch(21 * e + i))] for e in range(2)]
    assert all(len(set(epoch)) == 147 for epoch in epochs)
    assert set(epochs[0]) != set(epochs[1])


def test_fewer_documents_than_rows(tmp_path):
    write_tokens([[1, 2], [3]], tmp_path / "two", vocab_size=4, end_of_text=0)
    batch = DocumentLoader(open_tokens(tmp_path / "two"), batch_size=5, context=8, seed=0).batch(0)
    assert sorted(numbers(batch)) in ([1, 1, 1, 3, 3], [1, 1, 3, 3, 3])
