"""The command line as a function: arguments and standard input to exit status and output."""

import io
from typing import NamedTuple

import pytest

from minigpt.cli import main


class Result(NamedTuple):
    status: int
    out: bytes
    err: str


@pytest.fixture
def minigpt(capfdbinary, monkeypatch):
    def run(*args, stdin=b""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main([str(arg) for arg in args])
        out, err = capfdbinary.readouterr()
        return Result(status, out, err.decode("utf-8"))

    return run
