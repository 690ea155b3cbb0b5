"""An order of `n` things that nobody has to store: where each goes is computed from the seed alone."""

from __future__ import annotations

import numpy as np

_ROUNDS = 8
_MASK = (1 << 64) - 1


class Shuffle:
    """A permutation of `0 ... n - 1`, drawn by a seed.

    A corpus may have hundreds of millions of windows, and a run that is resumed begins anywhere among them. So the
    permutation is a formula: a Feistel network (Luby and Rackoff, 1988) permutes the numbers of `b` bits, where `2**b`
    is the first power of two that is not below `n`; a number that leaves the range is sent through it again until it is
    back ("cycle walking", Black and Rogaway, 2002), which takes less than two passes on the average. Nothing depends on
    a library's generator, so the order stays the same in every version.

    Args:
        n: how many things, from 1 to 2**62.
        seed: integers; two that differ anywhere give two orders.

    Raises:
        ValueError: if `n` is out of range.
    """

    def __init__(self, n: int, *seed: int) -> None:
        if not 1 <= n <= 1 << 62:
            raise ValueError(f"n={n} must be from 1 to 2**62")
        self.n = n
        bits = max(2, (n - 1).bit_length())
        self._low_bits = np.uint64(bits // 2)
        self._low_mask = np.uint64((1 << bits // 2) - 1)
        self._high_mask = np.uint64((1 << (bits - bits // 2)) - 1)
        self._keys = [np.uint64(draw(*seed, i)) for i in range(_ROUNDS)]

    def __call__(self, index: np.ndarray) -> np.ndarray:
        """Which things stand at these places of the order.

        Args:
            index: integers from 0 to `n - 1`, in an array of any shape.
        """
        result = self._network(np.asarray(index).astype(np.uint64))
        while (outside := result >= self.n).any():
            result[outside] = self._network(result[outside])
        return result.astype(np.int64)

    def _network(self, x: np.ndarray) -> np.ndarray:
        high, low = x >> self._low_bits, x & self._low_mask
        # Each half in turn is changed by a hash of the other, which the same step would undo.
        for i in range(0, _ROUNDS, 2):
            high = high ^ (_hash(low ^ self._keys[i]) & self._high_mask)
            low = low ^ (_hash(high ^ self._keys[i + 1]) & self._low_mask)
        return (high << self._low_bits) | low


def draw(*seed: int) -> int:
    """An integer from 0 to 2**64 - 1 that depends on each of the integers of the seed, in their order."""
    state = np.zeros(1, np.uint64)
    for part in seed:
        # Integers of any size and sign, 64 bits at a time; the number of words tells 1 from 1 + 2**64.
        words = [part >> shift & _MASK for shift in range(0, part.bit_length() + 1, 64)]
        for word in (len(words), *words):
            state = _hash(state ^ np.uint64(word))
    return int(state[0])


def _hash(x: np.ndarray) -> np.ndarray:
    # SplitMix64 (Steele, Lea and Flood, 2014): one step of its counter, then its output function.
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
