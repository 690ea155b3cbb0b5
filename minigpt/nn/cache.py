"""The key-value cache: what attention needs of the tokens that were read before, kept so that each is read once."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


class LayerCache:
    """Keys and values of one layer, in memory that is there from the beginning.

    Attributes:
        length: number of positions that are filled.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None
        self._inputs: Tensor | None = None

    def append(
        self,
        keys: Float[Tensor, "batch kv_heads time d_head"],
        values: Float[Tensor, "batch kv_heads time d_head"],
    ) -> tuple[Float[Tensor, "batch kv_heads length d_head"], Float[Tensor, "batch kv_heads length d_head"]]:
        """Add the keys and values of further positions; returns those of all positions so far.

        Raises:
            ValueError: if there is no room for them.
        """
        self._require_room(keys.shape[2])
        start, stop = self.length, self.length + keys.shape[2]
        if self._keys is None:
            batch, heads, _, d_head = keys.shape
            self._keys = keys.new_empty(batch, heads, self.capacity, d_head)
            self._values = values.new_empty(batch, heads, self.capacity, d_head)
        self._keys[:, :, start:stop] = keys
        self._values[:, :, start:stop] = values
        self.length = stop
        return self._keys[:, :, :stop], self._values[:, :, :stop]

    def n_keys(self, time: int) -> int:
        """How many positions `append` will return when `time` further ones come."""
        return self.length + time

    def truncate(self, length: int) -> None:
        """Forget all positions behind the first `length`, as speculative decoding does with a draft that was refused.

        Raises:
            ValueError: if there are not so many positions.
        """
        if not 0 <= length <= self.length:
            raise ValueError(f"length={length} must be from 0 to {self.length}, the positions that the cache holds")
        self.length = length

    def shift(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch 1 d_model"]:
        """Remember the vectors of further positions, whose keys come next; returns the vector before the first of them.

        Zeros stand before the beginning. `minigpt.nn.TokenShift` needs this.

        Raises:
            ValueError: if there is no room for them.
        """
        self._require_room(x.shape[1])
        if self._inputs is None:
            self._inputs = x.new_empty(x.shape[0], self.capacity, x.shape[2])
        start = self.length
        before = self._inputs[:, start - 1 : start].clone() if start else torch.zeros_like(x[:, :1])
        self._inputs[:, start : start + x.shape[1]] = x
        return before

    @property
    def filled(self) -> tuple[Float[Tensor, "batch kv_heads length d_head"], ...] | None:
        """Keys and values of all positions so far; `None` while there are none."""
        if self._keys is None:
            return None
        return self._keys[:, :, : self.length], self._values[:, :, : self.length]

    def select(self, which: Int[Tensor, " new_batch"]) -> None:
        """Let row `i` of the batch go on from what was row `which[i]`, as beam search needs it."""
        if self._keys is not None:
            self._keys, self._values = self._keys[which], self._values[which]
        if self._inputs is not None:
            self._inputs = self._inputs[which]

    def _require_room(self, time: int) -> None:
        if self.length + time > self.capacity:
            raise ValueError(
                f"{time} more positions do not fit: the cache holds {self.length} of {self.capacity}; make it with a "
                "larger capacity"
            )


class WindowLayerCache(LayerCache):
    """Keys and values of the last positions of one layer: what a query sees that looks only `window` positions back.

    The memory has twice the window's length. Positions are written one behind the other, and when the end is reached
    the last of them move to the front, so that what is returned is always in order and mostly not copied.

    Args:
        capacity: how many positions may be read in all, at least 1.
        window: how many of them a query sees, its own included, at least 1.
    """

    def __init__(self, capacity: int, window: int) -> None:
        super().__init__(capacity)
        self.window = window
        self._stop = 0

    def append(
        self,
        keys: Float[Tensor, "batch kv_heads time d_head"],
        values: Float[Tensor, "batch kv_heads time d_head"],
    ) -> tuple[Float[Tensor, "batch kv_heads n_keys d_head"], Float[Tensor, "batch kv_heads n_keys d_head"]]:
        """Add the keys and values of further positions; returns those that the first of the new positions sees, and
        all behind them.

        Raises:
            ValueError: if more positions were read than the capacity allows.
        """
        time = keys.shape[2]
        self._require_room(time)
        if self._keys is None:
            batch, heads, _, d_head = keys.shape
            self._keys = keys.new_empty(batch, heads, 2 * self.window, d_head)
            self._values = values.new_empty(batch, heads, 2 * self.window, d_head)
        before = self.n_keys(time) - time
        pairs = ((self._keys, keys), (self._values, values))
        self.length += time
        if time > self.window:
            seen = tuple(torch.cat([memory[:, :, self._stop - before : self._stop], new], 2) for memory, new in pairs)
            for (memory, _), part in zip(pairs, seen, strict=True):
                memory[:, :, : self.window] = part[:, :, -self.window :]
            self._stop = self.window
            return seen
        if self._stop + time > 2 * self.window:
            for memory, _ in pairs:
                memory[:, :, :before] = memory[:, :, self._stop - before : self._stop].clone()
            self._stop = before
        for memory, new in pairs:
            memory[:, :, self._stop : self._stop + time] = new
        self._stop += time
        start = self._stop - time - before
        return self._keys[:, :, start : self._stop], self._values[:, :, start : self._stop]

    def n_keys(self, time: int) -> int:
        """How many positions `append` will return when `time` further ones come."""
        return min(self.length, self.window - 1) + time

    def truncate(self, length: int) -> None:
        """Forget all positions behind the first `length`.

        Raises:
            ValueError: if there are not so many positions, or those before them that a query sees are gone already.
        """
        stop = self._stop - (self.length - length)
        if 0 <= length <= self.length and stop < min(length, self.window - 1):
            raise ValueError(
                f"length={length} lies too far back: of the {self.length} positions that were read, the cache holds "
                f"the last {self._stop}, and the next query sees {min(length, self.window - 1)} before it"
            )
        super().truncate(length)
        self._stop = stop

    @property
    def filled(self) -> tuple[Float[Tensor, "batch kv_heads held d_head"], ...] | None:
        """Keys and values of the positions that the next query sees; `None` while there are none."""
        if self._keys is None:
            return None
        start = self._stop - min(self.length, self.window - 1)
        return self._keys[:, :, start : self._stop], self._values[:, :, start : self._stop]


class Cache:
    """A `LayerCache` for each layer of a model.

    Args:
        n_layers: number of layers, at least 1.
        capacity: how many positions there is room for, at least 1.
        window: if given, each layer keeps only what a query sees that looks so many positions back
            (`WindowLayerCache`), and the capacity costs no memory for keys and values.

    Raises:
        ValueError: if a size is smaller than 1.
    """

    def __init__(self, n_layers: int, capacity: int, window: int | None = None) -> None:
        if n_layers < 1 or capacity < 1:
            raise ValueError(f"n_layers={n_layers} and capacity={capacity} must both be at least 1")
        if window is not None and window < 1:
            raise ValueError(f"window={window} must be at least 1: a query sees its own key")
        narrow = window is not None and window < capacity
        self.layers = [WindowLayerCache(capacity, window) if narrow else LayerCache(capacity) for _ in range(n_layers)]

    @property
    def length(self) -> int:
        """Number of positions that were read."""
        return self.layers[0].length

    def select(self, which: Int[Tensor, " new_batch"]) -> None:
        """Let row `i` of the batch go on from what was row `which[i]`."""
        for layer in self.layers:
            layer.select(which)

    def n_keys(self, time: int) -> int:
        """How many positions attention will see, the new ones included, when `time` further ones come."""
        return self.layers[0].n_keys(time)

    def truncate(self, length: int) -> None:
        """Forget all positions behind the first `length`.

        Raises:
            ValueError: if there are not so many positions, or a layer with a window has forgotten too many.
        """
        for layer in self.layers:
            layer.truncate(length)
