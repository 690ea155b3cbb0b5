"""One token for each character (chapter 2): the smallest alphabet that can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, Self

from minigpt.tokenizers.base import TokenizerError
from minigpt.tokenizers.vocabulary import (
    VocabularyTokenizer,
    append_special_tokens,
    ordinary_texts,
    require_room,
    require_tokens,
    special_names,
)


class CharTokenizer(VocabularyTokenizer):
    """One token for each character (Unicode code point) that the training texts hold.

    A character that they do not hold is an error if the vocabulary has no `"<unk>"`, and is encoded as `"<unk>"`
    (decoded by that name, so the character is lost) if it has one. Everything else comes back as it was.
    """

    kind = "char"

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int | None = None,
        *,
        min_count: int = 1,
        unknown: Literal["error", "replace"] = "error",
        special_tokens: Iterable[str] = (),
    ) -> Self:
        """Collect the characters of the texts; ids follow the code points, special tokens come last.

        Args:
            texts: the corpus, read once.
            vocab_size: at most so many tokens; the most frequent characters are kept. `None` keeps all.
            min_count: a character that occurs less often is left out.
            unknown: what `encode` does with other characters: `"error"` raises, `"replace"` gives id 0, `"<unk>"`.
            special_tokens: names of special tokens; they are cut out of the texts.

        Raises:
            TokenizerError: if the corpus is empty or `vocab_size` has no room for a single character.
        """
        if unknown not in ("error", "replace"):
            raise TokenizerError(f"unknown={unknown!r} is not known; use 'error' or 'replace'")
        names = special_names(special_tokens)
        counts: Counter[str] = Counter()
        for text in ordinary_texts(texts, names):
            counts.update(text)
        require_tokens(counts)
        fixed = [cls.unk_token] if unknown == "replace" else []
        extra = len(fixed) + len(names)
        if vocab_size is not None:
            require_room(vocab_size, extra + 1, f"{extra} fixed and special tokens and at least one character")
        ranked = sorted((char for char, n in counts.items() if n >= min_count), key=lambda char: (-counts[char], char))
        kept = ranked if vocab_size is None else ranked[: vocab_size - extra]
        return cls(*append_special_tokens(fixed + sorted(kept), names))

    def __init__(self, tokens: Iterable[str], special_tokens: dict[str, int] | None = None) -> None:
        super().__init__(tokens, special_tokens)
        for token, token_id in self._ids.items():
            if len(token) != 1 and token_id != self.unk_id:
                raise TokenizerError(f"token {token_id}, {token!r}, is not one character")

    def safe_end(self, text: str) -> int:
        return len(text)

    def _encode_ordinary(self, text: str) -> list[int]:
        try:
            return [self._ids[char] for char in text]
        except KeyError:
            if self.unk_id is not None:
                return [self._ids.get(char, self.unk_id) for char in text]
        position = next(i for i, char in enumerate(text) if char not in self._ids)
        raise TokenizerError(
            f"the character {text[position]!r} at position {position} is not among the {len(self._ids)} of this "
            "vocabulary; train on text that holds it, or with unknown='replace'"
        )

    @property
    def joins_bytes(self) -> bool:
        return True

    def _decode_ids(self, ids: Sequence[int], errors: Literal["replace", "strict"]) -> str:
        return "".join([self.tokens[i] for i in ids])
