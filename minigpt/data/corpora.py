"""Corpora: where documents come from. Each is an iterator of texts, one document after the other."""

from __future__ import annotations

import ast
import gzip
import json
import os
import sysconfig
import warnings
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path

from minigpt.data.catalogue import DOWNLOADS
from minigpt.data.download import fetch
from minigpt.files import END_OF_TEXT
from minigpt.village import SIZES, stories

STORIES = 10_000
"""Number of stories where nobody says how many."""
_NOT_FOR_READERS = frozenset(
    ("test", "tests", "idle_test", "idlelib", "lib2to3", "turtledemo", "ensurepip", "pydoc_data", "site-packages")
)


def village(size: str = "village", n: int = STORIES, seed: int = 0) -> Iterator[str]:
    """Stories of the village; two seeds have no story in common.

    Args:
        size: `"hamlet"`, `"village"` or `"town"`.
        n: number of stories.
        seed: an integer from 0.

    Raises:
        ValueError: if the size is unknown or a number out of range.
    """
    return (story.text for story in stories(n, seed, size))


def python_docs() -> Iterator[str]:
    """The reference of the Python language that `help("for")` shows, a document for each topic.

    It ships inside CPython, so it is there offline: real prose by many hands, of some 80 documents and 460,000
    characters, among them a few long ones (data model, compound statements, strings, the debugger). The text is that of
    the Python that runs, and differs a little between versions: a number that should last needs the version beside it.
    """
    from pydoc_data.topics import topics

    # Two topics may share a text.
    yield from dict.fromkeys(topics.values())


def python_docstrings() -> Iterator[str]:
    """What the modules of Python's standard library say about themselves, a document for each module.

    Some 500 documents and 1.6 million characters: the docstring of the module and those of its classes and functions,
    each behind its name. Modules are read, not imported; their order is that of their names.

    Raises:
        ValueError: if this Python has no source files of its library.
    """
    root = Path(sysconfig.get_path("stdlib"))
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in root.rglob("*.py")
        if not _NOT_FOR_READERS & set(path.relative_to(root).parts)
    }
    if not paths:
        raise ValueError(f"{str(root)!r} holds no source files of Python's library; use python_docs instead")
    for name, path in sorted(paths.items()):
        if text := _docstrings(name, path.read_bytes()):
            yield text


def text_file(path: str | os.PathLike[str], *, anywhere: bool = False) -> Iterator[str]:
    """The documents of a file.

    What a file is follows from its name: in `*.jsonl` each line is a JSON object whose `"text"` is a document; in
    `*.parquet` each row is one, with a column `text` (this needs `pyarrow`). Every other file is plain text: one
    document, or several with a line `<|endoftext|>` after each, as `minigpt village` writes them. Text files and JSON
    lines may be compressed (`*.gz`). Documents without a visible character are left out.

    Args:
        path: the file. It is read document by document and may be larger than memory.
        anywhere: whether `<|endoftext|>` separates documents also in the middle of a line; white space around a
            document is then left out.

    Raises:
        ValueError: if the file is not UTF-8, a line is no such object, or the compressed data is damaged.
        OSError: if it cannot be read.
        ImportError: if it is a parquet file and `pyarrow` is not installed.
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith(".parquet"):
        return _parquet(path)
    lines = _lines(path)
    documents = _json_lines(lines, path) if name.removesuffix(".gz").endswith(".jsonl") else _split(lines, anywhere)
    return (text for text in documents if not text.isspace() and text)


def corpus(name: str | os.PathLike[str]) -> Iterator[str]:
    """The documents of a corpus: what a person may write behind `--data`.

    Args:
        name: `hamlet`, `village` or `town` (10,000 stories of seed 0), `python-docs`, `python-docstrings`, a name in
            `DOWNLOADS` (which is downloaded if it is not in the cache), or the path of a file, as `text_file` reads it.

    Raises:
        ValueError: if it is none of these.
    """
    name = os.fspath(name)
    if name in SIZES:
        return village(name)
    if name == "python-docs":
        return python_docs()
    if name == "python-docstrings":
        return python_docstrings()
    if name in DOWNLOADS:
        return text_file(fetch(DOWNLOADS[name]), anywhere=True)
    if Path(name).is_dir():
        raise ValueError(f"{name!r} is a folder; give one text file, or the name of a corpus")
    if not Path(name).is_file():
        names = ", ".join((*SIZES, "python-docs", "python-docstrings", *DOWNLOADS))
        raise ValueError(f"{name!r} is neither a file nor a corpus; corpora are {names}")
    return text_file(name)


def _lines(path: Path) -> Iterator[str]:
    done = 0
    with _open(path) as file:
        try:
            for line in file:
                text = line.decode("utf-8")
                yield text.removeprefix("\ufeff") if not done else text
                done += len(line)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{str(path)!r} is not UTF-8: byte 0x{error.object[error.start]:02x} at position {done + error.start}; "
                "convert it, for instance with `iconv -f latin1 -t utf-8`"
            ) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{str(path)!r} is damaged or cut short: {error}") from error


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else open(path, "rb")


def _split(lines: Iterable[str], anywhere: bool) -> Iterator[str]:
    parts: list[str] = []
    is_one = True
    for line in lines:
        if END_OF_TEXT in line and line.strip() == END_OF_TEXT:
            yield _trimmed(parts, anywhere)
            parts, is_one = [], False
        elif anywhere and END_OF_TEXT in line:
            first, *others = line.split(END_OF_TEXT)
            for other in others:
                yield _trimmed([*parts, first], anywhere)
                parts, first, is_one = [], other, False
            parts = [first]
        else:
            parts.append(line)
    # A text that is a single document is left exactly as it is.
    yield "".join(parts) if is_one else _trimmed(parts, anywhere)


def _trimmed(parts: list[str], anywhere: bool) -> str:
    text = "".join(parts)
    return text.strip() if anywhere else text.removesuffix("\n").removesuffix("\r")


def _json_lines(lines: Iterable[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} of {str(path)!r} is no JSON: {error}") from error
        if not isinstance(value, dict) or not isinstance(value.get("text"), str):
            raise ValueError(f'line {number} of {str(path)!r} is no JSON object with a string "text": {line[:80]!r}')
        yield value["text"]


def _parquet(path: Path) -> Iterator[str]:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ImportError(f"reading {str(path)!r} needs pyarrow; install it with: pip install pyarrow") from error
    return (
        text
        for batch in ParquetFile(path).iter_batches(batch_size=1024, columns=["text"])
        for text in batch.column("text").to_pylist()
        if text and not text.isspace()
    )


def _docstrings(name: str, source: bytes) -> str:
    with warnings.catch_warnings():
        # Old modules hold escapes that Python warns of.
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        f"{name if isinstance(node, ast.Module) else node.name}\n\n{text}\n"
        for node in ast.walk(tree)
        if isinstance(node, kinds) and (text := ast.get_docstring(node))
    ]
    return "\n".join(found)
