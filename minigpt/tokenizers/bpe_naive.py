"""Byte-pair encoding as a definition: learn merges by counting all pairs anew after each merge."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

Pair = tuple[int, int]


def merge_pair(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """`ids` with every occurrence of `pair`, found from left to right, replaced by `new_id`."""
    merged: list[int] = []
    i = 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def train_bpe_naive(pieces: Iterable[str], n_merges: int) -> list[Pair]:
    """Learn up to `n_merges` merges (Sennrich et al., 2016, algorithm 1, over bytes).

    Merge number `k` joins the pair of neighbouring ids that is most frequent within the pieces and gives it the id
    `256 + k`. Of pairs that are equally frequent, the smaller pair wins, compared by the first id and then by the
    second. Every merge looks at every piece, which takes time in proportion to merges times text.
    """
    words = [(list(piece.encode("utf-8")), count) for piece, count in Counter(pieces).items()]
    merges: list[Pair] = []
    for new_id in range(256, 256 + n_merges):
        counts: Counter[Pair] = Counter()
        for ids, count in words:
            for pair in itertools.pairwise(ids):
                counts[pair] += count
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [(merge_pair(ids, best, new_id), count) for ids, count in words]
        merges.append(best)
    return merges
