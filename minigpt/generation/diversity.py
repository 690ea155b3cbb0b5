"""How much texts repeat: themselves, and one another."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

Text = Sequence[Hashable]
"""Words, characters or ids."""


def n_grams(text: Text, n: int) -> Iterator[tuple[Hashable, ...]]:
    """All runs of `n` neighbours."""
    return zip(*(text[i:] for i in range(n)), strict=False)


def repeated(text: Text, n: int) -> float:
    """The share of runs of `n` tokens that stood in the same text before (Welleck et al., 2020, section 6, seq-rep-n).

    Args:
        text: tokens; one without such a run repeats nothing.
        n: at least 1.

    Raises:
        ValueError: if `n` is smaller than 1.
    """
    runs = list(n_grams(text, _checked(n)))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def distinct(texts: Sequence[Text], n: int) -> float:
    """The share of runs of `n` tokens in all texts together that are different (Li et al., 2016, section 5.3).

    The more text there is, the smaller it becomes, so compare it only between samples of one size.

    Args:
        texts: at least one, and one of them as long as a run.
        n: at least 1.

    Raises:
        ValueError: if `n` is smaller than 1, or there is no run.
    """
    runs = [run for text in texts for run in n_grams(text, _checked(n))]
    if not runs:
        raise ValueError(f"none of the {len(texts)} texts has {n} tokens, so there is nothing to compare")
    return len(set(runs)) / len(runs)


def self_bleu(texts: Sequence[Text], n: int = 4) -> float:
    """The mean BLEU of each text with all others as its references (Zhu et al., 2018); 1 if all are the same.

    BLEU (Papineni et al., 2002) is the geometric mean, over run lengths from 1 to `n`, of the share of a text's runs
    that a reference has as often, times `exp(1 - r / c)` where the text (`c` tokens) is shorter than the reference
    nearest in length (`r`). It is 0 where the text shares no run of some length with any other.

    Args:
        texts: at least two, none of them shorter than `n`.
        n: longest run.

    Raises:
        ValueError: if there are fewer than two texts, or one is shorter than `n`.
    """
    if len(texts) < 2 or min(map(len, texts)) < _checked(n):
        raise ValueError(f"self-BLEU compares at least two texts of at least {n} tokens; there are {len(texts)}")
    return math.fsum(_bleu(i, texts, counts) for counts in [_counts(texts, n)] for i in range(len(texts))) / len(texts)


def _counts(texts: Sequence[Text], n: int) -> list[tuple[list[Counter], dict[tuple, list[tuple[int, int]]]]]:
    # For each length: the runs of every text, and for every run its two largest counts, each with the text it is from.
    result = []
    for length in range(1, n + 1):
        counts = [Counter(n_grams(text, length)) for text in texts]
        largest: dict[tuple, list[tuple[int, int]]] = {}
        for i, counter in enumerate(counts):
            for run, count in counter.items():
                largest[run] = sorted([*largest.get(run, []), (count, i)], reverse=True)[:2]
        result.append((counts, largest))
    return result


def _bleu(i: int, texts: Sequence[Text], counts: list) -> float:
    logs = []
    for own, largest in counts:
        matched = sum(
            min(count, next((most for most, j in largest[run] if j != i), 0)) for run, count in own[i].items()
        )
        if not matched:
            return 0.0
        logs.append(math.log(matched / own[i].total()))
    length = len(texts[i])
    nearest = min((len(text) for j, text in enumerate(texts) if j != i), key=lambda other: (abs(other - length), other))
    return math.exp(math.fsum(logs) / len(logs) + min(0.0, 1 - nearest / length))


def _checked(n: int) -> int:
    if n < 1:
        raise ValueError(f"n={n} must be at least 1")
    return n
