"""A dictionary that computes what it does not hold, and forgets what was not used for long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

_MAX_KEY = 256


class Cache(dict[str, Value], Generic[Value]):
    """Holds at most `2 * size` results of a function of a text.

    Results are kept in two generations. When the young one is full, it becomes the old one and the old one is
    forgotten; what is found in the old one becomes young again. So what was used within the last `size` different
    texts is there, at the price of one look-up. Texts of more than 256 characters are not kept.

    Args:
        compute: the function.
        size: how many results a generation holds, at least 1.
    """

    def __init__(self, compute: Callable[[str], Value], size: int) -> None:
        super().__init__()
        self._compute = compute
        self._size = size
        self._old: dict[str, Value] = {}

    def __missing__(self, key: str) -> Value:
        value = self._old.get(key)
        if value is None:
            value = self._compute(key)
        if len(key) <= _MAX_KEY:
            if len(self) >= self._size:
                self._old = dict(self)
                self.clear()
            self[key] = value
        return value
