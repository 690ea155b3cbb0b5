"""What every tokenizer of the course can do: text to ids, ids to text, and a file that a person can read."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import regex

from minigpt.files import atomic_write

FORMAT = "minigpt-tokenizer"
VERSION = 1
_STREAM_LENGTH = 1 << 16


class TokenizerError(ValueError):
    """Something a tokenizer was given does not fit; the message says what was given and what to do."""


class Tokenizer(ABC):
    """A map between text and lists of token ids `0 <= id < vocab_size`.

    Special tokens (such as `"<|endoftext|>"`) have ids of their own. Ordinary text never produces one, not even text
    that spells its name, unless the caller allows it by name in `allowed_special`.

    A subclass sets `kind`, fills `special_tokens`, and implements `vocab_size`, `token_bytes`, `_encode_ordinary`,
    `_decode_ids` and the pair `_to_dict` / `_from_dict`; everything else is here.
    """

    kind: ClassVar[str]
    _kinds: ClassVar[dict[str, type[Tokenizer]]] = {}

    special_tokens: dict[str, int]
    """Special token to its id."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            Tokenizer._kinds[cls.kind] = cls

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of ids, special tokens included."""

    @abstractmethod
    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that one token stands for (a special token: its name in UTF-8).

        Raises:
            TokenizerError: if the id is out of range.
        """

    @abstractmethod
    def _encode_ordinary(self, text: str) -> list[int]:
        """Ids of a text in which nothing is special."""

    @abstractmethod
    def _decode_ids(self, ids: Sequence[int], errors: Literal["replace", "strict"]) -> str:
        """Text of ids that are all in range."""

    @abstractmethod
    def _to_dict(self) -> dict[str, Any]:
        """What the file holds besides the header and the special tokens, as JSON values."""

    @classmethod
    @abstractmethod
    def _from_dict(cls, data: Mapping[str, Any], special_tokens: dict[str, int]) -> Self:
        """The inverse of `_to_dict`."""

    @property
    def joins_bytes(self) -> bool:
        """Whether a text is nothing but the bytes of its tokens, one behind the other."""
        return False

    def encode(self, text: str, *, allowed_special: Collection[str] | Literal["all"] = ()) -> list[int]:
        """Turn a text into token ids.

        Args:
            text: any `str` that UTF-8 can hold.
            allowed_special: names of the special tokens that may be recognised in `text`, or `"all"`. By default none:
                a text that spells `<|endoftext|>` is encoded as the characters it consists of.

        Raises:
            TokenizerError: if `text` is not a `str`, holds a lone surrogate, or an allowed name is no special token.
        """
        if not isinstance(text, str):
            raise TokenizerError(f"encode takes a str, not {type(text).__name__}; use encode_batch for many texts")
        reject_surrogates(text)
        names = self._allowed(allowed_special)
        if not names:
            return self._encode_ordinary(text)
        ids: list[int] = []
        end = 0
        for match in _any_of(names).finditer(text):
            ids += self._encode_ordinary(text[end : match.start()])
            ids.append(self.special_tokens[match.group()])
            end = match.end()
        return ids + self._encode_ordinary(text[end:])

    def encode_batch(
        self, texts: Iterable[str], *, allowed_special: Collection[str] | Literal["all"] = ()
    ) -> list[list[int]]:
        """`encode` for each of several texts."""
        if isinstance(texts, str):
            raise TokenizerError("encode_batch takes several texts, not one str; use encode, or wrap it in a list")
        return [self.encode(text, allowed_special=allowed_special) for text in texts]

    def encode_stream(
        self, chunks: Iterable[str], *, allowed_special: Collection[str] | Literal["all"] = ()
    ) -> Iterator[list[int]]:
        """`encode` for a text that comes in chunks, cut anywhere; the lists, joined, are the ids of the whole text.

        Memory holds a part of the text that grows only where `safe_end` finds no place to cut.
        """
        if isinstance(chunks, str):
            raise TokenizerError("encode_stream takes chunks of a text, not one str; use encode, or wrap it in a list")
        names = self._allowed(allowed_special)
        parts: list[str] = []
        length, wanted = 0, _STREAM_LENGTH
        for chunk in chunks:
            if not isinstance(chunk, str):
                raise TokenizerError(f"encode_stream takes chunks of str, not {type(chunk).__name__}")
            parts.append(chunk)
            length += len(chunk)
            if length < wanted:
                continue
            text = "".join(parts)
            end = self._safe_end_beside(names, text)
            if end:
                yield self.encode(text[:end], allowed_special=names)
            parts, length = [text[end:]], len(text) - end
            # What could not be cut is looked at again when it has doubled, so that the time stays in proportion.
            wanted = _STREAM_LENGTH + 2 * length
        if length:
            yield self.encode("".join(parts), allowed_special=names)

    def safe_end(self, text: str) -> int:
        """The last place, from 1 to `len(text)`, where a text that begins with `text` can be cut, or 0.

        It can be cut at `end` if, whatever follows, the ids of the whole are those of `text[:end]` and those of the
        rest, one behind the other. A subclass that knows such places says so; by default there are none.
        """
        return 0

    def _safe_end_beside(self, names: Collection[str], text: str) -> int:
        # A special token separates what stands before it from what follows. Names that begin in the last `longest`
        # characters may go on behind the text, so nothing is decided there.
        if not names:
            return self.safe_end(text)
        longest = max(map(len, names))
        start = 0
        for match in _any_of(names).finditer(text):
            if match.start() > len(text) - longest:
                break
            start = match.end()
        return start + self.safe_end(text[start : max(start, len(text) - longest + 1)])

    def decode(self, ids: Sequence[int], *, errors: Literal["replace", "strict"] = "replace") -> str:
        """Turn token ids back into text.

        Args:
            ids: integers in `0 <= id < vocab_size`.
            errors: what to do where the bytes of the ids are not valid UTF-8: `"replace"` puts U+FFFD, `"strict"`
                raises `UnicodeDecodeError`.

        Raises:
            TokenizerError: if an id is no integer or out of range.
        """
        if errors not in ("replace", "strict"):
            raise TokenizerError(f"errors={errors!r} is not known; use 'replace' or 'strict'")
        checked = list(ids)
        if set(map(type, checked)) - {int} or (checked and not 0 <= min(checked) <= max(checked) < self.vocab_size):
            checked = [self._checked_id(i, position) for position, i in enumerate(checked)]
        return self._decode_ids(checked, errors)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to a JSON file; a file that is there is replaced in one step or not at all."""
        header = {"format": FORMAT, "version": VERSION, "kind": self.kind, "special_tokens": self.special_tokens}
        with atomic_write(path) as file:
            json.dump(header | self._to_dict(), file, ensure_ascii=False, indent=1)
            file.write("\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a tokenizer that `save` wrote. Called on `Tokenizer`, it returns whichever kind the file holds.

        Raises:
            TokenizerError: if the file is no tokenizer file, damaged, of a newer version, or of another kind.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise TokenizerError(f"{str(path)!r} is not readable as JSON ({error}); was it cut short?") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise TokenizerError(f"{str(path)!r} is not a {FORMAT} file; such a file is written by Tokenizer.save")
        if data.get("version") != VERSION:
            raise TokenizerError(
                f"{str(path)!r} has version {data.get('version')!r}, this minigpt reads {VERSION}; update one of them"
            )
        kind = Tokenizer._kinds.get(str(data.get("kind")))
        if kind is None or not issubclass(kind, cls):
            raise TokenizerError(f"{str(path)!r} holds a tokenizer of kind {data.get('kind')!r}, not a {cls.__name__}")
        try:
            return kind._from_dict(data, checked_special_tokens(data["special_tokens"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise TokenizerError(f"{str(path)!r} is damaged: {type(error).__name__}: {error}") from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={self.vocab_size})"

    def _allowed(self, allowed_special: Collection[str] | Literal["all"]) -> Collection[str]:
        if isinstance(allowed_special, str):
            if allowed_special == "all":
                return self.special_tokens
            raise TokenizerError(f"allowed_special={allowed_special!r}: give 'all' or a collection of names")
        unknown = [name for name in allowed_special if name not in self.special_tokens]
        if unknown:
            raise TokenizerError(f"{unknown} are not special tokens here; there are {sorted(self.special_tokens)}")
        return allowed_special

    def _checked_id(self, token_id: int, position: int | None = None) -> int:
        where = "" if position is None else f" at position {position}"
        if isinstance(token_id, bool) or not hasattr(token_id, "__index__"):
            raise TokenizerError(f"token id {token_id!r}{where} is not an integer")
        index = token_id.__index__()
        if not 0 <= index < self.vocab_size:
            raise TokenizerError(
                f"token id {index}{where} is out of range; this vocabulary has 0 to {self.vocab_size - 1}"
            )
        return index


def _any_of(names: Collection[str]) -> regex.Pattern[str]:
    # Where one name begins another, the longer one is meant.
    return regex.compile("|".join(regex.escape(name) for name in sorted(names, key=len, reverse=True)))


def checked_special_tokens(special_tokens: Mapping[str, int]) -> dict[str, int]:
    """A copy of `special_tokens`, or an error that says what is wrong with it."""
    result = dict(special_tokens)
    for name, token_id in result.items():
        if not isinstance(name, str) or not name:
            raise TokenizerError(f"special token {name!r}: a name is a str that is not empty")
        if isinstance(token_id, bool) or not isinstance(token_id, int) or token_id < 0:
            raise TokenizerError(f"special token {name!r} has id {token_id!r}; ids are integers from 0")
    if len(set(result.values())) != len(result):
        raise TokenizerError(f"two special tokens share an id: {result}")
    return result


def reject_surrogates(text: str) -> None:
    """Raise an error with the position of the first lone surrogate, if the text has one."""
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"the text has a lone surrogate {text[error.start]!a} at position {error.start}, which UTF-8 cannot hold; "
            "clean it with text.encode('utf-8', 'replace').decode('utf-8')"
        ) from error
