"""Byte-pair encoding of one piece: join the neighbours whose joint token has the lowest rank, until none has one."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise
from operator import getitem

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
        self._byte_ids = [ranks[bytes([i])] for i in range(256)]
        # Rank of the token that two bytes make, in the row of the first byte.
        self._pair_ranks = [array("q", [_NO_RANK]) * 256 for _ in range(256)]
        for token, rank in ranks.items():
            if len(token) == 2:
                self._pair_ranks[token[0]][token[1]] = rank

    def __call__(self, piece: bytes) -> tuple[int, ...]:
        """The ids of a piece of at least one byte."""
        rank = self.ranks.get(piece)
        if rank is not None:
            return (rank,)
        return tuple(self._merge_short(piece)[0] if len(piece) < _LONG else self._merge_long(piece))

    def last_merge(self, token: bytes) -> tuple[bytes, bytes] | None:
        """The two tokens whose merge makes `token`; `None` if the merges do not come to it."""
        _, bounds = self._merge_short(token, (_NO_RANK, self.ranks[token]))
        if len(bounds) != 3:
            return None
        return token[: bounds[1]], token[bounds[1] :]

    def _candidates(self, piece: bytes) -> list[int]:
        # Rank of the token that each byte and the next would make.
        return list(map(getitem, map(self._pair_ranks.__getitem__, piece), piece[1:]))

    def _merge_short(self, piece: bytes, stop_at: Collection[int] = (_NO_RANK,)) -> tuple[list[int], list[int]]:
        """Join parts until the lowest rank of a join is one to stop at: the ids of the parts, and their bounds."""
        rank_of = self.ranks.get
        ids = list(map(self._byte_ids.__getitem__, piece))
        bounds = list(range(len(piece) + 1))
        # candidates[i]: rank of the token that the parts i and i + 1 would make.
        candidates = self._candidates(piece)
        while (lowest := min(candidates)) not in stop_at:
            i = candidates.index(lowest)
            j = i + 1
            ids[i] = lowest
            del candidates[i], ids[j], bounds[j]
            if i < len(candidates):
                candidates[i] = rank_of(piece[bounds[i] : bounds[i + 2]], _NO_RANK)
            if i:
                candidates[i - 1] = rank_of(piece[bounds[i - 1] : bounds[j]], _NO_RANK)
        return ids, bounds

    def _merge_long(self, piece: bytes) -> list[int]:
        """The ids of the parts, once no more can be joined."""
        # Parts are a doubly linked list; each is named by where it begins. The heap holds rank * n + begin of pairs,
        # and an entry is out of date if candidates[begin] is another rank by now.
        rank_of = self.ranks.get
        n = len(piece)
        end = list(range(1, n + 1))
        previous = list(range(-1, n - 1))
        candidates = [*self._candidates(piece), _NO_RANK]
        ids = list(map(self._byte_ids.__getitem__, piece))
        heap = [rank * n + i for i, rank in enumerate(candidates) if rank != _NO_RANK]
        heapify(heap)
        while heap:
            rank, i = divmod(heappop(heap), n)
            if candidates[i] != rank:
                continue
            ids[i] = rank
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
        parts = [0]
        while end[parts[-1]] < n:
            parts.append(end[parts[-1]])
        return [ids[i] for i in parts]


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
