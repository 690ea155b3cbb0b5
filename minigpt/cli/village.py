"""`minigpt village`: write stories to a file or to standard output."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from typing import IO

from minigpt.cli.values import count
from minigpt.files import END_OF_TEXT, atomic_write
from minigpt.village.stories import SIZES, Story, stories


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand `village`."""
    parser = subparsers.add_parser(
        "village",
        help="write stories of the village",
        description=f"Write stories, a line {END_OF_TEXT} after each; the same seed gives the same bytes everywhere.",
    )
    parser.add_argument("--documents", type=count, default=1000, metavar="N", help="number of stories (default: 1000)")
    parser.add_argument("--seed", type=count, default=0, metavar="N", help="an integer from 0 (default: 0)")
    parser.add_argument("--size", choices=SIZES, default="village", help="how large a world (default: village)")
    parser.add_argument("--out", required=True, metavar="FILE", help="where to write; - for standard output")
    parser.add_argument(
        "--jsonl", action="store_true", help="write one JSON object a line: text, log_prob, events, seed, size"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the stories; a file is complete or not there."""
    target = nullcontext(sys.stdout) if args.out == "-" else atomic_write(args.out)
    with target as file:
        write(file, args.documents, args.seed, args.size, jsonl=args.jsonl)
    return 0


def write(file: IO[str], documents: int, seed: int, size: str, *, jsonl: bool = False) -> None:
    """Write stories to an open text file, with a progress bar on standard error where that is a terminal."""
    # Imported late: `minigpt --help` does without.
    from tqdm import tqdm

    bar = tqdm(stories(documents, seed, size), total=documents, unit=" stories", disable=not sys.stderr.isatty())
    for story in bar:
        file.write(_line(story) if jsonl else f"{story.text}\n{END_OF_TEXT}\n")


def _line(story: Story) -> str:
    events = [[event.kind, *event.args] for event in story.events]
    fields = {"text": story.text, "log_prob": story.log_prob, "events": events, "seed": story.seed, "size": story.size}
    return json.dumps(fields, ensure_ascii=False) + "\n"
