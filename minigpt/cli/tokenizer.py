"""`minigpt tokenizer`: train a tokenizer, encode and decode with it, and look at its tokens."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minigpt.tokenizers import Tokenizer

KINDS = ("bpe", "byte", "char", "unigram", "word", "wordpiece")
_KIND_OPTIONS = (
    "pattern",
    "max_pretokens",
    "min_count",
    "unknown",
    "score",
    "lowercase",
    "byte_fallback",
    "add_prefix_space",
)
_BYTES_AT_ONCE = 1 << 16


def add_parser(subparsers: Any) -> None:
    """Add `tokenizer` and its four commands."""
    parser = subparsers.add_parser("tokenizer", help="train a tokenizer, encode, decode, look at tokens")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_encode(commands)
    _add_decode(commands)
    _add_inspect(commands)


def _add_train(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="learn a vocabulary from text",
        description="Learn a vocabulary from UTF-8 text. Files are read in passages and may be larger than memory.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="text to learn from; '-' or none: standard input")
    parser.add_argument("--out", "-o", required=True, metavar="FILE", help="where to write the tokenizer (JSON)")
    parser.add_argument("--kind", choices=KINDS, default="bpe", help="(default: bpe)")
    parser.add_argument("--vocab-size", type=int, metavar="N", help="number of tokens; char and word need none")
    parser.add_argument(
        "--special",
        action="append",
        default=[],
        metavar="NAME",
        help="a special token, such as '<|endoftext|>'; repeat",
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress bar and no summary")
    some = parser.add_argument_group("options of some kinds")
    some.add_argument("--pattern", help="bpe: 'gpt2' (default), 'cl100k' or a regular expression")
    some.add_argument("--max-pretokens", type=int, metavar="N", help="bpe: a bound on the distinct pieces in memory")
    some.add_argument("--min-count", type=int, metavar="N", help="char, word, wordpiece: leave out what is rarer")
    some.add_argument("--unknown", choices=("error", "replace"), help="char: what to do with other characters")
    some.add_argument("--score", choices=("likelihood", "ratio"), help="wordpiece: what to merge by (likelihood)")
    some.add_argument("--lowercase", action=argparse.BooleanOptionalAction, help="wordpiece: fold case (default)")
    some.add_argument(
        "--byte-fallback", action=argparse.BooleanOptionalAction, help="unigram: unknown characters as bytes (default)"
    )
    some.add_argument(
        "--add-prefix-space", action=argparse.BooleanOptionalAction, help="unigram: a space before every text"
    )
    parser.set_defaults(run=train)


def _add_encode(commands: Any) -> None:
    parser = commands.add_parser(
        "encode",
        help="text to token ids",
        description="Write the ids of a UTF-8 text, separated by spaces. The text is read in chunks.",
    )
    _add_tokenizer_and_input(parser, "text to encode")
    parser.add_argument("--lines", action="store_true", help="each line is a text: one line of ids for each")
    _add_allow_special(parser)
    parser.add_argument("--out", "-o", metavar="FILE", help="where to write (default: standard output)")
    parser.set_defaults(run=encode)


def _add_decode(commands: Any) -> None:
    parser = commands.add_parser(
        "decode",
        help="token ids to text",
        description="Write the text of ids that are separated by white space, byte for byte and with nothing added.",
    )
    _add_tokenizer_and_input(parser, "ids to decode")
    parser.add_argument("--lines", action="store_true", help="each line is a text, as 'encode --lines' writes them")
    parser.add_argument("--out", "-o", metavar="FILE", help="where to write (default: standard output)")
    parser.set_defaults(run=decode)


def _add_inspect(commands: Any) -> None:
    parser = commands.add_parser(
        "inspect",
        help="show the tokens of a text",
        description="Show the tokens of a text in colours (or with '|' between them), a table of them, and statistics.",
    )
    _add_tokenizer_and_input(parser, "text to look at")
    parser.add_argument("--text", help="the text itself, instead of a file")
    parser.add_argument(
        "--limit", type=int, default=200, metavar="N", help="show so many tokens; 0: all (default: 200)"
    )
    parser.add_argument("--table", action=argparse.BooleanOptionalAction, default=True, help="with the table (default)")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="(default: auto)")
    _add_allow_special(parser)
    parser.set_defaults(run=show)


def _add_tokenizer_and_input(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("tokenizer", metavar="TOKENIZER", help="a file that 'minigpt tokenizer train' wrote")
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help=f"{what}; '-' or none: standard input")


def _add_allow_special(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-special",
        action="append",
        default=[],
        metavar="NAME",
        help="take this name in the text for the special token; may be repeated; 'all' takes all",
    )


def train(args: argparse.Namespace) -> int:
    """Learn a vocabulary from files and write it."""
    from minigpt.tokenizers import ByteTokenizer

    _check_target(args.out)
    progress = not args.quiet and sys.stderr.isatty()
    if args.kind == "byte":
        _refuse(args, ("vocab_size", *_KIND_OPTIONS))
        if args.files:
            raise ValueError("a byte tokenizer learns nothing: leave the files out")
        tokenizer: Tokenizer = ByteTokenizer(args.special)
    else:
        kind = _kind(args.kind)
        parameters = inspect.signature(kind.train).parameters
        _refuse(args, [name for name in _KIND_OPTIONS if name not in parameters])
        if args.vocab_size is None and parameters["vocab_size"].default is inspect.Parameter.empty:
            raise ValueError(f"--kind {args.kind} needs --vocab-size, for instance --vocab-size 4096")
        options = {name: getattr(args, name) for name in _KIND_OPTIONS if getattr(args, name) is not None}
        if "progress" in parameters:
            options["progress"] = progress
        passages = _passages(args.files or ["-"], progress)
        tokenizer = kind.train(passages, args.vocab_size, special_tokens=args.special, **options)
    tokenizer.save(args.out)
    if not args.quiet:
        print(f"wrote {args.out}: {args.kind}, {tokenizer.vocab_size:,} tokens", file=sys.stderr)
    return 0


def encode(args: argparse.Namespace) -> int:
    """Write the ids of a text."""
    from minigpt.cli import text

    tokenizer = _load(args.tokenizer)
    allowed = _allowed(args.allow_special)
    with text.open_input(args.file) as file, _output(args.out) as out:
        chunks = text.decode(text.read_bytes(file), _name(args.file))
        if args.lines:
            for number, line in enumerate(text.lines(chunks), start=1):
                with _naming_line(number):
                    ids = tokenizer.encode(line.removesuffix("\n"), allowed_special=allowed)
                out.write(_joined(ids) + (b"\n" if line.endswith("\n") else b""))
            return 0
        separator = b""
        for ids in tokenizer.encode_stream(chunks, allowed_special=allowed):
            if ids:
                out.write(separator + _joined(ids))
                separator = b" "
        out.write(b"\n")
    return 0


def decode(args: argparse.Namespace) -> int:
    """Write the text of ids."""
    from minigpt.cli import text

    tokenizer = _load(args.tokenizer)
    with text.open_input(args.file) as file, _output(args.out) as out:
        chunks = text.decode(text.read_bytes(file), _name(args.file))
        if not args.lines:
            _write_text(tokenizer, _parse(_words(chunks)), out.write)
            return 0
        for number, line in enumerate(text.lines(chunks), start=1):
            with _naming_line(number):
                _write_text(tokenizer, _parse(line.split()), out.write)
            out.write(b"\n" if line.endswith("\n") else b"")
    return 0


def show(args: argparse.Namespace) -> int:
    """Show the tokens of a text."""
    from minigpt.cli import inspection, text

    tokenizer = _load(args.tokenizer)
    if args.limit < 0:
        raise ValueError(f"--limit {args.limit} must not be negative; 0 shows all tokens")
    if args.text is None:
        with text.open_input(args.file) as file:
            content = "".join(text.decode(text.read_bytes(file), _name(args.file)))
    elif args.file != "-":
        raise ValueError(f"give either a file ({args.file!r}) or --text")
    else:
        content = args.text
    ids = tokenizer.encode(content, allowed_special=_allowed(args.allow_special))
    shown = ids[: args.limit] if args.limit else ids
    tokens = [tokenizer.token_bytes(i) for i in shown]
    _write_line(inspection.running_text(tokens, inspection.wants_color(sys.stdout, args.color)))
    if len(shown) < len(ids):
        _write_line(f"... and {len(ids) - len(shown):,} more tokens (--limit 0 shows all)")
    if args.table:
        _write_line("")
        for line in inspection.table(shown, tokens):
            _write_line(line)
    _write_line("")
    _write_line(inspection.statistics(tokenizer, content, ids))
    return 0


def _kind(name: str) -> Any:
    from minigpt import tokenizers

    return {
        "bpe": tokenizers.BPETokenizer,
        "char": tokenizers.CharTokenizer,
        "unigram": tokenizers.UnigramTokenizer,
        "word": tokenizers.WordTokenizer,
        "wordpiece": tokenizers.WordPieceTokenizer,
    }[name]


def _refuse(args: argparse.Namespace, names: Iterable[str]) -> None:
    for name in names:
        if getattr(args, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is no option of --kind {args.kind}; leave it out")


def _check_target(out: str) -> None:
    # Found out before the training, not after it.
    if Path(out).is_dir():
        raise ValueError(f"--out {out} is a folder; give the name of a file")
    if not Path(out).parent.is_dir():
        raise ValueError(f"the folder of --out {out} does not exist; create it first")


def _passages(files: list[str], progress: bool) -> Iterator[str]:
    from tqdm import tqdm

    from minigpt.cli import text

    sizes = [os.path.getsize(path) if path != "-" else None for path in files]
    total = None if None in sizes else sum(sizes) or None
    with tqdm(total=total, desc="reading", unit="B", unit_scale=True, disable=not progress) as bar:
        for path in files:
            with text.open_input(path) as file:
                chunks = _counted(text.read_bytes(file), bar.update)
                yield from text.passages(text.decode(chunks, _name(path)))


def _counted(chunks: Iterable[bytes], update: Callable[[int], Any]) -> Iterator[bytes]:
    for chunk in chunks:
        update(len(chunk))
        yield chunk


def _load(path: str) -> Tokenizer:
    from minigpt.tokenizers import Tokenizer

    return Tokenizer.load(path)


def _name(path: str) -> str:
    return "standard input" if path == "-" else repr(path)


def _allowed(names: list[str]) -> Any:
    return "all" if names == ["all"] else names


def _output(path: str | None) -> AbstractContextManager[IO[bytes]]:
    if path is None:
        return nullcontext(sys.stdout.buffer)
    from minigpt.files import atomic_write

    _check_target(path)
    return atomic_write(path, "wb")


@contextmanager
def _naming_line(number: int) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error


def _joined(ids: Iterable[int]) -> bytes:
    return " ".join(map(str, ids)).encode("ascii")


def _words(chunks: Iterable[str]) -> Iterator[str]:
    """The words of a text that comes in chunks, which may be cut inside a word."""
    rest = ""
    for chunk in chunks:
        words = (rest + chunk).split()
        rest = words.pop() if words and not chunk[-1].isspace() else ""
        yield from words
    if rest:
        yield rest


def _parse(words: Iterable[str]) -> Iterator[int]:
    for position, word in enumerate(words):
        if not (word.isascii() and word.isdigit()):
            raise ValueError(f"{word!r} at position {position} is not a token id; ids are whole numbers")
        yield int(word)


def _write_text(tokenizer: Tokenizer, ids: Iterator[int], write: Callable[[bytes], Any]) -> None:
    """Write the bytes of ids, bit by bit where a text is nothing but the bytes of its tokens."""
    if not tokenizer.joins_bytes:
        write(tokenizer.decode(list(ids)).encode("utf-8"))
        return
    data = bytearray()
    for token_id in ids:
        data += tokenizer.token_bytes(token_id)
        if len(data) > _BYTES_AT_ONCE:
            write(bytes(data))
            data.clear()
    write(bytes(data))


def _write_line(line: str) -> None:
    # The signs and the text are UTF-8 whatever the terminal's locale says.
    sys.stdout.buffer.write(line.encode("utf-8") + b"\n")
