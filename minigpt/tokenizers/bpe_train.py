"""The merges of byte-pair encoding in time that grows with what changes, not with the text.

Four ideas make it fast. A piece is a `str` in which a character stands for a token id, so that a merge is
`str.replace`. (Surrogates serve as well as other characters: such a `str` is never encoded.) An index leads from a pair
to the pieces that may hold it. Only the pairs beside a merge are counted anew. And pairs are not sorted before it is
their turn: those of equal count wait in a list, and the list of the largest count becomes a heap. A pair's count never
grows, so a pair whose count has fallen is noticed when it comes to the top of the heap, and then waits further down.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush

from minigpt.tokenizers.byte import N_BYTES

MAX_VOCAB_SIZE = sys.maxunicode + 1


def train_merges(
    pieces: Mapping[str, int], n_merges: int, on_merge: Callable[[], object] | None = None
) -> list[tuple[int, int]]:
    """The merges that `train_bpe_naive` learns, in the same order.

    Args:
        pieces: piece of text to how often it occurs; no merge reaches from one piece into another.
        n_merges: how many to learn; fewer come back if every piece becomes one token before.
        on_merge: called after each merge, for a progress bar.

    Returns:
        Pairs of ids. Merge number `k` makes the id `256 + k`.
    """
    words: list[str] = []
    word_counts: list[int] = []
    for piece, count in pieces.items():
        word = piece.encode("utf-8").decode("latin-1")
        if len(word) > 1:
            words.append(word)
            word_counts.append(count)
    where: defaultdict[str, list[int]] = defaultdict(list)
    for i, word in enumerate(words):
        first = word[0]
        for second in word[1:]:
            where[first + second].append(i)
            first = second
    weight = word_counts.__getitem__
    counts = {pair: sum(map(weight, indices)) for pair, indices in where.items()}
    waiting: defaultdict[int, list[str]] = defaultdict(list)
    for pair, count in counts.items():
        waiting[count].append(pair)
    levels = [-count for count in waiting]
    heapify(levels)
    merges: list[tuple[int, int]] = []

    def wait(pair: str, count: int) -> None:
        if count not in waiting:
            heappush(levels, -count)
        waiting[count].append(pair)

    def give_way(old: str, new: str, indices: list[int]) -> None:
        total = sum(map(weight, indices))
        counts[old] -= total
        counts[new] = total
        where[new] = indices
        if total == level:
            heappush(heap, new)
        else:
            wait(new, total)

    while levels and len(merges) < n_merges:
        level = -heappop(levels)
        heap = waiting.pop(level)
        heapify(heap)
        while heap and len(merges) < n_merges:
            pair = heappop(heap)
            count = counts[pair]
            if count != level:
                if count:
                    wait(pair, count)
                continue
            first, second = pair
            new = chr(N_BYTES + len(merges))
            merges.append((ord(first), ord(second)))
            before, after, doubled = _replace(words, where.pop(pair), pair, new)
            for other, indices in before.items():
                give_way(other + first, other + new, indices)
            for other, indices in after.items():
                give_way(second + other, new + other, indices)
            if doubled:
                give_way(second + first, new + new, doubled)
            counts[pair] = 0
            if on_merge is not None:
                on_merge()
    return merges


def _replace(
    words: list[str], indices: list[int], pair: str, new: str
) -> tuple[dict[str, list[int]], dict[str, list[int]], list[int]]:
    """Put `new` for `pair` in the words at `indices`, and say what then stands beside it.

    Returns:
        Character before `new` to the indices of the words where it stands there, the same for the character after it,
        and the indices of words where `new` follows itself. An index comes once for each occurrence.
    """
    before: defaultdict[str, list[int]] = defaultdict(list)
    after: defaultdict[str, list[int]] = defaultdict(list)
    doubled: list[int] = []
    for i in indices:
        head, found, tail = words[i].partition(pair)
        if not found:
            continue
        if pair not in tail:
            words[i] = head + new + tail
            if head:
                before[head[-1]].append(i)
            if tail:
                after[tail[0]].append(i)
            continue
        words[i] = word = words[i].replace(pair, new)
        previous = ""
        for character in word:
            if character == new:
                if previous == new:
                    doubled.append(i)
                elif previous:
                    before[previous].append(i)
            elif previous == new:
                after[character].append(i)
            previous = character
    return before, after, doubled
