"""The ids of all units of a text at once: what a dictionary does for one unit, NumPy does here for thousands.

A unit of up to 16 bytes is two 64-bit numbers, filled up with zeros. So looking up the units of a text is arithmetic on
arrays: a hash, a slot, and a comparison with the two numbers that are stored there, until every unit has met its own
numbers or an empty slot (a hash table with open addressing). Only what is not there, or is longer, is encoded one by
one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

_LONGEST = 16
_MIX_LOW, _MIX_HIGH = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_HALF = np.uint64(32)

# Classes of bytes: white space 0, other characters 1, letters and digits 2. A unit ends where the class goes down, but
# never beside a character beyond ASCII: its bytes are 0 to what follows and 2 to what precedes.
_CLASS_BEFORE = bytes(0 if i in b"\t\n\v\f\r " or i > 127 else 2 if chr(i).isalnum() else 1 for i in range(256))
_CLASS_AFTER = _CLASS_BEFORE[:128] + bytes([2]) * 128

# The bits that belong to a unit in each of its two numbers, by its length.
_LOW_BITS = np.array([(1 << 8 * min(n, 8)) - 1 for n in range(_LONGEST + 1)], np.uint64)
_HIGH_BITS = np.array([(1 << 8 * max(n - 8, 0)) - 1 for n in range(_LONGEST + 1)], np.uint64)


def unit_starts(data: bytes, line_ends: bool) -> NDArray[np.int64]:
    """Where the units of a text in UTF-8, of at least one byte, begin.

    The units are those of `Pattern.units`, but for text beyond ASCII, where some are longer.

    Args:
        data: the text.
        line_ends: whether line ends behind punctuation belong to its unit, as in the cl100k pattern.
    """
    before = np.frombuffer(data.translate(_CLASS_BEFORE), np.uint8)[:-1]
    after = np.frombuffer(data.translate(_CLASS_AFTER), np.uint8)[1:]
    is_start = np.empty(len(data), bool)
    is_start[0] = True
    np.less(after, before, out=is_start[1:])
    if line_ends:
        bytes_ = np.frombuffer(data, np.uint8)
        is_line_end = (bytes_ == ord("\n")) | (bytes_ == ord("\r"))
        taken = np.flatnonzero(is_start[1:] & is_line_end[1:] & (before == 1)) + 1
        is_start[taken] = False
        others = np.append(np.flatnonzero(~is_line_end), len(data))
        behind = others[np.searchsorted(others, taken)]
        is_start[behind[behind < len(data)]] = True
    return np.flatnonzero(is_start)


Encode = Callable[[str], Sequence[int]]


class UnitTable:
    """Encodes text by units, and remembers what the short ones gave. Threads may share it; they take turns.

    Args:
        encode_unit: ids of one unit.
        encode_long_unit: the same for units of more than 16 bytes, which the table does not remember.
        line_ends: see `unit_starts`.
        capacity: how many units are remembered, a power of two; when there is no room for more, the table starts anew.
    """

    def __init__(self, encode_unit: Encode, encode_long_unit: Encode, line_ends: bool, capacity: int) -> None:
        self._encode_unit = encode_unit
        self._encode_long_unit = encode_long_unit
        self._line_ends = line_ends
        self.capacity = capacity
        self._shift = np.uint64(64 - capacity.bit_length())
        self._low, self._high = np.zeros(capacity, np.uint64), np.zeros(capacity, np.uint64)
        self._begins, self._counts = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
        self._ids = np.zeros(4 * capacity, np.int64)
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        # NumPy reads the slots, Python fills them: both see the same memory.
        self._slots = array("i", [-1]) * (2 * self.capacity)
        self._rows_of_slots = np.frombuffer(self._slots, np.int32)
        self._n_rows = self._n_ids = 0

    def encode(self, text: str) -> list[int]:
        """The ids of a text of 1 to `capacity` characters, none of them NUL."""
        with self._lock:
            return self._encode(text.encode("utf-8"))

    def _encode(self, data: bytes) -> list[int]:
        starts = unit_starts(data, self._line_ends)
        lengths = np.diff(starts, append=len(data))
        eight_bytes_from = np.ndarray(len(data) + 9, "<u8", data + bytes(_LONGEST), strides=(1,))
        low = eight_bytes_from[starts] & _LOW_BITS.take(lengths, mode="clip")
        high = eight_bytes_from[starts + 8] & _HIGH_BITS.take(lengths, mode="clip")
        mixed = low * _MIX_LOW ^ high * _MIX_HIGH
        slots = ((mixed ^ mixed >> _HALF) * _MIX_LOW >> self._shift).astype(np.int64)
        is_long = lengths > _LONGEST
        rows = self._find(low, high, slots)
        missing = np.flatnonzero((rows < 0) & ~is_long)
        if self._n_rows + len(missing) > self.capacity:
            self._forget()
            return self._encode(data)
        begins, counts = self._begins[rows], self._counts[rows]
        if len(missing):
            begins[missing], counts[missing], first = self._encode_each(
                data, starts, lengths, missing, self._encode_unit
            )
            new = slice(self._n_rows, self._n_rows + len(first))
            self._low[new], self._high[new] = low[first], high[first]
            self._begins[new], self._counts[new] = begins[first], counts[first]
            self._occupy(slots[first].tolist())
            self._n_ids = int(begins[first[-1]] + counts[first[-1]])
        long = np.flatnonzero(is_long)
        if len(long):
            begins[long], counts[long], _ = self._encode_each(data, starts, lengths, long, self._encode_long_unit)
        ends = counts.cumsum()
        places = np.repeat(begins - (ends - counts), counts)
        places += np.arange(len(places))
        return self._ids[places].tolist()

    def _find(self, low: NDArray[np.uint64], high: NDArray[np.uint64], slots: NDArray[np.int64]) -> NDArray[np.int32]:
        # The row of each unit, or -1; `slots` are moved to where the search ended.
        rows = self._rows_of_slots[slots]
        other = np.flatnonzero((rows >= 0) & ((self._low[rows] != low) | (self._high[rows] != high)))
        while len(other):
            slots[other] = (slots[other] + 1) & (2 * self.capacity - 1)
            there = rows[other] = self._rows_of_slots[slots[other]]
            other = other[(there >= 0) & ((self._low[there] != low[other]) | (self._high[there] != high[other]))]
        return rows

    def _occupy(self, slots: list[int]) -> None:
        # Free slots from these on for the next rows.
        table, last = self._slots, 2 * self.capacity - 1
        for row, slot in enumerate(slots, start=self._n_rows):
            while table[slot] >= 0:
                slot = (slot + 1) & last
            table[slot] = row
        self._n_rows += len(slots)

    def _encode_each(
        self,
        data: bytes,
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        which: NDArray[np.int64],
        encode: Encode,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], list[int]]:
        # Encode units one by one, each once; put their ids behind those that are kept. Returns where the ids of each
        # begin, how many they are, and which units came first of their kind.
        known: dict[bytes, int] = {}
        ids: list[int] = []
        begins, counts, kinds, first = [], [], [], []
        for i, start, length in zip(which.tolist(), starts[which].tolist(), lengths[which].tolist(), strict=True):
            unit = data[start : start + length]
            kind = known.get(unit)
            if kind is None:
                kind = known[unit] = len(known)
                unit_ids = encode(unit.decode("utf-8"))
                begins.append(self._n_ids + len(ids))
                counts.append(len(unit_ids))
                first.append(i)
                ids += unit_ids
            kinds.append(kind)
        end = self._n_ids + len(ids)
        if end > len(self._ids):
            self._ids = np.resize(self._ids, 2 * end)
        self._ids[self._n_ids : end] = ids
        return np.array(begins)[kinds], np.array(counts)[kinds], first
