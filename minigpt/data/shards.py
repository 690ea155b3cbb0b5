"""Token ids in a file that is read by mapping it into memory, so that a corpus may be larger than memory.

The file begins with a line of JSON, filled up with spaces to 1,024 bytes: `head -n 1 FILE` shows what it holds. Then
follow the ids, little-endian, two bytes each where the vocabulary fits (up to 65,536) and four otherwise, zeros up to
the next multiple of 8 bytes, and where each document begins, 8 bytes each.

The stream of ids is `e d d d e d d e ... d d e`: every document stands between two tokens `e` that separate documents,
and two documents share the one between them. So a model begins a document behind this token, and ends it with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.files import atomic_write

FORMAT, VERSION = "minigpt-tokens", 1
_HEADER_BYTES = 1024
_IDS_AT_ONCE = 1 << 20
_START = np.dtype("<i8")


class Tokens:
    """A corpus as a stream of token ids, opened by `open_tokens`; nothing of it is read before it is asked for.

    Attributes:
        path: the file.
        ids: all ids, documents and the separators around them, as a read-only array that is mapped into memory.
        starts: where in `ids` each document begins: the place of the separator before it.
        vocab_size: number of token ids.
        end_of_text: the id of the separator.
        checksum: SHA-256 of ids, starts and description, as it was when the file was written; two corpora with the same
            one are the same.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self.vocab_size: int = header["vocab_size"]
        self.end_of_text: int = header["end_of_text"]
        self.checksum: str = header["sha256"]
        self._header = header
        ids_end, starts_begin, _ = _layout(header)
        # A view as a plain array: slices of `np.memmap` itself are several times as slow.
        data = np.memmap(path, np.uint8, "r").view(np.ndarray)
        self.ids: np.ndarray = data[_HEADER_BYTES:ids_end].view(header["dtype"])
        self.starts: np.ndarray = data[starts_begin:].view(_START)

    def __len__(self) -> int:
        """Number of ids, separators included."""
        return len(self.ids)

    @property
    def n_documents(self) -> int:
        """Number of documents."""
        return len(self.starts)

    @property
    def lengths(self) -> np.ndarray:
        """Number of ids of each document with the separator before it: what a model reads to predict all of it."""
        return np.diff(self.starts, append=len(self.ids) - 1)

    def document(self, i: int) -> np.ndarray:
        """The ids of document `i`, counted from 0, without the separators around it."""
        if not 0 <= i < self.n_documents:
            raise IndexError(f"document {i} is not there; {str(self.path)!r} has documents 0 to {self.n_documents - 1}")
        end = self.starts[i + 1] if i + 1 < self.n_documents else len(self.ids) - 1
        return self.ids[self.starts[i] + 1 : end]

    def verify(self) -> None:
        """Read the whole file and compare it with its checksum.

        Raises:
            ValueError: if a single bit is not as it was written.
        """
        digest = hashlib.sha256()
        for part in (self.ids, self.starts):
            for begin in range(0, len(part), _IDS_AT_ONCE):
                digest.update(part[begin : begin + _IDS_AT_ONCE].tobytes())
        digest.update(_described(self._header))
        if digest.hexdigest() != self.checksum:
            raise ValueError(f"{str(self.path)!r} is damaged: its checksum is not that of what it holds; write it anew")

    def __repr__(self) -> str:
        return f"Tokens({str(self.path)!r}: {len(self):,} ids in {self.n_documents:,} documents)"


def write_tokens(
    documents: Iterable[Sequence[int]], path: str | os.PathLike[str], *, vocab_size: int, end_of_text: int
) -> None:
    """Write a corpus; a file that is there is replaced in one step, or not at all.

    Memory holds about a million ids and 8 bytes for each document, however large the corpus.

    Args:
        documents: the ids of each document, `0 <= id < vocab_size`, without separators; empty ones are left out.
        path: the file; its folder must exist.
        vocab_size: number of token ids, at most 2**32.
        end_of_text: the id of the separator.

    Raises:
        ValueError: if an id is out of range or no integer, a document holds the separator, or there is no document.
    """
    if not 1 <= vocab_size <= 1 << 32:
        raise ValueError(f"vocab_size={vocab_size} must be from 1 to 2**32, or the ids fit no type of this format")
    if not 0 <= end_of_text < vocab_size:
        raise ValueError(f"end_of_text={end_of_text} is no id: there are 0 to {vocab_size - 1}")
    dtype = np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")
    starts, digest, n_tokens = array("q"), hashlib.sha256(), 0
    with atomic_write(path, "wb") as file:
        file.seek(_HEADER_BYTES)
        for ids, lengths in _blocks(documents, vocab_size, end_of_text):
            for length in lengths:
                starts.append(n_tokens)
                n_tokens += length
            block = ids.astype(dtype).tobytes()
            digest.update(block)
            file.write(block)
        if not starts:
            raise ValueError("there is no document to write, or all of them are empty")
        last = np.array(end_of_text, dtype).tobytes()
        file.write(last)
        end = file.tell()
        file.write(bytes(_aligned(end) - end))
        if sys.byteorder == "big":
            starts.byteswap()
        file.write(starts)
        digest.update(last)
        digest.update(starts)
        header = {
            "format": FORMAT,
            "version": VERSION,
            "dtype": dtype.str,
            "vocab_size": vocab_size,
            "end_of_text": end_of_text,
            "n_tokens": n_tokens + 1,
            "n_documents": len(starts),
        }
        digest.update(_described(header))
        header["sha256"] = digest.hexdigest()
        file.seek(0)
        file.write(json.dumps(header).ljust(_HEADER_BYTES - 1).encode("ascii") + b"\n")


def open_tokens(path: str | os.PathLike[str]) -> Tokens:
    """Open a corpus that `write_tokens` wrote, in no time; `Tokens.verify` also reads it to the end.

    Raises:
        ValueError: if the file is of another kind, of a newer version, or not as long as it should be.
        FileNotFoundError: if there is no such file.
    """
    path = Path(path)
    with open(path, "rb") as file:
        first = file.read(_HEADER_BYTES)
    try:
        header = json.loads(first)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"{str(path)!r} is no {FORMAT} file; such a file is written by minigpt.data.write_tokens")
    if header.get("version") != VERSION:
        raise ValueError(
            f"{str(path)!r} has version {header.get('version')!r}, this minigpt reads {VERSION}; update one of them"
        )
    try:
        expected = _layout(header)[2]
        if path.stat().st_size != expected:
            raise ValueError(
                f"{str(path)!r} is damaged: it has {path.stat().st_size} bytes where {expected} belong; write it anew"
            )
        return Tokens(path, header)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{str(path)!r} is damaged: its first line is {header}; write it anew") from error


def _blocks(
    documents: Iterable[Sequence[int]], vocab_size: int, end_of_text: int
) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Documents, each behind a separator, joined to blocks of some size, and the length of each."""
    separator = np.array([end_of_text])
    parts: list[np.ndarray] = []
    lengths: list[int] = []
    size = 0
    for i, document in enumerate(documents):
        ids = np.asarray(document)
        if not ids.size:
            continue
        _check(ids, i, vocab_size, end_of_text)
        parts += [separator, ids]
        lengths.append(1 + len(ids))
        size += 1 + len(ids)
        if size >= _IDS_AT_ONCE:
            yield np.concatenate(parts), lengths
            parts, lengths, size = [], [], 0
    if parts:
        yield np.concatenate(parts), lengths


def _check(ids: np.ndarray, i: int, vocab_size: int, end_of_text: int) -> None:
    if ids.dtype.kind not in "iu" or ids.ndim != 1:
        raise ValueError(f"document {i} is no sequence of integers, but {ids.dtype} of shape {ids.shape}")
    if ids.min() < 0 or ids.max() >= vocab_size:
        wrong = ids[(ids < 0) | (ids >= vocab_size)][0]
        raise ValueError(f"document {i} has the id {wrong}, where 0 to {vocab_size - 1} are possible")
    if (ids == end_of_text).any():
        raise ValueError(
            f"document {i} holds the separator, id {end_of_text}: it would count as two. Encode texts without allowing "
            "special tokens, and give each as a document of its own"
        )


def _described(header: dict[str, Any]) -> bytes:
    return json.dumps({name: header[name] for name in header if name != "sha256"}).encode("ascii")


def _layout(header: dict[str, Any]) -> tuple[int, int, int]:
    """Where the ids end, the starts begin, and the file ends."""
    ids_end = _HEADER_BYTES + header["n_tokens"] * np.dtype(header["dtype"]).itemsize
    return ids_end, _aligned(ids_end), _aligned(ids_end) + header["n_documents"] * _START.itemsize


def _aligned(position: int) -> int:
    return -(-position // _START.itemsize) * _START.itemsize
