"""Corpora that have to be downloaded: once, whole, and checked.

A download goes into a neighbour of its file, which takes the file's place when it is complete and its checksum is
right. A download that was interrupted, by whatever, goes on where it stopped. Where the checksum of a file is known,
`minigpt.data.DOWNLOADS` has it. Where it is not, that of the first download is recorded beside the file, and from then
on the file, also a later download of it, has to agree.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir
from tqdm import tqdm

from minigpt.data.catalogue import Download
from minigpt.files import atomic_write

CACHE = "MINIGPT_CACHE"
"""The environment variable that says where downloads are kept, if not where the platform keeps such files."""
_BLOCK = 1 << 18


def cache_folder() -> Path:
    """Where downloads are kept: `$MINIGPT_CACHE`, or the folder that the platform has for such files."""
    return Path(os.environ.get(CACHE) or user_cache_dir("minigpt"))


def fetch(
    download: Download,
    folder: str | os.PathLike[str] | None = None,
    *,
    progress: bool | None = None,
    attempts: int = 5,
    pause: float = 1.0,
    timeout: float = 30.0,
) -> Path:
    """The path of a file, which is downloaded if it is not there.

    Args:
        download: what is wanted, such as `DOWNLOADS["tinystories"]`.
        folder: where it is kept; by default `cache_folder()`. It is made if it is not there.
        progress: whether to show a bar on standard error; by default if that is a terminal.
        attempts: how often to try in a row without getting a byte further.
        pause: seconds before the second attempt; twice as many before each that follows.
        timeout: seconds without an answer, or without a byte, until an attempt has failed.

    Raises:
        ConnectionError: if the server cannot be reached, or the connection fails again and again. What was downloaded
            stays; the next call goes on from there.
        ValueError: if the server has no such file, or one with another size or checksum.
    """
    folder = cache_folder() if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / download.filename
    if not _is_whole(target, download):
        with _alone(folder / f".{download.filename}.lock", download):
            # Another process may have got it while this one waited for its turn.
            if not target.exists():
                _Transfer(download, target, progress, timeout).run(attempts, pause)
    return target


class _Transfer:
    """One download on its way: `part` is what has arrived so far, `notes` says of which version of the file."""

    def __init__(self, download: Download, target: Path, progress: bool | None, timeout: float) -> None:
        self.download, self.target, self.timeout = download, target, timeout
        self.part = target.with_name(f".{target.name}.part")
        self.notes = target.with_name(f".{target.name}.part.json")
        self.progress = sys.stderr.isatty() if progress is None else progress
        self.total = download.size

    def run(self, attempts: int, pause: float) -> None:
        failures, arrived = 0, self._arrived()
        while True:
            try:
                self._receive()
                break
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code != 429:
                    raise ValueError(
                        f"the server answers {error.code} {error.reason} for {self.download.url}; get "
                        f"{self.download.name!r} by hand and give the path of the file"
                    ) from error
                reason = f"the server answers {error.code} {error.reason}"
            except urllib.error.URLError as error:
                reason = f"the connection fails ({error.reason})"
                if not self._arrived():
                    raise ConnectionError(self._offline(reason)) from error
            except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
                reason = f"the connection breaks off ({error or type(error).__name__})"
            failures = 1 if self._arrived() > arrived else failures + 1
            arrived = self._arrived()
            if failures >= attempts:
                raise ConnectionError(
                    f"{reason} after {arrived:,} bytes of {self.download.url}, {attempts} times in a row; the same "
                    "command goes on from there"
                )
            time.sleep(pause * 2 ** (failures - 1))
        self._finish()

    def _receive(self) -> None:
        """Ask for what is missing and append it; start again where the server has another version, or no parts."""
        begin, tag = self._arrived(), self._noted()
        headers = {"Accept-Encoding": "identity", "User-Agent": "minigpt"}
        # Without the name of the version that has begun to arrive, only a checksum can tell whether the rest fits.
        if begin and (tag or self.download.sha256):
            headers["Range"] = f"bytes={begin}-"
            if tag:
                headers["If-Range"] = tag
        request = urllib.request.Request(self.download.url, headers=headers)
        try:
            response = urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            if _number(r"bytes \*/(\d+)", error.headers.get("Content-Range")) == begin:
                self.total = begin
                return
            self._discard()
            raise ConnectionError("the part that had arrived was of another file") from error
        with response:
            if response.status == http.HTTPStatus.PARTIAL_CONTENT:
                if _number(r"bytes (\d+)-", response.headers.get("Content-Range")) != begin:
                    self._discard()
                    raise ConnectionError("the server sends another part than was asked for")
            else:
                self._discard()
                begin = 0
            length = _number(r"(\d+)$", response.headers.get("Content-Length"))
            if length is not None:
                self._expect(begin + length)
            self._note(response.headers)
            self._append(response, begin)
        if self.total is not None and self._arrived() != self.total:
            raise ConnectionError(f"{self._arrived():,} of {self.total:,} bytes")

    def _expect(self, total: int) -> None:
        if self.download.size not in (None, total):
            raise ValueError(
                f"{self.download.url} has {total:,} bytes where {self.download.size:,} are expected: it is not the "
                f"file it was; get {self.download.name!r} elsewhere and give the path of the file"
            )
        self.total = total

    def _append(self, response: Any, begin: int) -> None:
        bar = tqdm(
            desc=self.download.name,
            total=self.total,
            initial=begin,
            unit="B",
            unit_scale=True,
            disable=not self.progress,
        )
        with bar, open(self.part, "ab") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                bar.update(len(block))
            file.flush()
            os.fsync(file.fileno())

    def _finish(self) -> None:
        if self.total is None and self.download.sha256 is None:
            self._discard()
            raise ValueError(
                f"{self.download.url} does not say how long it is, so that nobody can tell whether it arrived whole; "
                "get it by hand and give the path of the file"
            )
        checksum = _sha256(self.part)
        expected, source = self.download.sha256, "is known"
        if expected is None:
            expected, source = _recorded(self.target).get("sha256"), "was recorded with the first download"
        if expected not in (None, checksum):
            self._discard()
            raise ValueError(
                f"what arrived from {self.download.url} has the SHA-256 {checksum}, but {expected} {source}; it was "
                "thrown away. Try again; if it stays so, the file has changed"
            )
        _record(self.target, self.part, self.download.url, checksum)
        os.replace(self.part, self.target)
        self.notes.unlink(missing_ok=True)

    def _offline(self, reason: str) -> str:
        size = f" ({self.download.size / 1e6:,.0f} MB)" if self.download.size else ""
        return (
            f"{reason}, and {self.download.name!r} has to be downloaded once{size}: connect to the network and try "
            "again, or give the path of a text file; hamlet, village, town and python-docs need no network"
        )

    def _arrived(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)

    def _noted(self) -> str | None:
        try:
            notes = json.loads(self.notes.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return notes["version"] if notes["url"] == self.download.url else None

    def _note(self, headers: Any) -> None:
        # Only a strong name of a version, or else a date, may be asked for again (RFC 9110, section 13.1.5).
        tag = headers.get("ETag", "")
        version = tag if tag.startswith('"') else headers.get("Last-Modified")
        with atomic_write(self.notes) as file:
            json.dump({"url": self.download.url, "version": version}, file)


def _is_whole(target: Path, download: Download) -> bool:
    """Whether the file is there as it was downloaded; if its size or date changed, its checksum decides."""
    if not target.exists():
        return False
    recorded, found = _recorded(target), target.stat()
    if (recorded.get("size"), recorded.get("modified")) != (found.st_size, found.st_mtime_ns):
        expected = download.sha256 or recorded.get("sha256")
        checksum = _sha256(target)
        if expected not in (None, checksum):
            raise ValueError(
                f"{str(target)!r} is not as it was downloaded: its SHA-256 is {checksum}, not {expected}; delete it, "
                "and it will be downloaded again"
            )
        _record(target, target, download.url, checksum)
    return True


def _recorded(target: Path) -> dict[str, Any]:
    try:
        return json.loads(target.with_name(f"{target.name}.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return {}


def _record(target: Path, file: Path, url: str, checksum: str) -> None:
    found = file.stat()
    values = {"url": url, "sha256": checksum, "size": found.st_size, "modified": found.st_mtime_ns}
    with atomic_write(target.with_name(f"{target.name}.json")) as out:
        json.dump(values, out, indent=1)
        out.write("\n")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _number(pattern: str, text: str | None) -> int | None:
    match = re.match(pattern, text or "")
    return int(match[1]) if match else None


@contextmanager
def _alone(path: Path, download: Download) -> Iterator[None]:
    with open(path, "w") as file:
        try:
            # The system gives the lock back when the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"another process is downloading {download.name!r} into {str(path.parent)!r}; wait for it and try again"
            ) from error
        yield
