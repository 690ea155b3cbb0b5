"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

END_OF_TEXT = "<|endoftext|>"
"""What separates documents: a line of its own in files of text, a special token in streams of token ids (GPT-2's)."""


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO]:
    """Open a new file that takes the place of `path` only if the block ends without an error.

    The data goes to a hidden neighbour first, is flushed to the disk, and is renamed in one step. If the block raises,
    or the process is interrupted, `path` stays as it was and the neighbour is removed (a killed process leaves the
    neighbour, never half a `path`).

    Args:
        path: the file to write; its folder must exist.
        mode: `"w"` for text (UTF-8, line ends written as given) or `"wb"` for bytes.

    Raises:
        ValueError: if `mode` is neither.
        FileNotFoundError: if the folder of `path` does not exist.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"mode={mode!r} is not supported; use 'w' for text or 'wb' for bytes")
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"the folder {str(target.parent)!r} does not exist; create it before writing {target.name!r}"
        )
    text = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
    permissions = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with open(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, permissions)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    # The mask can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
