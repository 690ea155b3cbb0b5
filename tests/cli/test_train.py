"""`minigpt train` on any text file, and on after a fall."""

import re
import subprocess
import sys

import pytest

from minigpt.models import load_model
from minigpt.tokenizers import Tokenizer
from minigpt.training import prepare, read_record

TEXT = "Ann has the lamp. Bob sees the lamp. Ann gives the lamp to Bob. " * 50
SIZE = ("--context", "16", "--batch-size", "2")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def test_it_trains_and_says_where_the_model_is(minigpt, tmp_path, text):
    result = minigpt("train", "--data", text, "--out", tmp_path / "run", "--steps", "4", *SIZE)
    assert result.status == 0, result.err
    assert "validation loss" in result.err
    assert "minigpt generate" in result.err
    assert read_record(tmp_path / "run" / "metrics.jsonl")[-1]["step"] == 4


def test_a_run_that_is_done_can_be_resumed_and_stays_as_it_is(minigpt, tmp_path, text):
    minigpt("train", "--data", text, "--out", tmp_path / "run", "--steps", "3", *SIZE)
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    result = minigpt("train", "--out", tmp_path / "run", "--resume")
    assert result.status == 0, result.err
    assert "going on after step 3 of 3" in result.err
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


def test_a_run_goes_on_with_its_own_settings(minigpt, tmp_path, text):
    line = ("train", "--data", text, "--out", tmp_path / "run", "--steps", "3", "--lr", "0.001", *SIZE)
    minigpt(*line)
    assert minigpt(*line, "--resume").status == 0
    other = minigpt("train", "--out", tmp_path / "run", "--resume", "--steps", "900", "--lr", "0.001")
    assert other.status == 2
    assert "leave out --steps\n" in other.err


@pytest.mark.parametrize(
    "default", [("--seed", "0"), ("--preset", "tiny"), ("--tokenizer", "auto"), ("--validation", "0.1")]
)
def test_the_value_that_is_the_default_is_another_value_too(minigpt, tmp_path, text, default):
    began = ("--seed", "4", "--preset", "tiny-modern", "--tokenizer", "byte", "--validation", "0.2")
    minigpt("train", "--data", text, "--out", tmp_path / "run", "--steps", "2", *began, *SIZE)
    other = minigpt("train", "--out", tmp_path / "run", "--resume", *default)
    assert other.status == 2
    assert f"leave out {default[0]}\n" in other.err


def test_of_stories_that_do_not_fit_no_distance_to_the_entropy_is_said(minigpt, tmp_path):
    line = ("train", *["--data", "hamlet", "--steps", "1", "--batch-size", "16", "--context"])
    result = minigpt(*line, 16, "--out", tmp_path / "run")
    assert result.status == 0, result.err
    assert "\n1 step, " in result.err
    assert "above the true entropy" not in result.err
    (lost,) = [said for said in result.err.splitlines() if "longer than the context" in said]
    needed = re.fullmatch(
        r"\d+ of (\d+) documents are longer than the context of 16 tokens and are read in pieces, so that the true "
        r"entropy is no floor of the loss; --context (\d+) has room for the longest",
        lost,
    )
    assert int(needed[1]) > 256, "the stories to validate on are among them"
    whole = minigpt(*line, needed[2], "--out", tmp_path / "whole").err
    assert "above the true entropy" in whole
    assert "longer than the context" not in whole


def test_a_vocabulary_that_stays_smaller_and_the_size_of_the_model_are_said(minigpt, tmp_path, text):
    result = minigpt("train", "--data", text, "--out", tmp_path / "run", "--steps", "1", "--vocab-size", "9000", *SIZE)
    size = Tokenizer.load(tmp_path / "run" / "tokenizer.json").vocab_size
    assert f"{size} tokens, not 9,000: the text has no more pairs to merge" in result.err
    n = sum(parameter.numel() for parameter in load_model(tmp_path / "run").parameters())
    assert f"model: {n:,} parameters\n" in result.err


def test_a_model_beyond_the_memory_is_refused_before_it_is_built(minigpt, tmp_path, text, monkeypatch):
    monkeypatch.setattr(prepare, "memory_of", lambda device: 24e9)
    result = minigpt("train", "--data", text, "--out", tmp_path / "run", "--preset", "gpt-3", "--steps", "3")
    assert result.status == 2
    assert re.search(
        r"17\d,\d{3},\d{3},\d{3} parameters; .* 2,\d{3} GB and more, and this machine has 24 GB", result.err
    )
    assert not (tmp_path / "run" / "run.json").exists()


def test_what_was_refused_can_be_asked_for_again(minigpt, tmp_path, text):
    line = ("train", "--data", text, "--out", tmp_path / "run", "--steps", "3")
    assert "take a shorter context, or more text" in minigpt(*line, "--context", "4000").err
    assert "--accumulate 3 parts need as many rows" in minigpt(*line, *SIZE, "--accumulate", "3").err
    assert minigpt(*line, *SIZE).status == 0


def test_a_run_that_diverges_says_what_to_do(minigpt, tmp_path, text):
    line = ("train", "--data", text, "--out", tmp_path / "run", "--steps", "20", "--optimizer", "sgd")
    result = minigpt(*line, "--lr", "1e30", "--clip", "1e30", *SIZE)
    assert result.status == 2
    assert "another run with a lower learning rate (here --lr 1e+30), a longer warm-up (--warmup 2)" in result.err
    assert "less than --clip 1e+30\n" in result.err
    assert "--z-loss 1e+300" in minigpt(*line, "--z-loss", "1e300", *SIZE, "--out", tmp_path / "other").err
    again = minigpt("generate", tmp_path / "run").err
    assert "or, if it diverged, begin another" in again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "x"), "--data is missing"),
        (("--out", "x", "--data", "nowhere.txt", "--steps", "1"), "neither a file nor a corpus"),
        (("--out", "x", "--resume"), "no run to go on with"),
        (("--out", "x", "--data", "hamlet", "--steps", "1", "--minutes", "1"), "not allowed with"),
        (("--out", "x", "--data", "hamlet", "--minutes", "0"), "above 0"),
        (("--out", "x", "--data", "hamlet", "--batch-size", "0"), "is not an integer from 1"),
        (("--out", "x", "--data", "hamlet", "--validation", "0.7"), "--validation 0.7 is a share"),
        (("--out", "x", "--data", "hamlet", "--seed", "9" * 23), "is not an integer from 0 to 999999999"),
        (
            ("--out", "x", "--data", "hamlet", "--tokenizer", "foo"),
            "--tokenizer foo is neither a kind (bpe, char, byte",
        ),
        (
            ("--out", "x", "--data", "hamlet", "--tokenizer", "some.txt"),
            "--tokenizer some.txt is no file that 'minigpt",
        ),
        (
            ("--out", "x", "--data", "hamlet", "--tokenizer", "char", "--vocab-size", "300"),
            "--vocab-size 300 belongs to --tokenizer bpe, not to 'char'",
        ),
        (("--out", "x", "--data", "some.txt", "--vocab-size", "99"), "256 bytes and 1 special token\n"),
        (("--out", "x", "--data", "hamlet", "--preset", "huge"), "models that write are, for instance, tiny, small"),
        (("--out", "x", "--data", "hamlet", "--preset", "gpt-4"), "its sizes were not published"),
        (("--out", "x", "--data", "hamlet", "--device", "gpu"), "there is no such device here"),
        (("--out", "x", "--data", "."), "is a folder"),
        (("--out", "x", "--data", "hamlet", "--preset", "bert-base", "--steps", "1"), "no GPT"),
    ],
)
def test_wrong_use_gets_one_line_that_helps(minigpt, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.txt").write_text("Mia has a kite.")
    result = minigpt("train", *arguments)
    assert result.status == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "x" / "run.json").exists()


def test_two_processes_share_the_work(tmp_path, text):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "minigpt"]
    command += ["train", "--data", text, "--out", tmp_path / "run", "--steps", "3", *SIZE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the model is in") == 1
    assert read_record(tmp_path / "run" / "metrics.jsonl")[-1]["step"] == 3
