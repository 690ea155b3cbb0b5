"""Byte-level byte-pair encoding (Sennrich et al., 2016; over bytes: Radford et al., 2019)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, Self

from tqdm import tqdm

from minigpt.tokenizers import bpe_convert
from minigpt.tokenizers.base import Tokenizer, TokenizerError, checked_special_tokens
from minigpt.tokenizers.bpe_merge import MergeTree, PieceMerger, merge_trees
from minigpt.tokenizers.bpe_train import MAX_VOCAB_SIZE, train_merges
from minigpt.tokenizers.byte import N_BYTES
from minigpt.tokenizers.cache import Cache
from minigpt.tokenizers.patterns import pattern_of
from minigpt.tokenizers.pretokenize import count_pieces
from minigpt.tokenizers.unit_table import UnitTable
from minigpt.tokenizers.vocabulary import append_special_tokens, listed, require_room, require_tokens, special_names

if TYPE_CHECKING:
    import tiktoken

# For a text of fewer characters, a dictionary is faster than arrays.
_SHORT = 512


class BPETokenizer(Tokenizer):
    """A text is cut into pieces by a pattern; in the bytes of a piece, neighbours are joined by learned merges.

    `decode(encode(text)) == text` for every text that UTF-8 can hold.

    Args:
        ranks: token to rank, which is its id as well: of the pairs of neighbours that make a token, the one whose
            token has the lowest rank is joined first. Every single byte must be a token.
        pattern: `"gpt2"`, `"cl100k"`, or a regular expression in the syntax of the module `regex`.
        special_tokens: name to id.
        cache_size: how many units of text have their ids remembered (see `Cache` and `UnitTable`).

    Raises:
        TokenizerError: if a byte has no token, two tokens share an id, or an id is no integer from 0.
    """

    kind = "bpe"

    def __init__(
        self,
        ranks: Mapping[bytes, int],
        pattern: str = "gpt2",
        special_tokens: Mapping[str, int] | None = None,
        *,
        cache_size: int = 1 << 17,
    ) -> None:
        self.special_tokens = checked_special_tokens(special_tokens or {})
        self._pattern = pattern_of(pattern)
        self._ranks = dict(ranks)
        self._tokens = {rank: token for token, rank in self._ranks.items()}
        self._tokens.update((rank, name.encode("utf-8")) for name, rank in self.special_tokens.items())
        self._check_vocabulary()
        self._cache_size = cache_size
        if cache_size < 1:
            raise TokenizerError(f"cache_size={cache_size} is too small; it must be at least 1")
        self._merge = PieceMerger(self._ranks)
        self._piece_ids = Cache(self._encode_piece, cache_size)
        self._unit_ids = Cache(self._encode_unit, cache_size) if self._pattern.unit else self._piece_ids

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        *,
        pattern: str = "gpt2",
        special_tokens: Iterable[str] = (),
        max_pretokens: int | None = None,
        progress: bool = False,
    ) -> Self:
        """Learn the merges from a corpus that may be larger than memory.

        The ids are the 256 bytes, the merges in the order in which they are learned, then the special tokens. The pair
        that is most frequent is merged; of equally frequent ones, the smaller (see `train_bpe_naive`). If every piece
        of the corpus becomes one token before `vocab_size` is reached, the vocabulary is smaller.

        Args:
            texts: read once, one at a time. Merges do not reach from one text into the next.
            vocab_size: number of ids, bytes and special tokens included.
            pattern: `"gpt2"`, `"cl100k"`, or a regular expression in the syntax of the module `regex`.
            special_tokens: names, in the order of their ids. They are cut out of the texts.
            max_pretokens: a bound on the distinct pieces held in memory; when there are more, the rarest are forgotten
                (see `count_pieces`). By default all are held.
            progress: show a progress bar.

        Raises:
            TokenizerError: if `vocab_size` has no room for the bytes and the special tokens, or the corpus is empty.
        """
        names = special_names(special_tokens)
        special = f"{len(names)} special token{'' if len(names) == 1 else 's'}"
        require_room(vocab_size, N_BYTES + len(names), f"{N_BYTES} bytes and {special}")
        if vocab_size > MAX_VOCAB_SIZE:
            raise TokenizerError(f"vocab_size={vocab_size} is too large; train makes at most {MAX_VOCAB_SIZE} tokens")
        if max_pretokens is not None and max_pretokens < 2:
            raise TokenizerError(f"max_pretokens={max_pretokens} is too small; it must be at least 2")
        counts = count_pieces(texts, pattern_of(pattern), names, max_pretokens)
        require_tokens(counts)
        n_merges = vocab_size - N_BYTES - len(names)
        with tqdm(total=n_merges, desc="merges", disable=not progress) as bar:
            merges = train_merges(counts, n_merges, bar.update if progress else None)
        tokens = [bytes([i]) for i in range(N_BYTES)]
        for left, right in merges:
            tokens.append(tokens[left] + tokens[right])
        _, numbered = append_special_tokens(tokens, names)
        return cls({token: rank for rank, token in enumerate(tokens)}, pattern, numbered)

    def __reduce__(self) -> tuple[Any, ...]:
        # What is remembered is left behind when the tokenizer goes to another process.
        return partial(type(self), cache_size=self._cache_size), (self._ranks, self.pattern, self.special_tokens)

    @classmethod
    def from_tiktoken(
        cls,
        source: tiktoken.Encoding | str | os.PathLike[str],
        *,
        pattern: str | None = None,
        special_tokens: Mapping[str, int] | None = None,
    ) -> Self:
        """The vocabulary of a tiktoken encoding, with the same ids.

        The ids are equal on all text whose characters `regex` and tiktoken class alike (`class_differences`).

        Args:
            source: a `tiktoken.Encoding`, the name of one (tiktoken then downloads it, unless it is in its cache), or
                the path of a `.tiktoken` file.
            pattern: needed with a file, which has none; else the encoding's own is taken.
            special_tokens: name to id; with a file, by default none; else the encoding's own.

        Raises:
            TokenizerError: if the source is none of these, the file is damaged, or its pattern is not given.
            ImportError: if tiktoken is needed and not installed.
        """
        ranks, own_pattern, own_special_tokens = bpe_convert.read_tiktoken(source)
        pattern = pattern or own_pattern
        if pattern is None:
            raise TokenizerError("a .tiktoken file has no pattern; give pattern='gpt2', 'cl100k' or an expression")
        return cls(ranks, pattern, own_special_tokens if special_tokens is None else special_tokens)

    def to_tiktoken(self, name: str = "minigpt") -> tiktoken.Encoding:
        """A `tiktoken.Encoding` with the same ids. (It drops text that a pattern of your own does not match.)

        Raises:
            ImportError: if tiktoken is not installed.
        """
        return bpe_convert.to_tiktoken(self, name)

    def to_hugging_face(self, path: str | os.PathLike[str]) -> None:
        """Write a `tokenizer.json` that `tokenizers.Tokenizer.from_file` reads and that gives the same ids.

        There, special tokens are always recognised in a text, as with `encode(text, allowed_special="all")`. A pattern
        of your own is written as it is, though the syntax there is another (Oniguruma).

        Raises:
            TokenizerError: if the vocabulary has a token that no merge makes (see `merges`).
        """
        bpe_convert.to_hugging_face(self, path)

    @property
    def joins_bytes(self) -> bool:
        return True

    @property
    def vocab_size(self) -> int:
        return self._vocab_size

    @property
    def pattern(self) -> str:
        """Name of the pattern, or the regular expression where it has none."""
        return self._pattern.name

    @property
    def ranks(self) -> dict[bytes, int]:
        """A copy of the map from token to id, special tokens left out."""
        return dict(self._ranks)

    @cached_property
    def merges(self) -> list[tuple[int, int]]:
        """The pairs of ids that are joined, in order.

        Raises:
            TokenizerError: if the vocabulary comes from elsewhere and holds a token that no merge of two others makes.
        """
        merges = []
        for token in sorted(self._ranks, key=self._ranks.__getitem__):
            if len(token) > 1:
                pair = self._merge.last_merge(token)
                if pair is None:
                    raise TokenizerError(f"no merge of two tokens makes token {self._ranks[token]}, {token!r}")
                merges.append((self._ranks[pair[0]], self._ranks[pair[1]]))
        return merges

    def pieces(self, text: str) -> list[str]:
        """The pieces into which the pattern cuts a text; no token reaches across their borders."""
        return self._pattern.pieces(text)

    def merge_steps(self, piece: str) -> list[list[bytes]]:
        """The parts of a piece: its single bytes first, then the parts after each merge; the last are its tokens."""
        return [[tree.token for tree in trees] for trees in merge_trees(self._one_piece(piece), self._ranks)]

    def merge_tree(self, piece: str) -> list[MergeTree]:
        """The tokens of a piece, each with the two tokens that were joined to it, down to single bytes."""
        *_, trees = merge_trees(self._one_piece(piece), self._ranks)
        return trees

    def token_bytes(self, token_id: int) -> bytes:
        token_id = self._checked_id(token_id)
        if token_id not in self._tokens:
            raise TokenizerError(f"token id {token_id} is not used in this vocabulary")
        return self._tokens[token_id]

    def safe_end(self, text: str) -> int:
        return self._pattern.safe_end(text)

    def _encode_ordinary(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in self._pattern.slices(text):
            if self._pattern.unit and _SHORT <= len(part) <= self._table.capacity and "\0" not in part:
                ids += self._table.encode(part)
            else:
                ids.extend(chain.from_iterable(map(self._unit_ids.__getitem__, self._pattern.units(part))))
        return ids

    @cached_property
    def _table(self) -> UnitTable:
        capacity = 1 << self._cache_size.bit_length()
        return UnitTable(self._encode_unit, self._pattern.line_ends, capacity)

    def _encode_unit(self, unit: str) -> Sequence[int]:
        piece_ids = self._piece_ids
        ids: list[int] = []
        for piece in self._pattern.pieces(unit):
            ids += piece_ids[piece]
        return ids

    def _encode_piece(self, piece: str) -> tuple[int, ...]:
        return self._merge(piece.encode("utf-8"))

    def _decode_ids(self, ids: Sequence[int], errors: Literal["replace", "strict"]) -> str:
        try:
            return b"".join(map(self._tokens.__getitem__, ids)).decode("utf-8", errors)
        except KeyError as error:
            raise TokenizerError(f"token id {error} is not used in this vocabulary") from None

    def _to_dict(self) -> dict[str, Any]:
        special = set(self.special_tokens.values())
        tokens = [
            None if i in special or i not in self._tokens else readable(self._tokens[i])
            for i in range(max(self._ranks.values()) + 1)
        ]
        return {"pattern": self.pattern, "tokens": tokens}

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any], special_tokens: dict[str, int]) -> Self:
        tokens = listed(data, "tokens")
        ranks = {from_readable(token): rank for rank, token in enumerate(tokens) if token is not None}
        if len(ranks) != len(tokens) - tokens.count(None):
            raise TokenizerError("a token is listed twice")
        return cls(ranks, data["pattern"], special_tokens)

    def _one_piece(self, piece: str) -> bytes:
        pieces = self.pieces(piece)
        if len(pieces) != 1:
            raise TokenizerError(f"{piece!r} is not one piece; the pattern cuts it into {pieces}: give one of them")
        return piece.encode("utf-8")

    def _check_vocabulary(self) -> None:
        missing = [i for i in range(N_BYTES) if bytes([i]) not in self._ranks]
        if missing:
            raise TokenizerError(f"the bytes {missing[:8]} have no token; all 256 must have one, or text could be lost")
        for token, rank in self._ranks.items():
            if not isinstance(token, bytes) or type(rank) is not int or rank < 0:
                raise TokenizerError(f"token {token!r} with rank {rank!r}: a token is bytes, a rank an integer from 0")
        if len(self._tokens) != len(self._ranks) + len(self.special_tokens):
            raise TokenizerError("two tokens share an id; every token and special token needs one of its own")
        self._vocab_size = max(self._tokens) + 1


def readable(token: bytes) -> str:
    r"""A token as text: bytes that are not UTF-8 are written `\xe2`, and a backslash is doubled."""
    return token.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def from_readable(text: str) -> bytes:
    """The inverse of `readable`.

    Raises:
        TokenizerError: if a backslash stands for nothing.
    """
    if "\\" not in text:
        return text.encode("utf-8")
    parts = _ESCAPE.split(text.encode("utf-8"))
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = b"\\" if part == b"\\" else bytes.fromhex(part[1:].decode())
        elif b"\\" in part:
            raise TokenizerError(f"token {text!r} has a backslash that is neither doubled nor followed by xNN")
    return b"".join(parts)


_ESCAPE = re.compile(rb"\\(\\|x[0-9a-f]{2})")
