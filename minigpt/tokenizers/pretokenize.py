"""Counting the pieces of a corpus that is larger than memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

import regex

from minigpt.tokenizers.base import reject_surrogates
from minigpt.tokenizers.patterns import Pattern
from minigpt.tokenizers.vocabulary import checked_texts

_MAX_UNITS = 1 << 19


def count_pieces(
    texts: Iterable[str], pattern: Pattern, special_tokens: Collection[str] = (), max_pieces: int | None = None
) -> dict[str, int]:
    """How often each piece occurs in the texts.

    Memory grows with the number of distinct pieces; a text, and a table of units that is emptied when it is full, are
    held besides. With `max_pieces`, the rarest pieces are forgotten whenever there are more, until half as many are
    left (of equally rare ones, those that compare greater). A piece that was forgotten is counted anew when it comes
    again, so its count is then too low, by no more than the largest count that was forgotten, each time.

    Args:
        texts: read once, one at a time. No piece reaches from one text into the next.
        special_tokens: names that are cut out of the texts and not counted.
        max_pieces: a bound on the number of pieces, at least 2, exceeded by one table of units.
    """
    split = regex.compile("|".join(map(regex.escape, sorted(special_tokens, key=len, reverse=True)))).split
    max_units = _MAX_UNITS if max_pieces is None else min(_MAX_UNITS, max_pieces)
    units: Counter[str] = Counter()
    pieces: Counter[str] = Counter()
    for text in checked_texts(texts):
        reject_surrogates(text)
        for part in split(text) if special_tokens else (text,):
            for piece in pattern.slices(part):
                units.update(pattern.units(piece))
                if len(units) > max_units:
                    _count_units(units, pattern, pieces)
                    units.clear()
                    if max_pieces is not None:
                        _forget(pieces, max_pieces)
    _count_units(units, pattern, pieces)
    if max_pieces is not None:
        _forget(pieces, max_pieces)
    return pieces


def _count_units(units: Mapping[str, int], pattern: Pattern, pieces: Counter[str]) -> None:
    if pattern.unit is None:
        pieces.update(units)
        return
    # One long search is faster than many short ones, so units that occur equally often are joined: those that can be
    # told apart again, because they begin with ASCII that is no letter or digit, and end with ASCII that is.
    joined: defaultdict[int, list[str]] = defaultdict(list)
    find_pieces = pattern.pieces
    for unit, count in units.items():
        if unit.isascii() and unit[-1:].isalnum() and not unit[0].isalnum():
            joined[count].append(unit)
        else:
            for piece in find_pieces(unit):
                pieces[piece] += count
    for count, group in joined.items():
        for piece, times in Counter(find_pieces("".join(group))).items():
            pieces[piece] += times * count


def _forget(pieces: Counter[str], max_pieces: int) -> None:
    if len(pieces) > max_pieces:
        kept = sorted(pieces.items(), key=lambda item: (-item[1], item[0]))[: max_pieces // 2]
        pieces.clear()
        pieces.update(dict(kept))
