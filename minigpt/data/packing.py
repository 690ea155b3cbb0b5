"""Packing: documents of many lengths into rows of one length, with little room left over."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int


def pieces(
    starts: Int[np.ndarray, " documents"], lengths: Int[np.ndarray, " documents"], capacity: int
) -> tuple[Int[np.ndarray, " pieces"], Int[np.ndarray, " pieces"]]:
    """Cut what is longer than a row: into pieces that fill a row, and a last one of what remains.

    Args:
        starts: where each document begins in a stream.
        lengths: how long it is, at least 1.
        capacity: length of a row, at least 1.

    Returns:
        Where each piece begins, and how long it is; in the order of the stream where the documents are.
    """
    counts = -(-lengths // capacity)
    document = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(document)) - np.repeat(counts.cumsum() - counts, counts)
    return starts[document] + capacity * number, np.minimum(capacity, lengths[document] - capacity * number)


def pack(lengths: Int[np.ndarray, " pieces"], capacity: int) -> Int[np.ndarray, " pieces"]:
    """Put each piece into a row, the longest first, each where the least room is left for it ("best fit decreasing").

    No packing of this kind needs more than 11/9 of the rows of the best one, and a few more (Johnson et al., 1974).

    Args:
        lengths: how long each piece is, from 1 to `capacity`.
        capacity: length of a row.

    Returns:
        The row of each piece; rows are numbered from 0, and none is empty.

    Raises:
        ValueError: if a piece is empty, or longer than a row.
    """
    if len(lengths) and not 1 <= lengths.min() <= lengths.max() <= capacity:
        raise ValueError(
            f"pieces of {lengths.min()} to {lengths.max()} tokens do not fit rows of {capacity}; a piece has from 1 to "
            f"{capacity}"
        )
    rows = np.empty(len(lengths), np.int64)
    full = lengths == capacity
    n_rows = int(full.sum())
    rows[full] = np.arange(n_rows)
    order = np.argsort(-lengths, kind="stable")[n_rows:]
    # Rows by the room that is left in them; bit `i` of `rooms` says whether there is one with room for `i` tokens.
    by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0
    for piece, length in zip(order.tolist(), lengths[order].tolist(), strict=True):
        if enough := rooms >> length:
            room = length + (enough & -enough).bit_length() - 1
            row = by_room[room].pop()
            if not by_room[room]:
                rooms ^= 1 << room
        else:
            room, row = capacity, n_rows
            n_rows += 1
        rows[piece] = row
        left = room - length
        if left:
            by_room[left].append(row)
            rooms |= 1 << left
    return rows
