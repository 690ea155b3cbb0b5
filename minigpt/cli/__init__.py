"""The command `minigpt`.

Each subcommand is a module with `add_parser(subparsers)`, which sets the default `run`: a function that takes the
parsed arguments and returns the exit status. These modules import what they work with only when they run, so that
`minigpt --help` answers at once.

Exit status: 0 done, 2 wrong use or bad input (one line on standard error says what and what to do), 130 interrupted,
141 if whoever reads the output has gone.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from minigpt import __version__
from minigpt.cli import evaluate, generate, tokenizer, train, village
from minigpt.cli.values import as_typed, one_line

USAGE_ERROR = 2
INTERRUPTED = 128 + 2
BROKEN_PIPE = 128 + 13
_POSITIONAL = {"file", "files", "model", "run"}


class _Parser(argparse.ArgumentParser):
    """A parser that answers wrong use in one line, as every other error is answered."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where to look, and end."""
        self.exit(USAGE_ERROR, f"{self.prog}: error: {' '.join(message.split())}; see '{self.prog} --help'\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line with all its subcommands."""
    parser = _Parser(
        prog="minigpt",
        description="The parts of a large language model, built from scratch: the command line of the MiniGPT course.",
    )
    parser.add_argument("--version", action="version", version=f"minigpt {__version__}")
    parser.add_argument("--traceback", action="store_true", help="where an error comes up, show the path to it in full")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    tokenizer.add_parser(subparsers)
    village.add_parser(subparsers)
    train.add_parser(subparsers)
    generate.add_parser(subparsers)
    evaluate.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments behind `minigpt`; those of the process by default.

    Returns:
        The exit status.
    """
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE_ERROR
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whatever is still in the buffer would fail again when Python closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        print("minigpt: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        if args.traceback:
            raise
        print(f"minigpt: error: {as_typed(one_line(error), vars(args).keys() - _POSITIONAL)}", file=sys.stderr)
        return USAGE_ERROR
