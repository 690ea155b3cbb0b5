"""The entry point: help, version, errors in one line, and what happens when a run is cut short."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

import minigpt as package
from minigpt import cli
from minigpt.cli.values import as_typed

COMMAND = [sys.executable, "-m", "minigpt"]


def test_help_names_the_commands(minigpt):
    result = minigpt("--help")
    assert result.status == 0
    assert b"tokenizer" in result.out
    assert b"village" in result.out


def test_version(minigpt):
    assert minigpt("--version").out.decode() == f"minigpt {package.__version__}\n"


def test_the_commands_work_together(minigpt, tmp_path):
    stories, tokenizer = tmp_path / "stories.txt", tmp_path / "tokenizer.json"
    assert minigpt("village", "--documents", 20, "--size", "hamlet", "--out", stories).status == 0
    args = ("tokenizer", "train", stories, "--vocab-size", 400, "--special", "<|endoftext|>", "--out", tokenizer)
    assert minigpt(*args).status == 0
    ids = minigpt("tokenizer", "encode", tokenizer, stories, "--allow-special", "<|endoftext|>").out
    assert minigpt("tokenizer", "decode", tokenizer, stdin=ids).out == stories.read_bytes()


@pytest.mark.parametrize("arguments", [[], ["tokenizer"], ["nonsense"], ["tokenizer", "train"]])
def test_wrong_use_is_answered_in_one_line_that_says_where_to_look(minigpt, arguments):
    result = minigpt(*arguments)
    assert (result.status, result.out) == (2, b"")
    command = " ".join(["minigpt", *(a for a in arguments if a != "nonsense")])
    assert re.fullmatch(rf"{command}: error: .+; see '{command} --help'\n", result.err)


def test_a_message_of_the_package_names_options_as_they_are_typed():
    message = "vocab_size=300 belongs to tokenizer='bpe' (batch_size=2), set overflow to 'cut' or n=3, 'data=1.txt'"
    assert as_typed(message, ("vocab_size", "tokenizer", "batch_size", "size", "overflow", "data")) == (
        "--vocab-size 300 belongs to --tokenizer bpe (--batch-size 2), give --overflow 'cut' or n=3, 'data=1.txt'"
    )


def test_help_loads_nothing_heavy():
    code = "import sys; from minigpt.cli import main; main(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"minigpt.cli.tokenizer", "minigpt.cli.village"} <= set(loaded)
    assert not {"torch", "numpy", "regex", "tqdm", "minigpt.tokenizers"} & set(loaded)


def test_an_expected_error_is_one_line_that_says_what_was_wrong(minigpt, tmp_path):
    result = minigpt("tokenizer", "encode", tmp_path / "no.json")
    assert result == (2, b"", f"minigpt: error: {str(tmp_path / 'no.json')!r}: No such file or directory\n")


def test_the_traceback_is_shown_on_request(minigpt, tmp_path):
    with pytest.raises(FileNotFoundError):
        minigpt("--traceback", "tokenizer", "encode", tmp_path / "no.json")


def test_an_unexpected_error_keeps_its_traceback(minigpt, tmp_path, monkeypatch):
    monkeypatch.setattr(cli.tokenizer, "_load", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        minigpt("tokenizer", "encode", tmp_path / "any.json")


def _heed_interrupts():
    # A process that was started in the background may have inherited that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_an_interrupt_ends_with_130_and_leaves_no_file(tmp_path):
    command = [*COMMAND, "tokenizer", "train", "--kind", "char", "-o", str(tmp_path / "out.json")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_heed_interrupts
    ) as process:
        # More than a pipe holds, so that the command is reading when this write is through.
        process.stdin.write(b"once upon a time " * 100_000)
        process.stdin.flush()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == b"minigpt: interrupted\n"
    assert os.listdir(tmp_path) == []


def test_a_reader_that_goes_away_ends_the_run_quietly(tmp_path):
    tokenizer = tmp_path / "bytes.json"
    subprocess.run([*COMMAND, "tokenizer", "train", "--kind", "byte", "-q", "-o", str(tokenizer)], check=True)
    text = tmp_path / "long.txt"
    text.write_text("once upon a time " * 100_000, encoding="utf-8")
    command = [*COMMAND, "tokenizer", "encode", str(tokenizer), str(text)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert re.fullmatch(rb"[0-9 ]{10}", process.stdout.read(10))
        process.stdout.close()
        error = process.stderr.read()
    assert process.returncode == 141
    assert error == b""
