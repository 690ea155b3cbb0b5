"""Attention: every position collects from others what it needs (Vaswani et al., 2017, section 3.2)."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.kernels import attention as kernels
from minigpt.kernels.dispatch import asked_for
from minigpt.nn.cache import LayerCache
from minigpt.nn.linear import Linear
from minigpt.nn.mask import causal_mask
from minigpt.nn.rotary import Rotary


def attention_reference(
    q: Float[Tensor, "batch heads queries d_k"],
    k: Float[Tensor, "batch kv_heads keys d_k"],
    v: Float[Tensor, "batch kv_heads keys d_v"],
    mask: Bool[Tensor, "#batch #heads #queries keys"] | None = None,
) -> tuple[Float[Tensor, "batch heads queries d_v"], Float[Tensor, "batch heads queries keys"]]:
    """`softmax(Q K^T / sqrt(d_k)) V` (Vaswani et al., 2017, equation 1), written to be read.

    Args:
        q: queries.
        k: keys. Several heads of queries may share a head of keys: `heads` is a multiple of `kv_heads` (Ainslie et al.,
            2023), and head `h` uses key-value head `h // (heads // kv_heads)`.
        v: values.
        mask: `True` where a query may look at a key; by default everywhere.

    Returns:
        The outputs, and the weights, each row of which sums to 1. A query that may look at no key gets zeros.
    """
    shared = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(shared, dim=1), v.repeat_interleave(shared, dim=1)
    scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask.any(dim=-1, keepdim=True), 0)
    return torch.einsum("bhqk,bhkd->bhqd", weights, v), weights


class Attention(nn.Module):
    """Multi-head attention: self-attention, masked self-attention or cross-attention (Vaswani et al., 2017).

    Args:
        d_model: width of the vectors, at least 1.
        n_heads: heads of queries, at least 1.
        n_kv_heads: heads of keys and values, a divisor of `n_heads`: as many give multi-head attention (the default),
            one multi-query attention (Shazeer, 2019), and numbers between grouped-query attention (Ainslie et al.,
            2023).
        d_head: width of a head; by default `d_model / n_heads`.
        causal: whether a position sees only itself and those before it.
        window: with `causal`, how many positions are seen at the most; by default all.
        rotary: turns queries and keys by their positions; one object may serve all layers.
        bias: whether the maps to queries, keys and values have one.
        bias_out: the same for the map back to `d_model`; by default `bias`.
        dropout: share of the attention weights that is set to zero in training, from 0 to below 1.
        std: standard deviation of the initial weights (uniform draws).
        std_out: the same for the map back to `d_model`; by default `std`.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own, which `torch.manual_seed` sets.

    Raises:
        ValueError: if the sizes do not fit together, or there is a window without `causal`.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        *,
        n_kv_heads: int | None = None,
        d_head: int | None = None,
        causal: bool = False,
        window: int | None = None,
        rotary: Rotary | None = None,
        bias: bool = True,
        bias_out: bool | None = None,
        dropout: float = 0.0,
        std: float = 0.02,
        std_out: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        if not 1 <= n_kv_heads <= n_heads or n_heads % n_kv_heads:
            raise ValueError(f"n_heads={n_heads} is not a multiple of n_kv_heads={n_kv_heads}")
        if d_head is None and d_model % n_heads:
            raise ValueError(f"d_model={d_model} is not divisible by n_heads={n_heads}; choose others, or give d_head")
        if window is not None and not causal:
            raise ValueError(f"window={window} needs causal=True: it says how far back a position sees")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout={dropout} is a share; it must be from 0 to below 1")
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        self.d_head = d_model // n_heads if d_head is None else d_head
        self.causal, self.window, self.dropout = causal, window, dropout
        self.rotary = rotary
        # Queries, keys and values side by side: one product of matrices is faster than three.
        d_qkv = (n_heads + 2 * n_kv_heads) * self.d_head
        self.qkv = Linear(d_model, d_qkv, bias=bias, std=std, generator=generator)
        self.output = Linear(
            n_heads * self.d_head,
            d_model,
            bias=bias if bias_out is None else bias_out,
            std=std if std_out is None else std_out,
            generator=generator,
        )

    def forward(
        self,
        x: Float[Tensor, "batch queries d_model"],
        *,
        mask: Bool[Tensor, "#batch #heads #queries keys"] | None = None,
        positions: Int[Tensor, "#batch queries"] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch queries d_model"]:
        """Let the positions of `x` attend to one another, and to what is in the cache.

        Args:
            x: one vector for each position.
            mask: `True` where a query may look at a key (of the cache or of `x`), beside what `causal` and `window`
                allow; see `padding_mask`.
            positions: the position of every token, where they do not follow one another.
            cache: keys and values of the positions before; those of `x` are added.
        """
        q, k, v = self.project(x, 0 if cache is None else cache.length, positions)
        if cache is not None:
            k, v = cache.append(k, v)
        return self._mix(q, k, v, mask, self.causal)

    def cross(
        self,
        x: Float[Tensor, "batch queries d_model"],
        memory: Float[Tensor, "batch keys d_model"] | None,
        *,
        mask: Bool[Tensor, "#batch #heads #queries keys"] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch queries d_model"]:
        """Let the positions of `x` attend to those of another sequence, as a decoder does to its encoder's.

        Args:
            x: one vector for each position that asks.
            memory: one vector for each position that is asked; not used once its keys and values are in the cache.
            mask: `True` where a query may look at a key.
            cache: where the keys and values of `memory` are kept between calls.

        Raises:
            ValueError: if there is neither a memory nor a cache that is filled.
        """
        kept = None if cache is None else cache.filled
        if kept is None:
            if memory is None:
                raise ValueError("there is no memory to look at, and no cache that holds its keys and values")
            kept = self.keys_values(memory)
            if cache is not None:
                kept = cache.append(*kept)
        width = self.n_heads * self.d_head
        bias = self.qkv.bias
        q = F.linear(x, self.qkv.weight[:width], None if bias is None else bias[:width])
        return self._mix(q.unflatten(-1, (-1, self.d_head)).transpose(1, 2), *kept, mask, False)

    def weights(
        self,
        x: Float[Tensor, "batch queries d_model"],
        memory: Float[Tensor, "batch keys d_model"] | None = None,
        *,
        mask: Bool[Tensor, "#batch #heads #queries keys"] | None = None,
        positions: Int[Tensor, "#batch queries"] | None = None,
    ) -> Float[Tensor, "batch heads queries keys"]:
        """The attention weights that `forward` (or, with a memory, `cross`) uses, to look at; each row sums to 1."""
        q, k, v = self.project(x, 0, positions)
        if memory is not None:
            k, v = self.keys_values(memory)
        elif self.causal:
            allowed = causal_mask(x.shape[1], window=self.window, device=x.device)
            mask = allowed if mask is None else mask & allowed
        return attention_reference(q, k, v, mask)[1]

    def project(
        self,
        x: Float[Tensor, "batch time d_model"],
        start: int = 0,
        positions: Int[Tensor, "#batch time"] | None = None,
    ) -> tuple[
        Float[Tensor, "batch heads time d_head"],
        Float[Tensor, "batch kv_heads time d_head"],
        Float[Tensor, "batch kv_heads time d_head"],
    ]:
        """Queries, keys and values of every position, turned by `rotary` where there is one."""
        heads = self.qkv(x).unflatten(-1, (-1, self.d_head))
        sizes = [self.n_heads, self.n_kv_heads, self.n_kv_heads]
        if self.rotary is None:
            q, k, v = heads.split(sizes, dim=2)
        else:
            both, v = heads.split([sum(sizes[:2]), sizes[2]], dim=2)
            q, k = self.rotary(both, start, positions).split(sizes[:2], dim=2)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def keys_values(
        self, memory: Float[Tensor, "batch keys d_model"]
    ) -> tuple[Float[Tensor, "batch kv_heads keys d_head"], ...]:
        """Keys and values of another sequence's positions, for `cross`."""
        width = self.n_heads * self.d_head
        bias = self.qkv.bias
        both = F.linear(memory, self.qkv.weight[width:], None if bias is None else bias[width:])
        return tuple(part.transpose(1, 2) for part in both.unflatten(-1, (-1, self.d_head)).chunk(2, dim=2))

    def _mix(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        if asked_for() and mask is None and not (self.training and self.dropout):
            mixed = _by_kernels(q, k, v, causal, self.window if causal else None)
            return self.output(mixed.transpose(1, 2).flatten(2))
        n_queries, n_keys = q.shape[2], k.shape[2]
        # A query that is the last position sees all keys; PyTorch knows the causal mask of a square by itself.
        narrow = self.window is not None and self.window < n_keys
        plain = mask is None and not narrow
        is_causal = causal and plain and n_queries == n_keys and n_queries > 1
        if causal and not is_causal and (n_queries > 1 or narrow):
            allowed = causal_mask(n_queries, n_keys, window=self.window, device=q.device)
            mask = allowed if mask is None else mask & allowed
        mixed = _scaled_dot_product(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=is_causal,
            enable_gqa=self.n_kv_heads != self.n_heads,
        )
        return self.output(mixed.transpose(1, 2).flatten(2))

    def extra_repr(self) -> str:
        """Sizes, for `print(module)`."""
        return (
            f"n_heads={self.n_heads}, n_kv_heads={self.n_kv_heads}, d_head={self.d_head}, causal={self.causal}, "
            f"window={self.window}"
        )


def _by_kernels(q: Tensor, k: Tensor, v: Tensor, causal: bool, window: int | None) -> Tensor:
    # A token that is written after others is one query at a long cache, for which there is a kernel without gradient.
    if q.shape[2] == 1 and not (torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v))):
        if window is not None:
            k, v = k[:, :, -window:], v[:, :, -window:]
        return kernels.decode_attention(q[:, :, 0], k, v).unsqueeze(2)
    return kernels.attention(q, k, v, causal=causal, window=window)


def _scaled_dot_product(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    if q.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return F.scaled_dot_product_attention(q, k, v, **options)
    # In bfloat16, attention takes PyTorch seven times as long backwards on a CPU as in float32.
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), **options)
