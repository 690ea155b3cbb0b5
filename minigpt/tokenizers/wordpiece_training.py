"""Learning the pieces of WordPiece without recounting the corpus for each merge."""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from tqdm import tqdm

Pair = tuple[str, str]
Score = Callable[[int, int, int, int, bool], float]


def join(pair: Pair) -> str:
    """The piece that two neighbouring pieces make: the `##` of the second one goes."""
    return pair[0] + pair[1].removeprefix("##")


def neighbours(word: Sequence[str]) -> Iterator[Pair]:
    """The pairs of neighbours, each as often as a merge would join it: in `aaa` the pair `a a` once, not twice."""
    last = None
    for pair in pairwise(word):
        if pair[0] == pair[1] and pair == last:
            last = None
        else:
            last = pair
            yield pair


def ratio(n_ab: int, n_a: int, n_b: int, n: int, same: bool = False) -> float:
    """How often a pair occurs over how often it would, up to a constant, if its parts were independent."""
    return n_ab / (n_a * n_b)


def likelihood(n_ab: int, n_a: int, n_b: int, n: int, same: bool = False) -> float:
    """What a merge adds to the log-likelihood of the corpus, if its `n` symbols are drawn independently.

    That log-likelihood is the sum of `n_s log(n_s / n)` over the symbols `s`. The merge takes `n_ab` from `n_a`, from
    `n_b` and from `n`, and makes a symbol that occurs `n_ab` times, as if no other pair had made it before. If a symbol
    is merged with itself (`same`), it loses `2 n_ab`.
    """
    if same:
        parts = _x_log_x(n_a - 2 * n_ab) - _x_log_x(n_a)
    else:
        parts = _x_log_x(n_a - n_ab) - _x_log_x(n_a) + _x_log_x(n_b - n_ab) - _x_log_x(n_b)
    return parts + _x_log_x(n_ab) + _x_log_x(n) - _x_log_x(n - n_ab)


def _x_log_x(x: int) -> float:
    return x * math.log(x) if x > 0 else 0.0


SCORES: dict[str, Score] = {"ratio": ratio, "likelihood": likelihood}


def learn_merges(
    words: Mapping[tuple[str, ...], int],
    n_merges: int,
    *,
    score: Score = likelihood,
    min_count: int = 2,
    progress: bool = False,
) -> list[str]:
    """New pieces in the order in which they are made.

    Args:
        words: the pieces of each distinct word, to the count of the word.
        n_merges: make at most so many new pieces.
        score: of a pair `a b`, from n(ab), n(a), n(b), the number of symbols, and whether a is b; it must not grow
            when only the number of symbols falls. Merging ends when no pair has a score above 0. In a row of equal
            symbols, n(ab) counts those that would be joined: one pair in `aaa`.
        min_count: a pair that occurs less often is not merged.
        progress: show a bar.
    """
    trainer = _Trainer(words, score, min_count)
    known = {symbol for word in words for symbol in word}
    learned: list[str] = []
    with tqdm(total=n_merges, desc="merges", unit="", disable=not progress) as bar:
        while len(learned) < n_merges and (pair := trainer.best()) is not None:
            trainer.merge(pair)
            piece = join(pair)
            if piece not in known:  # two pairs can make the same piece: "ab" + "##c" and "a" + "##bc"
                known.add(piece)
                learned.append(piece)
                bar.update()
    return learned


class _Trainer:
    """Counts of symbols and pairs in the words as they are cut now, and a heap of the pairs by score.

    A merge changes n(a) and n(b), and with them the score of every pair that holds a or b, upwards or downwards: these
    pairs are pushed again. It also lowers the number of symbols, which lowers other scores or leaves them alone: so
    what the heap holds is never too low, and a score that is too high is put right when it comes up.
    """

    def __init__(self, words: Mapping[tuple[str, ...], int], score: Score, min_count: int) -> None:
        self.words = [list(word) for word in words]
        self.word_counts = list(words.values())
        self.score = score
        self.min_count = max(min_count, 1)
        self.n_symbols = 0
        self.symbols: Counter[str] = Counter()
        self.pairs: Counter[Pair] = Counter()
        self.places: defaultdict[Pair, set[int]] = defaultdict(set)
        self.pairs_with: defaultdict[str, set[Pair]] = defaultdict(set)
        for index in range(len(self.words)):
            self._count(index, 1)
        self._rebuild()

    def best(self) -> Pair | None:
        """The pair to merge next, or `None` if there is none."""
        while self.heap:
            entry = heapq.heappop(self.heap)
            pair = entry[2]
            if self.pairs[pair] < self.min_count:
                continue
            current = self._entry(pair)
            if entry == current:
                return pair if entry[0] < 0 else None
            heapq.heappush(self.heap, current)
        return None

    def merge(self, pair: Pair) -> None:
        """Replace the pair by one symbol in every word that holds it, from the left."""
        a, b = pair
        new = join(pair)
        changed = self.pairs_with[a] | self.pairs_with[b]
        for index in list(self.places[pair]):
            self._count(index, -1)
            word, merged, i = self.words[index], [], 0
            while i < len(word):
                if word[i] == a and word[i + 1 : i + 2] == [b]:
                    merged.append(new)
                    i += 2
                else:
                    merged.append(word[i])
                    i += 1
            self.words[index] = merged
            self._count(index, 1)
        for other in changed | self.pairs_with[new]:
            if self.pairs[other] >= self.min_count:
                heapq.heappush(self.heap, self._entry(other))
        if len(self.heap) > 1000 + 8 * len(self.pairs):
            self._rebuild()

    def _entry(self, pair: Pair) -> tuple[float, int, Pair]:
        (a, b), n = pair, self.pairs[pair]
        return -self.score(n, self.symbols[a], self.symbols[b], self.n_symbols, a == b), -n, pair

    def _rebuild(self) -> None:
        self.heap = [self._entry(pair) for pair, n in self.pairs.items() if n >= self.min_count]
        heapq.heapify(self.heap)

    def _count(self, index: int, sign: int) -> None:
        word, n = self.words[index], sign * self.word_counts[index]
        self.n_symbols += n * len(word)
        for symbol in word:
            self.symbols[symbol] += n
        for pair in neighbours(word):
            self.pairs[pair] += n
            if sign > 0:
                self.places[pair].add(index)
                self.pairs_with[pair[0]].add(pair)
                self.pairs_with[pair[1]].add(pair)
            else:
                self.places[pair].discard(index)
                if not self.pairs[pair]:
                    del self.pairs[pair], self.places[pair]
                    self.pairs_with[pair[0]].discard(pair)
                    self.pairs_with[pair[1]].discard(pair)
