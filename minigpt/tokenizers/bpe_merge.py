"""Byte-pair encoding of one piece: join the neighbours whose joint token has the lowest rank, until none has one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise

_NO_RANK = 1 << 62
_LONG = 128


class PieceMerger:
    """Gives the ids of a piece.

    A piece that is a token as a whole is that token (as in tiktoken; with a trained vocabulary the merges come to the
    same). Short pieces take time in proportion to the square of their length, long ones `n log n`.

    Args:
        ranks: token to rank, which is also its id; every single byte is a token.
    """

    def __init__(self, ranks: Mapping[bytes, int]) -> None:
        self.ranks = ranks
        # Rank of the token that two bytes make, at 256 times the first plus the second.
        self._pair_ranks = [_NO_RANK] * (256 * 256)
        for token, rank in ranks.items():
            if len(token) == 2:
                self._pair_ranks[token[0] << 8 | token[1]] = rank

    def __call__(self, piece: bytes) -> tuple[int, ...]:
        """The ids of a piece of at least one byte."""
        rank = self.ranks.get(piece)
        if rank is not None:
            return (rank,)
        ranks = self.ranks
        bounds = self._merge_short(piece) if len(piece) < _LONG else self._merge_long(piece)
        return tuple([ranks[piece[i:j]] for i, j in pairwise(bounds)])

    def last_merge(self, token: bytes) -> tuple[bytes, bytes] | None:
        """The two tokens whose merge makes `token`; `None` if the merges do not come to it."""
        bounds = self._merge_short(token, until=2)
        if len(bounds) != 3:
            return None
        return token[: bounds[1]], token[bounds[1] :]

    def _merge_short(self, piece: bytes, until: int = 1) -> list[int]:
        """Where the parts begin, and the end of the last, once no more can be joined or `until` of them are left."""
        table, rank_of = self._pair_ranks, self.ranks.get
        bounds = list(range(len(piece) + 1))
        # candidates[i]: rank of the token that the parts i and i + 1 would make.
        candidates = [table[first << 8 | second] for first, second in pairwise(piece)]
        while len(candidates) >= until:
            lowest = min(candidates)
            if lowest == _NO_RANK:
                break
            i = candidates.index(lowest)
            del bounds[i + 1], candidates[i]
            if i < len(candidates):
                candidates[i] = rank_of(piece[bounds[i] : bounds[i + 2]], _NO_RANK)
            if i:
                candidates[i - 1] = rank_of(piece[bounds[i - 1] : bounds[i + 1]], _NO_RANK)
        return bounds

    def _merge_long(self, piece: bytes) -> list[int]:
        # Parts are a doubly linked list; each is named by where it begins. The heap holds rank * n + begin of pairs,
        # and an entry is out of date if candidates[begin] is another rank by now.
        table, rank_of = self._pair_ranks, self.ranks.get
        n = len(piece)
        end = list(range(1, n + 1))
        previous = list(range(-1, n - 1))
        candidates = [table[first << 8 | second] for first, second in pairwise(piece)] + [_NO_RANK]
        heap = [rank * n + i for i, rank in enumerate(candidates) if rank != _NO_RANK]
        heapify(heap)
        while heap:
            rank, i = divmod(heappop(heap), n)
            if candidates[i] != rank:
                continue
            gone = end[i]
            end[i] = stop = end[gone]
            candidates[gone] = candidates[i] = _NO_RANK
            if stop < n:
                previous[stop] = i
                candidates[i] = rank = rank_of(piece[i : end[stop]], _NO_RANK)
                if rank != _NO_RANK:
                    heappush(heap, rank * n + i)
            before = previous[i]
            if before >= 0:
                candidates[before] = rank = rank_of(piece[before:stop], _NO_RANK)
                if rank != _NO_RANK:
                    heappush(heap, rank * n + before)
        bounds = [0]
        while bounds[-1] < n:
            bounds.append(end[bounds[-1]])
        return bounds


@dataclass(frozen=True)
class MergeTree:
    """How a token came to be: the two tokens that were joined to it, and so on down to single bytes."""

    token: bytes
    token_id: int
    parts: tuple[MergeTree, MergeTree] | tuple[()] = ()


def merge_trees(piece: bytes, ranks: Mapping[bytes, int]) -> Iterator[list[MergeTree]]:
    """The parts of a piece as trees: first its single bytes, then the parts after each merge."""
    trees = [MergeTree(piece[i : i + 1], ranks[piece[i : i + 1]]) for i in range(len(piece))]
    while True:
        yield list(trees)
        candidates = [ranks.get(a.token + b.token, _NO_RANK) for a, b in pairwise(trees)]
        lowest = min(candidates, default=_NO_RANK)
        if lowest == _NO_RANK:
            return
        i = candidates.index(lowest)
        left, right = trees[i : i + 2]
        trees[i : i + 2] = [MergeTree(left.token + right.token, lowest, (left, right))]
