"""`minigpt generate`: let a trained model write."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigpt.cli.model import load_folder
from minigpt.cli.values import as_typed, between, count_from_one, from_zero, one_line, seed, share

if TYPE_CHECKING:
    from minigpt.generation import Completion
    from minigpt.models import GPT
    from minigpt.tokenizers import Tokenizer

_ONLY_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed", "stream")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand `generate`."""
    parser = subparsers.add_parser(
        "generate",
        help="let a trained model write",
        description="Continue a prompt, or write a new text if there is none. The text ends where the model ends it, "
        "at a stop string, or after --tokens tokens.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder that 'minigpt train' wrote")
    prompt = parser.add_mutually_exclusive_group()
    prompt.add_argument("--prompt", metavar="TEXT", help="what is to be continued; - reads standard input")
    prompt.add_argument("--prompt-file", metavar="FILE", help="the same from a file")
    prompt.add_argument("--interactive", action="store_true", help="read prompts line by line, and continue each")
    parser.add_argument(
        "--tokens", type=count_from_one, default=200, metavar="N", help="at most so many (default: 200)"
    )
    parser.add_argument("--samples", type=count_from_one, default=1, metavar="N", help="so many texts (default: 1)")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="ends the text; may be "
                        "repeated. Beams are cut there when the search is over")  # fmt: skip
    parser.add_argument("--keep-stop", action="store_true", help="show the stop string as well")
    parser.add_argument(
        "--overflow",
        choices=("refuse", "cut", "slide"),
        default="refuse",
        help="where prompt and tokens are more than the model's context: refuse (default), write fewer, or let the "
        "model forget the beginning",
    )
    parser.add_argument(
        "--stream", action=argparse.BooleanOptionalAction, help="show the text while it is written (default for one)"
    )
    parser.add_argument("--jsonl", action="store_true", help="write one JSON object a text: prompt, text, reason, ids")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, mps")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="(default: float32)")
    how = parser.add_argument_group("how the next token is chosen")
    how.add_argument("--temperature", type=from_zero, metavar="T", help="0 takes the most likely one (default: 1)")
    how.add_argument("--top-k", type=count_from_one, metavar="K", help="from the K most likely ones")
    how.add_argument("--top-p", type=share, metavar="P", help="from the most likely ones that together reach P")
    how.add_argument("--min-p", type=share, metavar="P", help="from those at least P times as likely as the first")
    how.add_argument("--repetition-penalty", type=between(0.001, 1000), metavar="R", help="above 1: less of what "
                     "was there before")  # fmt: skip
    how.add_argument("--no-repeat-ngram", type=count_from_one, metavar="N", help="no run of N tokens twice")
    how.add_argument("--seed", type=seed, metavar="N", help="decides the draws (default: 0)")
    how.add_argument(
        "--beams", type=count_from_one, metavar="N", help="beam search with N beams; --samples shows so many of them"
    )
    how.add_argument(
        "--length-penalty", type=between(-50, 50), metavar="A", help="of beams: log-probability / length^A (default: 1)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the prompt or prompts, and write."""
    _check(args)
    model, tokenizer = load_folder(args.model, args.device, args.dtype)
    if args.interactive:
        for line in _lines():
            try:
                _answer(args, model, tokenizer, line)
            except ValueError as error:
                # Such as a line longer than the context: the next one may do.
                print(f"minigpt: error: {as_typed(one_line(error), vars(args))}", file=sys.stderr, flush=True)
        return 0
    _answer(args, model, tokenizer, _prompt(args))
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.beams is None:
        if args.length_penalty is not None:
            raise ValueError("--length-penalty belongs to beam search; add --beams, or leave it out")
        if args.stream and (args.samples > 1 or args.jsonl):
            raise ValueError("--stream shows one text while it is written; leave out --samples and --jsonl")
        return
    given = [name for name in _ONLY_SAMPLING if getattr(args, name) is not None and getattr(args, name) is not False]
    if given:
        raise ValueError(
            f"--beams draws nothing and shows a text when it is complete; leave out "
            f"{', '.join('--' + name.replace('_', '-') for name in given)}"
        )
    if args.samples > args.beams:
        raise ValueError(f"--samples {args.samples} needs as many --beams, not {args.beams}")


def _prompt(args: argparse.Namespace) -> str:
    from minigpt.cli import text

    path = "-" if args.prompt == "-" else args.prompt_file
    if path is None:
        return args.prompt or ""
    with text.open_input(path) as file:
        return "".join(text.decode(text.read_bytes(file), "standard input" if path == "-" else path))


def _lines() -> Iterator[str]:
    # A prompt a line; the sign that asks for one goes where nobody reads the output from.
    asks = sys.stdin.isatty()
    while True:
        if asks:
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.removesuffix("\n")


def _answer(args: argparse.Namespace, model: GPT, tokenizer: Tokenizer, prompt: str) -> None:
    from minigpt.generation import complete, stream

    if args.beams is not None:
        completions = _beams(args, model, tokenizer, prompt)
    else:
        options = {"stop": args.stop, "keep_stop": args.keep_stop, "overflow": args.overflow}
        options |= {"sampling": _sampling(args), "seed": args.seed or 0}
        if args.samples == 1 and not args.jsonl and args.stream is not False:
            pieces = stream(model, tokenizer, prompt, args.tokens, **options)
            # The first piece is asked for before the prompt is shown: then the request is known to be possible.
            first = next(pieces, "")
            _write(("" if args.interactive else prompt) + first)
            for piece in pieces:
                _write(piece)
            _write("\n")
            return
        completions = complete(model, tokenizer, [prompt] * args.samples, args.tokens, **options)
    for number, completion in enumerate(completions):
        if args.jsonl:
            fields = {"prompt": prompt, "text": completion.text, "reason": completion.reason, "ids": completion.ids}
            _write(json.dumps(fields, ensure_ascii=False) + "\n")
        else:
            _write(("---\n" if number else "") + ("" if args.interactive else prompt) + completion.text + "\n")


def _sampling(args: argparse.Namespace) -> Any:
    from minigpt.generation import Sampling

    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "no_repeat_ngram")
    return Sampling(**{name: getattr(args, name) for name in names if getattr(args, name) is not None})


def _beams(args: argparse.Namespace, model: GPT, tokenizer: Tokenizer, prompt: str) -> list[Completion]:
    from minigpt.generation import TextStream, beam_search, power
    from minigpt.generation.stream import Completion, end_ids, prompt_ids

    ids, end = prompt_ids(tokenizer, prompt), end_ids(tokenizer)
    found = beam_search(
        model,
        ids,
        args.tokens,
        n_beams=args.beams,
        n_best=args.samples,
        end=end,
        normalisation=power(1.0 if args.length_penalty is None else args.length_penalty),
        no_repeat_ngram=args.no_repeat_ngram,
        overflow=args.overflow,
    )
    completions = []
    for hypothesis in found:
        text = TextStream(tokenizer, ids, stop=args.stop, keep_stop=args.keep_stop, end=end)
        pieces: list[str] = []
        for token in hypothesis.ids:
            pieces.append(text.push(token))
            if text.finished:
                break
        completions.append(Completion("".join([*pieces, text.close()]), hypothesis.ids[: len(pieces)], text.reason))
    return completions


def _write(text: str) -> None:
    # UTF-8 whatever the terminal's locale says, and at once.
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()
