"""One token for each word (chapter 2): short sequences, a huge vocabulary, and words that it has never seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self

import regex

from minigpt.tokenizers.base import TokenizerError
from minigpt.tokenizers.vocabulary import (
    VocabularyTokenizer,
    append_special_tokens,
    ordinary_texts,
    require_room,
    require_tokens,
    special_names,
)

_WORD = r"[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}\p{N}_]+)*"
_PIECE = regex.compile(rf"{_WORD}|.", regex.DOTALL)
_CLOSING = frozenset(".,:;!?…)]}”»%")
_OPENING = frozenset("([{“«")


class WordTokenizer(VocabularyTokenizer):
    """Words, and every other character by itself.

    **Cutting.** A word is a run of letters, marks, digits and underscores, with apostrophes inside (`don't`). Every
    other character, be it punctuation or a space, is a piece of its own.

    **Spaces.** A space is *implied*, and costs no token, between two neighbours of which the left one is a word or a
    closing mark (one of `.,:;!?…)]}”»%`) and the right one is a word or an opening mark (one of `([{“«`). A space that
    stands elsewhere is the token `" "`; an implied space that the text does not have is the token `"<join>"`. So
    every text comes back exactly, as long as all its pieces are in the vocabulary.

    **Unknown pieces** become `"<unk>"`, which is decoded by that name and counts as a word.
    """

    kind = "word"
    join_token: ClassVar[str] = "<join>"

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int | None = None,
        *,
        min_count: int = 1,
        special_tokens: Iterable[str] = (),
    ) -> Self:
        """Collect the words of the texts, the frequent ones first (ties in the order of code points).

        The vocabulary begins with `"<unk>"`, `"<join>"` and `" "`; special tokens come last.

        Args:
            texts: the corpus, read once; memory grows with the number of distinct words.
            vocab_size: at most so many tokens. `None` keeps all.
            min_count: a piece that occurs less often is left out.
            special_tokens: names of special tokens; they are cut out of the texts.

        Raises:
            TokenizerError: if the corpus is empty or `vocab_size` has no room for the fixed and special tokens.
        """
        names = special_names(special_tokens)
        counts: Counter[str] = Counter()
        for text in ordinary_texts(texts, names):
            counts.update(_PIECE.findall(text))
        require_tokens(counts)
        fixed = [cls.unk_token, cls.join_token, " "]
        extra = len(fixed) + len(names)
        if vocab_size is not None:
            require_room(vocab_size, extra, f"'<unk>', '<join>', ' ' and {len(names)} special tokens")
        del counts[" "]
        ranked = sorted((piece for piece, n in counts.items() if n >= min_count), key=lambda p: (-counts[p], p))
        kept = ranked if vocab_size is None else ranked[: vocab_size - extra]
        return cls(*append_special_tokens(fixed + kept, names))

    def __init__(self, tokens: Iterable[str], special_tokens: Mapping[str, int] | None = None) -> None:
        super().__init__(tokens, special_tokens)
        try:
            self.unk_id, self._join, self._space = (self._ids[t] for t in (self.unk_token, self.join_token, " "))
        except KeyError as error:
            raise TokenizerError(f"a word vocabulary needs the token {error.args[0]!r}") from error
        ordinary = set(self._ids.values()) - {self._join}
        words = {self.unk_id} | {i for i in ordinary if regex.match(_WORD, self.tokens[i])}
        self._implies_after = words | {i for i in ordinary if self.tokens[i] in _CLOSING}
        self._implies_before = words | {i for i in ordinary if self.tokens[i] in _OPENING}

    def _implied(self, left: int, right: int) -> bool:
        return left in self._implies_after and right in self._implies_before

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of one token: those of `"<join>"` are none, and implied spaces belong to no token."""
        return b"" if self._checked_id(token_id) == self._join else super().token_bytes(token_id)

    def safe_end(self, text: str) -> int:
        # Behind a known character after which no space is implied, such as a line end. A space may yet turn out to be
        # implied, and an apostrophe to stand inside a word.
        for end in range(len(text), 0, -1):
            token_id = self._ids.get(text[end - 1])
            if token_id is not None and token_id not in self._implies_after and text[end - 1] not in " '’":
                return end
        return 0

    def _encode_ordinary(self, text: str) -> list[int]:
        pieces = [self._ids.get(piece, self.unk_id) for piece in _PIECE.findall(text)]
        ids: list[int] = []
        for left, piece, right in zip([None, *pieces], pieces, [*pieces[1:], None], strict=False):
            if piece == self._space and left is not None and right is not None and self._implied(left, right):
                continue
            if left is not None and self._implied(left, piece):
                ids.append(self._join)
            ids.append(piece)
        return ids

    def _decode_ids(self, ids: Sequence[int], errors: Literal["replace", "strict"]) -> str:
        parts: list[str] = []
        left = self._join
        for i in ids:
            if self._implied(left, i):
                parts.append(" ")
            if i != self._join:
                parts.append(self.tokens[i])
            left = i
        return "".join(parts)
