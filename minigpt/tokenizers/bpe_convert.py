"""Byte-level BPE vocabularies from and to the forms of tiktoken and Hugging Face tokenizers."""

from __future__ import annotations

import base64
import binascii
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import regex

from minigpt.files import atomic_write
from minigpt.tokenizers.base import TokenizerError
from minigpt.tokenizers.patterns import GPT2, pattern_of

if TYPE_CHECKING:
    import tiktoken

    from minigpt.tokenizers.bpe import BPETokenizer


def import_tiktoken() -> Any:
    """The module `tiktoken`, or an error that says how to get it."""
    try:
        import tiktoken
    except ImportError as error:
        raise ImportError("this needs the package tiktoken, which is optional: pip install tiktoken") from error
    return tiktoken


def read_tiktoken(
    source: tiktoken.Encoding | str | os.PathLike[str],
) -> tuple[dict[bytes, int], str | None, dict[str, int] | None]:
    """Ranks, pattern and special tokens of a tiktoken encoding; a file has only ranks.

    Args:
        source: an encoding, the name of one that tiktoken knows, or the path of a `.tiktoken` file.

    Raises:
        TokenizerError: if it is neither, or the file is damaged.
        ImportError: if tiktoken is needed and not installed.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.suffix == ".tiktoken" or path.exists():
            return _read_ranks(path), None, None
        known = import_tiktoken().list_encoding_names()
        if str(source) not in known:
            raise TokenizerError(f"{str(source)!r} is no file and no encoding that tiktoken knows: {known}")
        source = import_tiktoken().get_encoding(str(source))
    if not isinstance(source, import_tiktoken().Encoding):
        raise TokenizerError(
            f"{type(source).__name__} is no tiktoken encoding; give a tiktoken.Encoding, its name, or a .tiktoken file"
        )
    # tiktoken has no public way to these three; its own documentation reads them so to extend an encoding.
    return dict(source._mergeable_ranks), source._pat_str, dict(source._special_tokens)


def _read_ranks(path: Path) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise TokenizerError(
                f"line {number} of {str(path)!r} is no token in base 64 followed by its rank: {line[:60]!r}"
            ) from error
    return ranks


def to_tiktoken(tokenizer: BPETokenizer, name: str) -> tiktoken.Encoding:
    """A `tiktoken.Encoding` with the same ids."""
    return import_tiktoken().Encoding(
        name,
        pat_str=pattern_of(tokenizer.pattern).expression,
        mergeable_ranks=tokenizer.ranks,
        special_tokens=tokenizer.special_tokens,
    )


def to_hugging_face(tokenizer: BPETokenizer, path: str | os.PathLike[str]) -> None:
    """Write a `tokenizer.json` with the same ids."""
    spell = _byte_characters()

    def spelled(token: bytes) -> str:
        return "".join(map(spell.__getitem__, token))

    ranks = sorted(tokenizer.ranks.items(), key=lambda item: item[1])
    vocab = {spelled(token): rank for token, rank in ranks}
    clash = vocab.keys() & tokenizer.special_tokens.keys()
    if clash:
        raise TokenizerError(f"in this format a special token cannot be spelled like an ordinary one: {sorted(clash)}")
    token_of = {rank: token for token, rank in vocab.items()}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    pattern = pattern_of(tokenizer.pattern)
    split = {"type": "Split", "pattern": {"Regex": pattern.portable}, "behavior": "Isolated", "invert": False}
    pre_tokenizer = {"type": "Sequence", "pretokenizers": [split, byte_level]}
    if pattern is GPT2:
        # The pattern that is built in there: other programs that read such files know it by this form.
        pre_tokenizer = byte_level | {"use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    data = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": token_id, "content": name} | flags
            for name, token_id in sorted(tokenizer.special_tokens.items(), key=lambda item: item[1])
        ],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocab | tokenizer.special_tokens,
            "merges": [f"{token_of[left]} {token_of[right]}" for left, right in tokenizer.merges],
        },
    }
    with atomic_write(path) as file:
        json.dump(data, file, ensure_ascii=False, indent=1)
        file.write("\n")


def _byte_characters() -> dict[int, str]:
    # GPT-2's way to write bytes as characters one can see: those that Latin-1 shows stand for themselves, the others
    # for the characters from U+0100 on, in order.
    shown = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}


def class_differences() -> dict[str, list[tuple[int, int]]]:
    r"""Where `regex` and tiktoken class a character differently, as installed: they follow different Unicode versions.

    The ids of this package and of tiktoken are equal for all text without these characters.

    Returns:
        Class (`\p{L}` letters, `\p{N}` numbers, `\s` white space) to ranges of code points, first and last, that only
        one of the two counts into the class.
    """
    tiktoken = import_tiktoken()
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    single_bytes = {bytes([i]): i for i in range(256)}
    differences = {}
    for name in (r"\p{L}", r"\p{N}", r"\s"):
        # tiktoken drops what its pattern does not match.
        theirs = tiktoken.Encoding("class", pat_str=name, mergeable_ranks=single_bytes, special_tokens={})
        known = set(theirs.decode(theirs.encode_ordinary(every)))
        points = sorted(map(ord, known.symmetric_difference(regex.findall(name, every))))
        starts = [b for a, b in pairwise([-2, *points]) if b != a + 1]
        ends = [a for a, b in pairwise([*points, 0x110001]) if b != a + 1]
        differences[name] = list(zip(starts, ends, strict=True))
    return differences
