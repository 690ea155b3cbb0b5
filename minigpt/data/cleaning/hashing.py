"""Numbers for words and runs of words, the same in every process: what classifiers and signatures are made of.

Python's own `hash` of a string differs from run to run. Here a word's number is the CRC-32 of its bytes, and that of a
run of words mixes the numbers of its words. Two different runs share a number with a chance of about 2**-32.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np

_WORD = re.compile(r"\w+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def word_hashes(words: Sequence[str]) -> np.ndarray:
    """A number below 2**32 for each word, as 64-bit integers."""
    return np.fromiter(map(_word_hash, words), np.uint64, len(words))


def run_hashes(hashes: np.ndarray, n: int) -> np.ndarray:
    """A 64-bit number for each run of `n` words; of a shorter text, one for all of it; of an empty one, none.

    Args:
        hashes: numbers of the words, as `word_hashes` gives them.
        n: words of a run, at least 1.
    """
    n = min(n, len(hashes))
    if not n:
        return hashes
    size = len(hashes) - n + 1
    mixed = np.full(size, n, np.uint64)
    for i in range(n):
        # An odd multiplier loses nothing, and the shift brings the high bits, which hang on all that came, to the low.
        mixed = (mixed ^ hashes[i : i + size]) * _MULTIPLIER
        mixed ^= mixed >> _SHIFT
    return mixed


def text_hash(text: str) -> int:
    """64 bits of BLAKE2b of a text: among a million texts, two share a number with a chance of 3 in 100 million."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@lru_cache(maxsize=1 << 16)
def _word_hash(word: str) -> int:
    return crc32(word.encode("utf-8", "surrogatepass"))
