"""`minigpt train` on any text file, and on after a fall."""

import subprocess
import sys

import pytest

from minigpt.training import read_record

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


def test_what_was_refused_can_be_asked_for_again(minigpt, tmp_path, text):
    line = ("train", "--data", text, "--out", tmp_path / "run", "--steps", "3")
    assert "take a shorter context, or more text" in minigpt(*line, "--context", "4000").err
    assert "accumulate=3 parts need as many rows" in minigpt(*line, *SIZE, "--accumulate", "3").err
    assert minigpt(*line, *SIZE).status == 0


def test_a_run_that_diverges_says_what_to_do(minigpt, tmp_path, text):
    line = ("train", "--data", text, "--out", tmp_path / "run", "--steps", "20", "--optimizer", "sgd")
    result = minigpt(*line, "--lr", "1e30", "--clip", "1e30", *SIZE)
    assert result.status == 2
    assert "Take a lower learning rate" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "x"), "--data is missing"),
        (("--out", "x", "--data", "nowhere.txt", "--steps", "1"), "neither a file nor a corpus"),
        (("--out", "x", "--resume"), "no run to go on with"),
        (("--out", "x", "--data", "hamlet", "--steps", "1", "--minutes", "1"), "not allowed with"),
        (("--out", "x", "--data", "hamlet", "--minutes", "0"), "above 0"),
        (("--out", "x", "--data", "hamlet", "--batch-size", "0"), "is not an integer from 1"),
        (("--out", "x", "--data", "hamlet", "--validation", "0.7"), "at most 0.5"),
        (("--out", "x", "--data", "hamlet", "--device", "gpu"), "there is no such device here"),
        (("--out", "x", "--data", "."), "is a folder"),
        (("--out", "x", "--data", "hamlet", "--preset", "bert-base", "--steps", "1"), "no GPT"),
    ],
)
def test_wrong_use_gets_one_line_that_helps(minigpt, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = minigpt("train", *arguments)
    assert result.status == 2
    assert message in result.err
    assert not (tmp_path / "x" / "run.json").exists()


def test_two_processes_share_the_work(tmp_path, text):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "minigpt"]
    command += ["train", "--data", text, "--out", tmp_path / "run", "--steps", "3", *SIZE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the model is in") == 1
    assert read_record(tmp_path / "run" / "metrics.jsonl")[-1]["step"] == 3
