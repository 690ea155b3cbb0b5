"""Whole runs: from a text to a model in a folder, and on after a fall."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from minigpt.models import load_model
from minigpt.tokenizers import Tokenizer
from minigpt.training import Run, RunSettings, read_record
from minigpt.training.prepare import what_is_lost

TEXT = "The miller has a sack. The baker has a loaf. The miller gives the sack to the baker. " * 60
SMALL = {"preset": "tiny", "context": 24, "batch_size": 4, "model": {"n_layers": 1, "d_model": 16, "n_heads": 2}}


def text_file(folder, documents: int = 1):
    path = folder / "text.txt"
    path.write_text("<|endoftext|>\n".join(f"{TEXT[i:]}\n" for i in range(documents)), encoding="utf-8")
    return path


def settings(path, **changes) -> RunSettings:
    return RunSettings(data=str(path), **{"steps": 10, **SMALL} | changes)


def test_a_text_becomes_a_folder_with_a_model_and_its_tokenizer(tmp_path):
    said = []
    run = Run.new(tmp_path / "run", settings(text_file(tmp_path)), say=said.append)
    run.trainer.train()
    model = load_model(tmp_path / "run")
    tokenizer = Tokenizer.load(tmp_path / "run" / "tokenizer.json")
    assert model.config.vocab_size == tokenizer.vocab_size
    assert "<|endoftext|>" in tokenizer.special_tokens
    assert any("tokens to train on" in line for line in said)
    losses = [line["loss"] for line in read_record(tmp_path / "run" / "metrics.jsonl") if "loss" in line]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", ["bpe", "char", "byte", "word"])
def test_every_kind_of_tokenizer_reads_the_text(tmp_path, kind):
    run = Run.new(tmp_path / "run", settings(text_file(tmp_path), tokenizer=kind))
    assert run.tokenizer.kind == kind
    run.trainer.train(until=1)


def test_a_single_text_keeps_its_end_for_validation(tmp_path):
    run = Run.new(tmp_path / "run", settings(text_file(tmp_path), tokenizer="byte", validation=0.25))
    whole = text_file(tmp_path).read_text().rstrip("\n")
    kept = run.tokenizer.decode(run.trainer.validation.tokens.document(0).tolist())
    assert whole.endswith(kept.rstrip("\n"))
    assert len(kept) == pytest.approx(len(whole) / 4, abs=2)


def test_of_several_documents_every_tenth_is_kept(tmp_path):
    run = Run.new(tmp_path / "run", settings(text_file(tmp_path, documents=20), tokenizer="byte"))
    assert run.trainer.loader.tokens.n_documents == 18
    assert run.trainer.validation.tokens.n_documents == 2


def test_the_village_comes_with_its_true_entropy_and_stories_that_are_never_read_twice(tmp_path):
    run = Run.new(tmp_path / "run", settings("hamlet", context=112))
    assert run.trainer.loader.tokens.n_documents == 10 * 4
    assert run.values["whole_documents"]
    assert 0.4 < run.values["floor"] < 0.7


def test_windows_of_stories_that_do_not_fit_are_never_read_twice_either(tmp_path):
    run = Run.new(tmp_path / "run", settings("hamlet", context=60))
    assert not run.values["whole_documents"]
    assert run.values["floor"] is None
    assert run.trainer.loader.rows_per_epoch >= 10 * 4


def test_stories_that_lose_their_end_are_counted():
    values = {"context": 100, "whole_documents": True, "floor": None, "settings": {"data": "hamlet"}}
    assert what_is_lost(np.array([100, 30]), values) is None
    assert what_is_lost(np.array([100, 101, 130, 90]), values | {"floor": 0.5}) == (
        "2 of 4 documents are longer than the context of 100 tokens and lose their end; context=130 has room for the "
        "longest"
    )
    assert "the true entropy is no floor" in what_is_lost(np.array([100, 101]), values)
    text = values | {"settings": {"data": "a.txt"}}
    assert "entropy" not in what_is_lost(np.array([100, 101]), text)
    assert what_is_lost(np.array([100, 101]), text | {"whole_documents": False}) is None, "windows lose nothing"


def test_a_run_goes_on_where_its_last_checkpoint_was(tmp_path):
    path = text_file(tmp_path)
    whole = Run.new(tmp_path / "whole", settings(path))
    whole.trainer.train()
    Run.new(tmp_path / "run", settings(path)).trainer.train(until=7)
    again = Run.open(tmp_path / "run")
    assert again.trainer.step == 7
    again.trainer.train()
    states = [load_file(tmp_path / name / "checkpoints/step-00000010/model.safetensors") for name in ("run", "whole")]
    assert all((states[0][name] == states[1][name]).all() for name in states[1])


def test_minutes_become_steps_that_stay(tmp_path):
    path = text_file(tmp_path)
    run = Run.new(tmp_path / "run", settings(path, steps=None, minutes=1))
    stored = json.loads((tmp_path / "run" / "run.json").read_text())["training"]["steps"]
    assert run.trainer.config.steps == stored > 10
    assert Run.open(tmp_path / "run").trainer.config.steps == stored


def test_a_time_in_which_nothing_can_be_done_is_refused(tmp_path):
    with pytest.raises(ValueError, match="give more, or a smaller preset"):
        Run.new(tmp_path / "run", settings(text_file(tmp_path), steps=None, minutes=1e-4))


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    path = text_file(tmp_path)
    Run.new(tmp_path / "run", settings(path))
    with pytest.raises(ValueError, match="--resume"):
        Run.new(tmp_path / "run", settings(path))


def test_data_that_changed_is_noticed(tmp_path):
    Run.new(tmp_path / "run", settings(text_file(tmp_path)))
    Run.new(tmp_path / "other", settings(text_file(tmp_path, documents=20)))
    (tmp_path / "other" / "data" / "train.tokens").replace(tmp_path / "run" / "data" / "train.tokens")
    with pytest.raises(ValueError, match="not the file this run began with"):
        Run.open(tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": None}, "either"),
        ({"minutes": 1.0}, "either"),
        ({"validation": 1.0}, "share"),
        ({"preset": "bert-base"}, "no GPT"),
        ({"preset": "huge"}, "no preset"),
        ({"tokenizer": "char", "vocab_size": 99}, "belongs to"),
        ({"context": 100_000}, "shorter context"),
        ({"training": {"lr": -1.0}}, "lr"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_trained(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        Run.new(tmp_path / "run", settings(text_file(tmp_path), **changes))
