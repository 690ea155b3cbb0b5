"""Tokenizers whose vocabulary is a list of strings: what words, characters and WordPiece have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import regex

from minigpt.tokenizers.base import Tokenizer, TokenizerError, checked_special_tokens, reject_surrogates


class VocabularyTokenizer(Tokenizer):
    """A tokenizer with one string for each id.

    Args:
        tokens: the string of each id, in the order of the ids, special tokens included at their places.
        special_tokens: name to id for those of `tokens` that are special. Text never produces them.

    Raises:
        TokenizerError: if an ordinary token is there twice, or a special token is not in its place.
    """

    unk_token: ClassVar[str] = "<unk>"

    def __init__(self, tokens: Iterable[str], special_tokens: Mapping[str, int] | None = None) -> None:
        self.tokens = tuple(tokens)
        self.special_tokens = checked_special_tokens(special_tokens or {})
        for name, token_id in self.special_tokens.items():
            if token_id >= len(self.tokens) or self.tokens[token_id] != name:
                raise TokenizerError(f"special token {name!r} has id {token_id}, but it is not the token at that place")
        special_ids = set(self.special_tokens.values())
        self._ids: dict[str, int] = {}
        for token_id, token in enumerate(self.tokens):
            if not isinstance(token, str) or not token:
                raise TokenizerError(f"token {token_id} is {token!r}; a token is a str that is not empty")
            if token_id in special_ids:
                continue
            if token in self._ids:
                raise TokenizerError(f"{token!r} is token {self._ids[token]} and token {token_id}; list it once")
            self._ids[token] = token_id
        self.unk_id: int | None = self._ids.get(self.unk_token)

    @property
    def vocab_size(self) -> int:
        return len(self.tokens)

    def token_to_id(self, token: str) -> int:
        """Id of a token, or of a special token by its name.

        Raises:
            TokenizerError: if there is no such token.
        """
        token_id = self._ids.get(token, self.special_tokens.get(token))
        if token_id is None:
            raise TokenizerError(f"{token!r} is not in the vocabulary of {len(self.tokens)} tokens")
        return token_id

    def token_bytes(self, token_id: int) -> bytes:
        return self.tokens[self._checked_id(token_id)].encode("utf-8")

    def _to_dict(self) -> dict[str, Any]:
        return {"tokens": list(self.tokens)}

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any], special_tokens: dict[str, int]) -> VocabularyTokenizer:
        return cls(listed(data, "tokens"), special_tokens)


def listed(data: Mapping[str, Any], key: str) -> list[Any]:
    """The list under `key` of a file's data, or an error: a str would pass for a list of characters."""
    if not isinstance(data[key], list):
        raise TokenizerError(f"{key!r} holds a {type(data[key]).__name__}, not a list")
    return data[key]


def switch(data: Mapping[str, Any], key: str) -> bool:
    """The truth value under `key` of a file's data, or an error."""
    if not isinstance(data[key], bool):
        raise TokenizerError(f"{key!r} holds {data[key]!r}, not true or false")
    return data[key]


def append_special_tokens(tokens: Sequence[str], names: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """`tokens` followed by the special tokens, and the ids that these then have."""
    names = special_names(names)
    return [*tokens, *names], {name: len(tokens) + i for i, name in enumerate(names)}


def special_names(names: Iterable[str]) -> list[str]:
    """The names of special tokens as a list, or an error if they are one str, repeat themselves, or are no names."""
    if isinstance(names, str):
        raise TokenizerError(f"special_tokens={names!r} is one str; give a collection of names, such as [{names!r}]")
    result = list(names)
    for name in result:
        if not isinstance(name, str) or not name:
            raise TokenizerError(f"special token {name!r}: a name is a str that is not empty")
    if len(set(result)) != len(result):
        raise TokenizerError(f"special_tokens={result} names one of them twice")
    return result


def checked_texts(texts: Iterable[str]) -> Iterator[str]:
    """The texts of a corpus one by one; an error if they are one str, or if one of them is no str."""
    if isinstance(texts, str | bytes):
        raise TokenizerError(
            f"train takes an iterable of texts, not one {type(texts).__name__}; wrap it in a list: [text]"
        )
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TokenizerError(f"text {position} of the corpus is of type {type(text).__name__}, not str")
        yield text


def ordinary_texts(texts: Iterable[str], special_tokens: Collection[str] = ()) -> Iterator[str]:
    """The parts of a corpus to learn from: its texts, with the names of special tokens cut out."""
    names = map(regex.escape, sorted(special_tokens, key=len, reverse=True))
    parts = regex.compile("|".join(names)).split if special_tokens else lambda text: [text]
    for text in checked_texts(texts):
        reject_surrogates(text)
        yield from parts(text)


def require_tokens(found: Collection[str]) -> None:
    """Raise if a corpus held nothing to learn from."""
    if not found:
        raise TokenizerError("the corpus is empty: none of its texts holds anything to learn from; give it some text")


def require_room(vocab_size: int, needed: int, reason: str) -> None:
    """Raise if a vocabulary of `vocab_size` cannot hold the `needed` tokens that it must have."""
    if isinstance(vocab_size, bool) or not isinstance(vocab_size, int):
        raise TokenizerError(f"vocab_size={vocab_size!r} is not an integer")
    if vocab_size < needed:
        raise TokenizerError(f"vocab_size={vocab_size} is too small; it must be at least {needed}: {reason}")
