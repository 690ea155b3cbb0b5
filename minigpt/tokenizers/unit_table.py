"""The ids of all units of a text at once: what a dictionary does for one unit, NumPy does here for thousands.

A unit of up to 16 bytes is two 64-bit numbers, filled up with zeros. So looking up the units of a text is arithmetic on
arrays: a hash gives each unit its slot, the slot leads to a record, and the two numbers there are compared with those
of the unit. A hash table would search on where they differ, round after round for fewer and fewer units. Here a slot
belongs to the first unit that comes, which is mostly one that comes often; the others, and the longer units, are left
to a dictionary.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from threading import Lock

import numpy as np
from numpy.typing import NDArray

_LONGEST = 16
_MIX_LOW, _MIX_HIGH = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)

# Classes of bytes: white space 0, other characters 1, letters and digits 2. A unit ends where the class goes down, but
# never beside a character beyond ASCII: its bytes are 0 to what follows and 2 to what precedes.
_CLASS_BEFORE = bytes(0 if i in b"\t\n\v\f\r " or i > 127 else 2 if chr(i).isalnum() else 1 for i in range(256))
_CLASS_AFTER = _CLASS_BEFORE[:128] + bytes([2]) * 128

# The bits that belong to a unit in each of its two numbers, by its length. The last entry is for all longer units: it
# gives them numbers that no unit in a slot has.
_LOW_BITS = np.array([(1 << 8 * min(n, 8)) - 1 for n in range(_LONGEST + 1)] + [0], np.uint64)
_HIGH_BITS = np.array([(1 << 8 * max(n - 8, 0)) - 1 for n in range(_LONGEST + 1)] + [(1 << 64) - 1], np.uint64)


def unit_bounds(data: bytes, line_ends: bool) -> NDArray[np.int64]:
    """Where the units of a text in UTF-8, of at least one byte, begin; and behind them, where the last one ends.

    The units are those of `Pattern.units`, but for text beyond ASCII, where some are longer.

    Args:
        data: the text.
        line_ends: whether line ends behind punctuation belong to its unit, as in the cl100k pattern.
    """
    # Before the text is white space, so that nothing ends there.
    before = np.frombuffer((b" " + data).translate(_CLASS_BEFORE), np.uint8)
    after = before[1:] if data.isascii() else np.frombuffer(data.translate(_CLASS_AFTER), np.uint8)
    is_bound = np.empty(len(data) + 1, bool)
    np.less(after, before[:-1], out=is_bound[:-1])
    if line_ends:
        characters = np.frombuffer(data, np.uint8)
        is_line_end = np.zeros(len(data) + 2, bool)
        is_line_end[1:-1] = (characters == ord("\n")) | (characters == ord("\r"))
        edges = np.flatnonzero(is_line_end[1:] != is_line_end[:-1])
        begins, ends = edges[::2], edges[1::2]
        taken = before[begins] == 1
        is_bound[begins[taken]] = False
        is_bound[ends[taken]] = True
    is_bound[0] = is_bound[-1] = True
    return np.flatnonzero(is_bound)


class UnitTable:
    """Encodes text by units, and remembers what they gave. Threads may share it; they take turns.

    Args:
        encode_unit: ids of one unit, at most one for each byte.
        line_ends: see `unit_bounds`.
        capacity: how many units are remembered, a power of two; when there is no room for more, or for four times as
            many ids, the table starts anew.
    """

    def __init__(self, encode_unit: Callable[[str], Sequence[int]], line_ends: bool, capacity: int) -> None:
        self._encode_unit = encode_unit
        self._line_ends = line_ends
        self.capacity = capacity
        self._shift = np.uint64(64 - capacity.bit_length())
        # The record of a unit is a row: its two numbers, and where its ids begin and end. That the four lie side by
        # side means that memory is asked for them once. Row 0 is that of no unit, to which empty slots lead.
        self._records = np.zeros((capacity + 1, 4), np.uint64)
        self._ids = np.zeros(4 * capacity, np.int64)
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._rows_of_slots = np.zeros(2 * self.capacity, np.int32)
        # Asked for a unit that is not there, the dictionary gives it the next row.
        self._rows: defaultdict[bytes, int] = defaultdict()
        self._rows.default_factory = self._rows.__len__
        self._rows[b""] = 0
        self._n_ids = 0

    def encode(self, text: str) -> list[int]:
        """The ids of a text of 1 to `capacity` characters, none of them NUL."""
        with self._lock:
            try:
                return self._encode(text.encode("utf-8"))
            except BaseException:  # also an interrupt, which may leave rows without a record
                self._forget()
                raise

    def _encode(self, data: bytes) -> list[int]:
        bounds = unit_bounds(data, self._line_ends)
        starts, lengths = bounds[:-1], bounds[1:] - bounds[:-1]
        eight_bytes_from = np.ndarray(len(data) + 9, "<u8", data + bytes(_LONGEST), strides=(1,))
        low = eight_bytes_from[starts] & _LOW_BITS.take(lengths, mode="clip")
        high = eight_bytes_from[starts + 8] & _HIGH_BITS.take(lengths, mode="clip")
        slots = ((low * _MIX_LOW ^ high * _MIX_HIGH) >> self._shift).view(np.int64)
        records = self._records.take(self._rows_of_slots[slots], axis=0)
        missing = np.flatnonzero((records[:, 0] != low) | (records[:, 1] != high))
        if len(missing):
            if len(self._rows) + len(missing) > len(self._records) or self._n_ids + len(data) > len(self._ids):
                self._forget()
                return self._encode(data)
            known = len(self._rows)
            units = [data[i:j] for i, j in zip(starts[missing].tolist(), bounds[missing + 1].tolist(), strict=True)]
            rows = np.array(list(map(self._rows.__getitem__, units)))
            if len(self._rows) > known:
                self._encode_from(known)
                empty = (self._rows_of_slots[slots[missing]] == 0) & (lengths[missing] <= _LONGEST)
                first, its_rows = missing[empty], rows[empty]
                # Of several that come first to a slot, the last is written, and has it.
                self._rows_of_slots[slots[first]] = its_rows
                self._records[its_rows, 0], self._records[its_rows, 1] = low[first], high[first]
            records[missing] = self._records[rows]
        begins, ends = records.view(np.int64)[:, 2:].T
        counts = ends - begins
        places = np.repeat(ends - counts.cumsum(), counts)
        places += np.arange(len(places))
        return self._ids[places].tolist()

    def _encode_from(self, known: int) -> None:
        # Fill the records from row `known` on: a dictionary keeps the order in which units were put in.
        units = list(islice(reversed(self._rows), len(self._rows) - known))
        ids: list[int] = []
        bounds = [self._n_ids]
        for unit in reversed(units):
            ids += self._encode_unit(unit.decode("utf-8"))
            bounds.append(self._n_ids + len(ids))
        self._ids[self._n_ids : bounds[-1]] = ids
        self._n_ids = bounds[-1]
        self._records[known : len(self._rows), 2] = bounds[:-1]
        self._records[known : len(self._rows), 3] = bounds[1:]
