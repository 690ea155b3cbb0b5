"""Real text that is there without a network: what the installed packages say in licences, read-me files and manuals."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

from minigpt.data.cleaning.document import Document

_ENDINGS = (".md", ".rst", ".txt")
_NAMES = ("licen", "copying", "notice", "authors", "readme")
_LARGEST = 1 << 20


def installed_texts(folder: str | Path | None = None) -> Iterator[Document]:
    """Licences, read-me files and documentation of the packages in a folder, one document for each file.

    What there is depends on what is installed, so no two environments give the same documents. Files that are not UTF-8
    or larger than a megabyte are left out.

    Args:
        folder: where to look; the folder of the packages of this Python if `None`.

    Raises:
        ValueError: if there is no such folder.
    """
    root = Path(folder or sysconfig.get_path("purelib"))
    if not root.is_dir():
        raise ValueError(f"{str(root)!r} is no folder; give one with installed packages or with text files")
    for path in sorted(root.rglob("*")):
        name = path.name.lower()
        if not (name.endswith(_ENDINGS) or name.startswith(_NAMES)) or name.endswith((".py", ".pyc", ".so", ".html")):
            continue
        if not path.is_file() or path.stat().st_size > _LARGEST:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if text.strip():
            yield Document(path.relative_to(root).as_posix(), text)
