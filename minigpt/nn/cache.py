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
        start, stop = self.length, self.length + keys.shape[2]
        if stop > self.capacity:
            raise ValueError(
                f"{keys.shape[2]} more positions do not fit: the cache holds {start} of {self.capacity}; make it with "
                "a larger capacity"
            )
        if self._keys is None:
            batch, heads, _, d_head = keys.shape
            self._keys = keys.new_empty(batch, heads, self.capacity, d_head)
            self._values = values.new_empty(batch, heads, self.capacity, d_head)
        self._keys[:, :, start:stop] = keys
        self._values[:, :, start:stop] = values
        self.length = stop
        return self._keys[:, :, :stop], self._values[:, :, :stop]

    def shift(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch 1 d_model"]:
        """Remember the vectors of further positions, whose keys come next; returns the vector before the first of them.

        Zeros stand before the beginning. `minigpt.nn.TokenShift` needs this.
        """
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


class Cache:
    """A `LayerCache` for each layer of a model.

    Args:
        n_layers: number of layers, at least 1.
        capacity: how many positions there is room for, at least 1.

    Raises:
        ValueError: if a size is smaller than 1.
    """

    def __init__(self, n_layers: int, capacity: int) -> None:
        if n_layers < 1 or capacity < 1:
            raise ValueError(f"n_layers={n_layers} and capacity={capacity} must both be at least 1")
        self.layers = [LayerCache(capacity) for _ in range(n_layers)]

    @property
    def length(self) -> int:
        """Number of positions that were read."""
        return self.layers[0].length

    def select(self, which: Int[Tensor, " new_batch"]) -> None:
        """Let row `i` of the batch go on from what was row `which[i]`."""
        for layer in self.layers:
            layer.select(which)
