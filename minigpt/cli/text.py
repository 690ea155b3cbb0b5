"""Text from files and standard input, in chunks, exactly as it is there."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from io import BufferedIOBase

_CHUNK_BYTES = 1 << 18


def open_input(path: str) -> AbstractContextManager[BufferedIOBase]:
    """A file opened for reading bytes, or standard input for `"-"`, with a word to a person who has to type it."""
    if path != "-":
        return open(path, "rb")
    if sys.stdin.isatty():
        print("reading standard input; end it with Ctrl-D", file=sys.stderr)
    return nullcontext(sys.stdin.buffer)


def read_bytes(file: BufferedIOBase) -> Iterator[bytes]:
    """What a file holds, in chunks, each as soon as it is there."""
    # `read` would go on reading until a chunk is full, deaf to an interrupt that came while it was not waiting.
    while chunk := file.read1(_CHUNK_BYTES):
        yield chunk


def decode(chunks: Iterable[bytes], name: str) -> Iterator[str]:
    """UTF-8 to text, chunk by chunk; line ends stay as they are.

    Args:
        chunks: bytes, cut anywhere.
        name: what to call them in an error.

    Raises:
        ValueError: with the position of the first byte that is not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = 0
    for chunk, final in _mark_last(chunks):
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            position = done - pending + error.start
            raise ValueError(
                f"{name} is not UTF-8: byte 0x{error.object[error.start]:02x} at position {position}; convert it, for "
                "instance with `iconv -f latin1 -t utf-8`"
            ) from error
        done += len(chunk)
        if text:
            yield text


def _mark_last(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for chunk in chunks:
        yield chunk, False
    yield b"", True


def lines(chunks: Iterable[str]) -> Iterator[str]:
    """The lines of a text that comes in chunks, with their `\\n`, which the last one may lack."""
    parts: list[str] = []
    for chunk in chunks:
        first, *others = chunk.split("\n")
        parts.append(first)
        for other in others:
            yield "".join(parts) + "\n"
            parts = [other]
    if rest := "".join(parts):
        yield rest


def passages(chunks: Iterable[str], length: int = 1 << 20) -> Iterator[str]:
    """A text in passages of about `length` characters to train on, so that a large file need not fit in memory.

    A passage ends behind a line end that stands between two characters that are not white space, where no tokenizer
    of this package makes a token of both sides; without such a place within `length` more characters, at that length.
    """
    text = ""
    for chunk in chunks:
        text += chunk
        while len(text) >= 2 * length:
            end = _line_end(text, length)
            yield text[:end]
            text = text[end:]
    if text:
        yield text


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start) + 1
    while end and (text[end - 2].isspace() or text[end : end + 1].isspace() or end == len(text)):
        end = text.find("\n", end) + 1
    return end or len(text)
