"""Batches: every token once an epoch, in an order that only seed and step decide, whichever process asks."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from minigpt.data import Batch, Loader, open_tokens, write_tokens
from minigpt.models import GPT, TransformerConfig
from minigpt.tokenizers import WordTokenizer
from minigpt.village import stories


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A hundred ids, no two the same but for the separator: one sees where a window was cut."""
    path = tmp_path_factory.mktemp("counted") / "tokens"
    write_tokens([range(1, 100)], path, vocab_size=100, end_of_text=0)
    return open_tokens(path)


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    """Documents of 1 to 29 ids, and one of 70."""
    path = tmp_path_factory.mktemp("varied") / "tokens"
    generator = np.random.default_rng(0)
    lengths = [*generator.integers(1, 30, size=60), 70]
    write_tokens((generator.integers(1, 50, size=n) for n in lengths), path, vocab_size=50, end_of_text=0)
    return open_tokens(path)


def same(a: Batch, b: Batch) -> bool:
    documents = a.documents is b.documents is None or torch.equal(a.documents, b.documents)
    return torch.equal(a.inputs, b.inputs) and torch.equal(a.targets, b.targets) and documents


def transitions(tokens) -> Counter:
    """Every token with the one that follows it: what an epoch is to predict."""
    ids = tokens.ids.tolist()
    return Counter(pairwise(ids))


def predicted(batches) -> Counter:
    return Counter(
        (i, t)
        for batch in batches
        for i, t in zip(batch.inputs.flatten().tolist(), batch.targets.flatten().tolist(), strict=True)
        if t != -100
    )


def test_a_target_is_the_token_that_follows(counted):
    batch = Loader(counted, batch_size=3, context=8, seed=0).batch(5)
    assert batch.inputs.shape == batch.targets.shape == (3, 8)
    assert batch.documents is None
    # Behind 99 comes the separator, 0, and behind it 1 again: the stream is a ring.
    assert torch.equal((batch.inputs + 1) % 100, batch.targets)


def test_an_epoch_is_every_window_once(counted):
    loader = Loader(counted, batch_size=4, context=10, seed=1)
    assert (loader.rows_per_epoch, loader.batches_per_epoch) == (10, 3)
    rows = torch.cat([loader.batch(step).inputs for step in range(5)])
    for epoch in (rows[:10], rows[10:]):
        assert sorted(epoch.flatten().tolist()) == list(range(100))
    assert not torch.equal(rows[:10], rows[10:])


def test_epochs_are_cut_at_different_places(counted):
    loader = Loader(counted, batch_size=10, context=10, seed=1)
    firsts = {int(loader.batch(epoch).inputs[0, 0]) % 10 for epoch in range(60)}
    # Ten places, sixty draws: one place is missing in 2 of 100 cases.
    assert len(firsts) >= 9


def test_what_is_left_over_is_somewhere_else_each_time(counted):
    loader = Loader(counted, batch_size=3, context=30, seed=0)
    assert loader.rows_per_epoch == 3
    left_over = [set(range(100)) - set(loader.batch(epoch).inputs.flatten().tolist()) for epoch in range(20)]
    assert all(len(left) == 10 for left in left_over)
    assert len(set().union(*left_over)) > 60


@pytest.mark.parametrize("cross", [True, False])
def test_a_step_gives_the_same_batch_whatever_was_asked_before(varied, cross):
    def loader():
        return Loader(varied, batch_size=7, context=16, seed=5, cross=cross)

    one = loader()
    in_order = [one.batch(step) for step in range(30)]
    for step in (29, 3, 11, 0, 17):
        assert same(loader().batch(step), in_order[step])
        assert same(one.batch(step), in_order[step])
    assert not same(Loader(varied, batch_size=7, context=16, seed=6, cross=cross).batch(0), in_order[0])


@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("world_size", [2, 3])
def test_several_processes_get_together_what_one_gets_with_the_larger_batch(varied, cross, world_size):
    one = Loader(varied, batch_size=4 * world_size, context=16, seed=2, cross=cross)
    ranks = [
        Loader(varied, batch_size=4, context=16, seed=2, rank=rank, world_size=world_size, cross=cross)
        for rank in range(world_size)
    ]
    assert {loader.batches_per_epoch for loader in ranks} == {one.batches_per_epoch}
    for step in range(25):
        parts = [loader.batch(step) for loader in ranks]
        columns = [torch.cat([getattr(part, name) for part in parts]) for name in ("inputs", "targets")]
        documents = None if cross else torch.cat([part.documents for part in parts])
        assert same(Batch(*columns, documents), one.batch(step))


def test_an_epoch_of_documents_predicts_every_token_once(varied):
    loader = Loader(varied, batch_size=1, context=16, seed=0, cross=False)
    for epoch in range(2):
        steps = range(epoch * loader.rows_per_epoch, (epoch + 1) * loader.rows_per_epoch)
        assert predicted(map(loader.batch, steps)) == transitions(varied)


def test_rows_are_whole_documents_each_behind_its_separator(varied):
    loader = Loader(varied, batch_size=8, context=80, seed=0, cross=False)
    known = Counter(tuple(varied.document(i).tolist()) for i in range(varied.n_documents))
    found = Counter()
    for step in range(loader.batches_per_epoch):
        batch = loader.batch(step)
        for inputs, targets, documents in zip(batch.inputs, batch.targets, batch.documents, strict=True):
            assert (documents.diff() >= 0).all()
            for number in range(documents.max() + 1):
                here = documents == number
                if (targets[here] == -100).all():
                    assert number == documents.max()
                    continue
                assert inputs[here][0] == 0
                assert targets[here][-1] == 0
                assert torch.equal(inputs[here][1:], targets[here][:-1])
                found[tuple(inputs[here][1:].tolist())] += 1
    # The last batch goes on with the next epoch.
    assert known <= found


@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_without_repeat_every_token_is_a_target_once(varied, cross, batch_size):
    ranks = [
        Loader(varied, batch_size=batch_size, context=16, seed=0, rank=r, world_size=2, cross=cross, repeat=False)
        for r in range(2)
    ]
    batches = [loader.batch(step) for loader in ranks for step in range(loader.batches_per_epoch)]
    assert predicted(batches) == transitions(varied)
    with pytest.raises(ValueError, match=r"has no batch; steps are numbered from 0 to \d+: the data is not repeated"):
        ranks[0].batch(ranks[0].batches_per_epoch)


def test_without_repeat_a_text_may_be_shorter_than_the_context(counted):
    loader = Loader(counted, batch_size=2, context=256, seed=0, repeat=False)
    batch = loader.batch(0)
    assert loader.batches_per_epoch == 1
    assert batch.targets[0, :100].tolist() == [*range(1, 100), 0]
    assert (batch.targets[0, 100:] == -100).all()
    assert (batch.targets[1] == -100).all()


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory):
    texts = [story.text for story in stories(2000, 0, "hamlet")]
    tokenizer = WordTokenizer.train(texts, special_tokens=["<|endoftext|>"])
    path = tmp_path_factory.mktemp("hamlet") / "tokens"
    end = tokenizer.special_tokens["<|endoftext|>"]
    write_tokens(map(tokenizer.encode, texts), path, vocab_size=tokenizer.vocab_size, end_of_text=end)
    return open_tokens(path)


@pytest.mark.parametrize(("context", "at_most"), [(256, 0.10), (512, 0.06), (1024, 0.04)])
def test_little_room_is_left_over(hamlet, context, at_most):
    loader = Loader(hamlet, batch_size=8, context=context, seed=0, cross=False)
    assert loader.padding < at_most
    batches = [loader.batch(step) for step in range(loader.rows_per_epoch)]
    ignored = np.mean([(batch.targets == -100).float().mean().item() for batch in batches])
    assert ignored == pytest.approx(loader.padding, abs=1e-6)


def test_a_packed_batch_has_the_loss_of_its_documents_one_by_one(hamlet):
    config = TransformerConfig(vocab_size=hamlet.vocab_size, n_layers=2, d_model=16, n_heads=2, context=256, std=0.3)
    model = GPT(config, generator=torch.Generator().manual_seed(0)).double().eval()
    loader = Loader(hamlet, batch_size=4, context=256, seed=0, cross=False)
    batch = loader.batch(0)
    logits = model(batch.inputs, documents=batch.documents)
    losses = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="none").view_as(batch.targets)
    for row in range(4):
        for number in batch.documents[row].unique():
            here = batch.documents[row] == number
            if (batch.targets[row, here] == -100).all():
                assert not losses[row, here].any()
                continue
            alone = model(batch.inputs[row, here][None])[0]
            torch.testing.assert_close(
                losses[row, here], F.cross_entropy(alone, batch.targets[row, here], reduction="none")
            )


def test_a_batch_in_parts_is_the_batch(varied):
    for cross in (True, False):
        batch = Loader(varied, batch_size=7, context=16, seed=0, cross=cross).batch(0)
        parts = batch.split(3)
        assert [len(part.inputs) for part in parts] == [3, 2, 2]
        documents = None if cross else torch.cat([part.documents for part in parts])
        joined = (torch.cat([getattr(part, name) for part in parts]) for name in ("inputs", "targets"))
        assert same(Batch(*joined, documents), batch)
        assert same(batch.to("cpu"), batch)
    with pytest.raises(ValueError, match="7 rows do not make 8 parts; take from 1 to 7"):
        batch.split(8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size=0 and context=16 must both be at least 1"),
        ({"context": 0}, "batch_size=4 and context=0 must both be at least 1"),
        ({"rank": 2, "world_size": 2}, "rank=2 must be from 0 to below world_size=2"),
        ({"context": 101}, "has 101 tokens, a window needs 102: context=101 and the one that follows; take a shorter"),
    ],
)
def test_impossible_batches_are_refused(counted, arguments, message):
    with pytest.raises(ValueError, match=message):
        Loader(counted, **{"batch_size": 4, "context": 16, "seed": 0} | arguments)


def test_a_step_before_the_first_is_refused(counted):
    with pytest.raises(ValueError, match="step=-1 has no batch; steps are numbered from 0"):
        Loader(counted, batch_size=1, context=4, seed=0).batch(-1)


def test_what_does_not_count_is_still_read_in_a_batch_of_one_row(counted):
    loader = Loader(counted, batch_size=1, context=16, seed=0, repeat=False)
    for step in range(loader.batches_per_epoch):
        assert loader.batch(step).inputs.min() >= 0
