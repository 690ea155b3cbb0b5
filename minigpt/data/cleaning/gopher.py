"""The rules of Gopher (Rae et al., 2021, table A1 and section A.1): what natural text looks like in numbers.

Two stages: `gopher_quality` looks at words and lines, `gopher_repetition` at what comes again. They throw out whole
documents, where C4 throws out lines. Where the paper leaves open how to count: words stand between white space; a
duplicate is every occurrence but the first; characters are those of words, without the space between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import ne

from minigpt.data.cleaning.document import Document, Rejection

STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
"""A text in English holds at least two of these."""
_BULLETS = ("•", "‣", "▪", "–", "*", "-")
_ELLIPSES = ("...", "…")


@dataclass(frozen=True)
class GopherRules:
    """The thresholds of the paper.

    Attributes:
        min_words: words that a document has at least.
        max_words: and at most.
        min_mean_length: mean length of its words in characters, at least.
        max_mean_length: and at most.
        max_symbols: hash signs, and ellipses, for each word, at most.
        max_bullets: share of the lines that begin with a bullet, at most.
        max_ellipses: share of the lines that end in an ellipsis, at most.
        min_with_letter: share of the words that hold a letter, at least.
        min_stop_words: how many different ones of `STOP_WORDS` there are, at least.
        duplicate_lines: share of the lines that are duplicates, and of the characters in them, at most.
        duplicate_paragraphs: the same for paragraphs.
        top_runs: for runs of 2, 3 and 4 words: share of the characters in the most frequent one, at most.
        duplicate_runs: for runs of 5 to 10 words: share of the characters in duplicates, at most.
    """

    min_words: int = 50
    max_words: int = 100_000
    min_mean_length: float = 3.0
    max_mean_length: float = 10.0
    max_symbols: float = 0.1
    max_bullets: float = 0.9
    max_ellipses: float = 0.3
    min_with_letter: float = 0.8
    min_stop_words: int = 2
    duplicate_lines: tuple[float, float] = (0.30, 0.20)
    duplicate_paragraphs: tuple[float, float] = (0.30, 0.20)
    top_runs: tuple[tuple[int, float], ...] = ((2, 0.20), (3, 0.18), (4, 0.16))
    duplicate_runs: tuple[tuple[int, float], ...] = (
        (5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10),
    )  # fmt: skip


GOPHER = GopherRules()


def gopher_quality(document: Document, rules: GopherRules = GOPHER) -> Document | Rejection:
    """A stage: the rules about words and lines."""
    text = document.text
    words = text.split()
    n = len(words)
    if n < rules.min_words:
        return Rejection("too few words", f"{n} of {rules.min_words}")
    if n > rules.max_words:
        return Rejection("too many words", f"{n}, at most {rules.max_words}")
    mean = sum(map(len, words)) / n
    if not rules.min_mean_length <= mean <= rules.max_mean_length:
        return Rejection("mean word length", f"{mean:.2f} characters")
    if text.count("#") > rules.max_symbols * n or text.count("...") + text.count("…") > rules.max_symbols * n:
        return Rejection("symbols", f"{text.count('#')} hash signs in {n} words")
    lines = [line for line in text.split("\n") if line]
    if sum(line.lstrip().startswith(_BULLETS) for line in lines) > rules.max_bullets * len(lines):
        return Rejection("bullets", f"{len(lines)} lines")
    if sum(line.rstrip().endswith(_ELLIPSES) for line in lines) > rules.max_ellipses * len(lines):
        return Rejection("ellipses", f"{len(lines)} lines")
    lower = text.lower().split()
    if (share := _share_with_letter(text, words, lower, rules.min_with_letter)) < rules.min_with_letter:
        return Rejection("words without letters", f"{1 - share:.0%}")
    if len(STOP_WORDS.intersection(lower)) < rules.min_stop_words:
        return Rejection("stop words", f"{len(STOP_WORDS.intersection(lower))} of {rules.min_stop_words}")
    return document


def gopher_repetition(document: Document, rules: GopherRules = GOPHER) -> Document | Rejection:
    """A stage: the rules about what comes again."""
    text = document.text
    for name, parts, (share, characters) in (
        ("lines", text.split("\n"), rules.duplicate_lines),
        ("paragraphs", text.split("\n\n"), rules.duplicate_paragraphs),
    ):
        parts = [part for part in parts if part]
        repeated = _duplicates(parts)
        if len(repeated) > share * len(parts) or sum(map(len, repeated)) > characters * sum(map(len, parts)):
            return Rejection(f"duplicate {name}", f"{len(repeated)} of {len(parts)}")
    words = text.split()
    lengths = sorted(map(len, words), reverse=True)
    total, most = sum(lengths), len(words)
    for n, limit in rules.top_runs:
        # A run is no more frequent than a shorter one in it, and no longer than the longest words.
        if most * sum(lengths[:n]) > limit * total:
            most, share = top_run(words, n, total)
            if share > limit:
                return Rejection(f"top {n}-gram", f"{share:.0%} of the characters")
    for i, (n, limit) in enumerate(rules.duplicate_runs):
        share = duplicate_run_share(words, n, total)
        if share > limit:
            return Rejection(f"duplicate {n}-grams", f"{share:.0%} of the characters")
        # Where a longer run is a duplicate, the shorter ones in it are: no share of what follows can be larger.
        if all(share <= later for _, later in rules.duplicate_runs[i:]):
            break
    return document


def top_run(words: Sequence[str], n: int, total: int) -> tuple[int, float]:
    """How often the most frequent run of `n` words comes, and the share of the characters in it; 0 if none comes twice.

    Of several that are equally frequent, the longest counts.

    Args:
        words: the words of a document.
        n: words of a run, at least 2.
        total: characters of all words.
    """
    counts = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    most = max(counts.values(), default=0)
    if most < 2:
        return most, 0.0
    longest = max(sum(map(len, run)) for run, count in counts.items() if count == most)
    return most, most * longest / total


def duplicate_run_share(words: Sequence[str], n: int, total: int) -> float:
    """The share of the characters in runs of `n` words that have come before; where two overlap, counted once.

    Args:
        words: the words of a document.
        n: words of a run.
        total: characters of all words.
    """
    runs = list(zip(*(words[i:] for i in range(n)), strict=False))
    if len(set(runs)) == len(runs):
        return 0.0
    seen = set()
    characters = end = 0
    for i, run in enumerate(runs):
        if run in seen:
            characters += sum(map(len, words[max(i, end) : i + n]))
            end = i + n
        else:
            seen.add(run)
    return characters / total


def _duplicates(parts: list[str]) -> list[str]:
    """Every part that has come before."""
    if len(set(parts)) == len(parts):
        return []
    counts = Counter(parts)
    return [part for part, count in counts.items() for _ in range(count - 1)]


def _share_with_letter(text: str, words: list[str], lower: list[str], enough: float) -> float:
    # A word whose capitals differ from its small letters holds a letter. Where there are no capitals, look at each.
    upper = text.upper().split()
    if len(upper) == len(lower) and (share := sum(map(ne, upper, lower)) / len(words)) >= enough:
        return share
    return sum(any(map(str.isalpha, word)) for word in words) / len(words)
