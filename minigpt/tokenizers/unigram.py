"""The Unigram model (chapter 2): of all ways to cut a text into pieces, take the most probable one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import Any, Literal, Self

import regex

from minigpt.tokenizers.base import TokenizerError, reject_surrogates
from minigpt.tokenizers.cache import Cache
from minigpt.tokenizers.lattice import Edge, Trie, best_path, best_paths, random_path
from minigpt.tokenizers.unigram_training import SPACE, count_chunks, learn_pieces
from minigpt.tokenizers.vocabulary import (
    VocabularyTokenizer,
    append_special_tokens,
    listed,
    ordinary_texts,
    require_room,
    require_tokens,
    special_names,
    switch,
)

_UNK_PENALTY = 10.0
_CACHE_SIZE = 1 << 16
_SWAPPED = str.maketrans({SPACE: " ", " ": SPACE})
_UNIT = regex.compile(r" [^ ]*|[^ ]+")
_BYTE = regex.compile(r"<0x([0-9A-F]{2})>")


class UnigramTokenizer(VocabularyTokenizer):
    """Every piece has a score, its log-probability; the score of a cut is the sum; `encode` finds the best cut.

    **Spaces.** A space belongs to the word that follows it, and is written `▁` in the names of pieces. No piece holds
    a space behind its first character, so the text is cut before every space and each part is solved by itself
    (Viterbi). Other white space is a character like any other.

    **Unknown characters.** A character that is no piece by itself may be covered by a stand-in whose score is 10 below
    the worst one. With `byte_fallback` it is encoded as its bytes in UTF-8, for which the vocabulary has the tokens
    `<0x00>` to `<0xFF>`, and `decode(encode(text)) == text` for every text; a `▁` in the text is then three bytes,
    never a space. Without it, a run of such characters within a part becomes one `"<unk>"`.

    Ids are those of Hugging Face's `Unigram` behind `Metaspace`, except where a text spells the name of a byte token
    or of a special token, or holds a `▁`: there, theirs takes the name for the token and the `▁` for a space.

    Source: Kudo (2018), "Subword Regularization", section 3; scores, fallback and the sign `▁` as in SentencePiece.

    Args:
        pieces: name and score (log-probability, base e) of each id, special tokens included. The scores of
            `"<unk>"`, of byte tokens and of special tokens are not used.
        special_tokens: name to id for those that are special.
        byte_fallback: encode unknown characters as bytes.
        add_prefix_space: put a space in front of every text (as published SentencePiece models mostly do, so that a
            word at the start is the same token as elsewhere); `decode` takes it away.
    """

    kind = "unigram"

    def __init__(
        self,
        pieces: Iterable[tuple[str, float]],
        special_tokens: Mapping[str, int] | None = None,
        *,
        byte_fallback: bool = False,
        add_prefix_space: bool = False,
    ) -> None:
        pieces = list(pieces)
        names, scores = [name for name, _ in pieces], [score for _, score in pieces]
        super().__init__(names, special_tokens)
        self.scores = tuple(map(_checked_score, names, scores))
        self.byte_fallback = byte_fallback
        self.add_prefix_space = add_prefix_space
        bytes_of = {i: int(m[1], 16) for name, i in self._ids.items() if (m := _BYTE.fullmatch(name))}
        self._byte_ids = {value: i for i, value in bytes_of.items()} if byte_fallback else {}
        if byte_fallback and len(self._byte_ids) < 256:
            raise TokenizerError(f"byte_fallback needs the 256 tokens <0x00> to <0xFF>; {len(bytes_of)} are there")
        if self.unk_id is None and not byte_fallback:
            raise TokenizerError(f"without byte_fallback a Unigram vocabulary needs the token {self.unk_token!r}")
        self._reserved = {self.unk_id, *self._byte_ids.values()}
        matched = {name: i for name, i in self._ids.items() if i not in self._reserved}
        if not matched:
            raise TokenizerError("a Unigram vocabulary needs at least one piece besides reserved and special tokens")
        self._unk_score = min(self.scores[i] for i in matched.values()) - _UNK_PENALTY
        # A space in a text is looked up as ▁, and a ▁ in a text is no space: neither may match as it is spelled.
        spelled = {name.translate(_SWAPPED): (i, self.scores[i]) for name, i in matched.items()}
        self._trie = Trie(spelled, self._unk_score)
        special = set(self.special_tokens.values())
        self._bytes = [
            bytes([bytes_of[i]])
            if byte_fallback and i in bytes_of
            else (name if i in special else name.translate(_SWAPPED)).encode("utf-8")
            for i, name in enumerate(self.tokens)
        ]
        self._ids_of_unit = Cache(self._encode_unit, _CACHE_SIZE)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        *,
        byte_fallback: bool = True,
        add_prefix_space: bool = False,
        character_coverage: float = 0.9995,
        max_piece_length: int = 16,
        special_tokens: Iterable[str] = (),
        progress: bool = False,
    ) -> Self:
        """Start from all frequent substrings, then in turn fit their probabilities (EM) and drop those missed least.

        Candidates are runs of letters, of digits or of other characters, with at most one space in front, or single
        white-space characters. The vocabulary is `"<unk>"`, the byte tokens if there are any, the pieces from the best
        score to the worst, and the special tokens.

        Args:
            texts: the corpus, read once; time and memory grow with its distinct words (made for some megabytes).
            vocab_size: at most so many tokens; less if the corpus has fewer frequent substrings.
            byte_fallback, add_prefix_space: as for the class.
            character_coverage: share of the text, from 0 to 1, whose characters become pieces of their own, the
                frequent ones first.
            max_piece_length: longest piece, in characters.
            special_tokens: names of special tokens; they are cut out of the texts.
            progress: show a bar.

        Raises:
            TokenizerError: if the corpus is empty or `vocab_size` has no room for the characters.
        """
        if not 0 < character_coverage <= 1:
            raise TokenizerError(f"character_coverage={character_coverage} is not in the range from 0 to 1")
        if max_piece_length < 1:
            raise TokenizerError(f"max_piece_length={max_piece_length} must be at least 1")
        names = special_names(special_tokens)
        reserved = [cls.unk_token, *([f"<0x{value:02X}>" for value in range(256)] if byte_fallback else [])]
        chunks, alphabet = count_chunks(
            (_prefixed(text, add_prefix_space) for text in ordinary_texts(texts, names)), character_coverage
        )
        require_tokens(alphabet)
        require_room(
            vocab_size,
            len(reserved) + len(alphabet) + len(names),
            f"{len(reserved)} reserved tokens, {len(alphabet)} characters and {len(names)} special tokens "
            "(a lower character_coverage needs fewer)",
        )
        learned = learn_pieces(
            chunks,
            alphabet,
            vocab_size - len(reserved) - len(names),
            max_piece_length=max_piece_length,
            progress=progress,
        )
        scores = {piece.replace(" ", SPACE): score for piece, score in learned}
        tokens, special = append_special_tokens([*reserved, *scores], names)
        return cls(
            [(token, scores.get(token, 0.0)) for token in tokens],
            special,
            byte_fallback=byte_fallback,
            add_prefix_space=add_prefix_space,
        )

    def token_bytes(self, token_id: int) -> bytes:
        return self._bytes[self._checked_id(token_id)]

    def safe_end(self, text: str) -> int:
        # A cut in front of a space; with a prefix, the second part would get a space that the whole does not have.
        return 0 if self.add_prefix_space else max(text.rfind(" "), 0)

    def score(self, ids: Iterable[int]) -> float:
        """Log-probability (base e) of a cut: the sum of the scores of its tokens.

        An `"<unk>"`, and the bytes of a character together, have the score of the stand-in; special tokens have none.
        """
        return math.fsum(self._score_of(self._checked_id(i)) for i in ids)

    def nbest(self, text: str, n: int) -> list[tuple[list[int], float]]:
        """The `n` most probable cuts of a text, best first, as ids and log-probability; fewer if there are fewer.

        Unknown characters count as pieces of one character here, also where `encode` makes one `"<unk>"` of several.
        """
        if n < 1:
            raise TokenizerError(f"n={n} must be at least 1")
        # A chain is the pair of the chain before a unit and the ids of the unit, so that chains share their beginnings.
        best: list[tuple[float, Any]] = [(0.0, None)]
        for unit in self._units(text):
            cuts = [
                (score, [i for edge in path for i in self._ids_of([edge], unit)])
                for score, path in best_paths(self._trie, unit, n)
            ]
            sums = [(before + score, (chain, ids)) for before, chain in best for score, ids in cuts]
            best = nlargest(n, sums, key=itemgetter(0))
        return [(_unchained(chain), score) for score, chain in best]

    def sample(self, text: str, seed: int | random.Random, *, alpha: float = 1.0) -> list[int]:
        """Ids of a cut drawn at random, with probability in proportion to `exp(alpha * log-probability)`.

        A model that sees the same text cut in several ways learns to bear with misspellings and rare words (subword
        regularisation, Kudo 2018, section 3.3).

        Args:
            text: any text.
            seed: a seed, or a `random.Random` whose state moves on, for a new cut each time.
            alpha: 0 draws all cuts alike, 1 by their probability, a large value nearly always the best one.
        """
        if alpha < 0:
            raise TokenizerError(f"alpha={alpha} must not be negative")
        rng = seed if isinstance(seed, random.Random) else random.Random(seed)
        return [i for unit in self._units(text) for i in self._ids_of(random_path(self._trie, unit, rng, alpha), unit)]

    def _units(self, text: str) -> list[str]:
        if not isinstance(text, str):
            raise TokenizerError(f"a text is a str, not {type(text).__name__}")
        reject_surrogates(text)
        return _UNIT.findall(_prefixed(text, self.add_prefix_space))

    def _encode_ordinary(self, text: str) -> list[int]:
        ids: list[int] = []
        for unit in _UNIT.findall(_prefixed(text, self.add_prefix_space)):
            ids += self._ids_of_unit[unit]
        return ids

    def _encode_unit(self, unit: str) -> tuple[int, ...]:
        return tuple(self._ids_of(best_path(self._trie, unit), unit))

    def _ids_of(self, path: Iterable[Edge], text: str) -> Iterator[int]:
        unknown = False
        for edge in path:
            if edge.token_id is not None:
                yield edge.token_id
            elif self.byte_fallback:
                for value in text[edge.start : edge.end].encode("utf-8"):
                    yield self._byte_ids[value]
            elif not unknown:
                yield self.unk_id
            unknown = edge.token_id is None

    def _score_of(self, token_id: int) -> float:
        if token_id in self._reserved:
            # The bytes 0x80 to 0xBF continue a character in UTF-8.
            continues = self.byte_fallback and 0x80 <= self._bytes[token_id][0] < 0xC0
            return 0.0 if continues else self._unk_score
        return 0.0 if token_id in self.special_tokens.values() else self.scores[token_id]

    @property
    def joins_bytes(self) -> bool:
        return not self.add_prefix_space

    def _decode_ids(self, ids: Sequence[int], errors: Literal["replace", "strict"]) -> str:
        if not self.add_prefix_space:
            return b"".join([self._bytes[i] for i in ids]).decode("utf-8", errors)
        special = set(self.special_tokens.values())
        parts: list[bytes] = []
        at_start = True
        for i in ids:
            data = self._bytes[i]
            parts.append(data.removeprefix(b" ") if at_start else data)
            at_start = i in special
        return b"".join(parts).decode("utf-8", errors)

    def _to_dict(self) -> dict[str, Any]:
        return {
            "byte_fallback": self.byte_fallback,
            "add_prefix_space": self.add_prefix_space,
            "pieces": [list(piece) for piece in zip(self.tokens, self.scores, strict=True)],
        }

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any], special_tokens: dict[str, int]) -> Self:
        options = {key: switch(data, key) for key in ("byte_fallback", "add_prefix_space")}
        return cls([(name, score) for name, score in listed(data, "pieces")], special_tokens, **options)


def _prefixed(text: str, add_prefix_space: bool) -> str:
    return f" {text}" if add_prefix_space and text else text


def _unchained(chain: Any) -> list[int]:
    parts: list[list[int]] = []
    while chain:
        chain, ids = chain
        parts.append(ids)
    return [i for ids in reversed(parts) for i in ids]


def _checked_score(name: str, score: float) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise TokenizerError(f"the score of {name!r} is {score!r}; a score is a finite number, a log-probability")
    return float(score)
