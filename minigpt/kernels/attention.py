"""`attention`: every query collects from the keys it sees, without the matrix of scores where a kernel runs."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minigpt.kernels.dispatch import implementation
from minigpt.kernels.reference import attention as reference

FLOATS = (torch.float32, torch.bfloat16, torch.float16)
WIDEST = 256
"""The widest head that the kernels take; wider ones go to the reference."""


def attention(
    q: Float[Tensor, "batch heads queries width"],
    k: Float[Tensor, "batch kv_heads keys width"],
    v: Float[Tensor, "batch kv_heads keys width"],
    *,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
) -> Float[Tensor, "batch heads queries width"]:
    """`softmax(scale Q K^T) V` (Vaswani et al., 2017, equation 1), by FlashAttention (Dao, 2023) where a kernel runs.

    Args:
        q: queries.
        k: keys. Several heads of queries may share a head of keys: `heads` is a multiple of `kv_heads`, and head `h`
            uses `h // (heads // kv_heads)` (Ainslie et al., 2023).
        v: values.
        causal: whether a query sees only the keys up to its own. The last query stands at the last key; a query that
            stands before the first key sees none, and gets zeros.
        window: with `causal`, how many keys a query sees at the most; by default all.
        scale: what the scores are multiplied by, positive; by default `1 / sqrt(width)`.

    Raises:
        ValueError: if shapes, types or settings do not fit together.
    """
    return attention_with_lse(q, k, v, causal=causal, window=window, scale=scale)[0]


def attention_with_lse(
    q: Float[Tensor, "batch heads queries width"],
    k: Float[Tensor, "batch kv_heads keys width"],
    v: Float[Tensor, "batch kv_heads keys width"],
    *,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
) -> tuple[Float[Tensor, "batch heads queries width"], Float[Tensor, "batch heads queries"]]:
    """`attention`, and for each query the logarithm of the sum of the exponentials of its scores.

    With it, the results of several sets of keys can be merged: see `merge`. It is `-inf` where no key is seen.

    Args:
        q: queries.
        k: keys.
        v: values.
        causal: whether a query sees only the keys up to its own.
        window: with `causal`, how many keys a query sees at the most.
        scale: what the scores are multiplied by.

    Raises:
        ValueError: if shapes, types or settings do not fit together.
    """
    check_heads(q, k, v)
    if window is not None and (not causal or window < 1):
        raise ValueError(f"window={window} with causal={causal}; a window is at least 1 and needs causal=True")
    return _attention(q, k, v, causal, window, checked_scale(scale, q.shape[-1]))


def merge(
    outputs: Float[Tensor, "parts *batch width"], lse: Float[Tensor, " parts *batch"]
) -> tuple[Float[Tensor, "*batch width"], Float[Tensor, "*batch"]]:
    """Attention over all keys from attention over parts of them, each part weighted by its share of the sum.

    Args:
        outputs: what the queries got from each part.
        lse: the logarithm of the sum of each part; `-inf` where a query saw nothing of it.
    """
    total = lse.logsumexp(0)
    blind = total == -torch.inf
    shares = (lse - total.masked_fill(blind, 0)).exp()
    return (outputs * shares[..., None].to(outputs.dtype)).sum(0), total


def decode_attention(
    q: Float[Tensor, "batch heads width"],
    k: Float[Tensor, "batch kv_heads keys width"],
    v: Float[Tensor, "batch kv_heads keys width"],
    lengths: Int[Tensor, " batch"] | None = None,
    *,
    scale: float | None = None,
) -> Float[Tensor, "batch heads width"]:
    """Attention of one query a sequence to its cache, with the keys split among programs; it has no gradient.

    Args:
        q: queries, one for each head.
        k: keys; heads of queries may share them, as in `attention`.
        v: values.
        lengths: how many keys of each sequence count, from its first on; by default all. A sequence without keys gets
            zeros. Longer than the cache means all of it.
        scale: what the scores are multiplied by, positive; by default `1 / sqrt(width)`.

    Raises:
        ValueError: if shapes, types or settings do not fit together.
    """
    if q.ndim != 3:
        raise ValueError(f"q is {tuple(q.shape)}; expected (batch, heads, width), one query for each head")
    check_heads(q[:, :, None], k, v)
    if lengths is not None and (lengths.shape != q.shape[:1] or lengths.is_floating_point()):
        raise ValueError(f"lengths is {tuple(lengths.shape)} {lengths.dtype}; expected ({q.shape[0]},) of integers")
    return _decode(q, k, v, lengths, checked_scale(scale, q.shape[-1]))


def check_heads(q: Tensor, k: Tensor, v: Tensor) -> None:
    """Refuse queries, keys and values that do not fit together.

    Raises:
        ValueError: if they do not.
    """
    shapes = ", ".join(f"{name} {tuple(x.shape)} {x.dtype}" for name, x in (("q", q), ("k", k), ("v", v)))
    if q.ndim != 4 or k.ndim != 4 or k.shape != v.shape or q.shape[0] != k.shape[0] or q.shape[3] != k.shape[3]:
        raise ValueError(
            f"{shapes}: expected (batch, heads, queries, width), and (batch, kv_heads, keys, width) for keys and values"
        )
    if not k.shape[1] or q.shape[1] % k.shape[1]:
        raise ValueError(f"{q.shape[1]} heads of queries cannot share {k.shape[1]} heads of keys: it is no divisor")
    if not q.dtype == k.dtype == v.dtype:
        raise ValueError(f"{shapes}: convert all three to one type")


def checked_scale(scale: float | None, width: int) -> float:
    """What scores are multiplied by.

    Raises:
        ValueError: if it is not a positive number.
    """
    scale = 1 / math.sqrt(width) if scale is None else scale
    if not 0 < scale < math.inf:
        raise ValueError(f"scale={scale} must be a positive number")
    return scale


def runs_on(*tensors: Tensor, operation: str) -> str:
    """The implementation for tensors whose last dimension is the width of a head."""
    ok = tensors[0].dtype in FLOATS and tensors[0].shape[-1] <= WIDEST
    return implementation(*tensors, operation=operation, triton_ok=ok, dot=True)


@torch.library.custom_op("minigpt::attention", mutates_args=())
def _attention(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, window: int | None, scale: float
) -> tuple[Tensor, Tensor]:
    if runs_on(q, k, v, operation="attention") == "torch":
        out, lse = reference.attention(q, k, v, causal, window, scale)
        return _by_time(out), lse
    from minigpt.kernels.triton import attention as kernel

    return kernel.attention(q, k, v, causal, window, scale)


@_attention.register_fake
def _(q, k, v, causal, window, scale):
    lse = q.new_empty(q.shape[:3], dtype=torch.promote_types(q.dtype, torch.float32))
    return _laid_by_time(q), lse


@torch.library.custom_op("minigpt::attention_backward", mutates_args=())
def _attention_backward(
    grad: Tensor,
    grad_lse: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    causal: bool,
    window: int | None,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if runs_on(q, k, v, operation="attention") == "torch":
        gradients = reference.attention_backward(grad, grad_lse, q, k, v, causal, window, scale)
        return tuple(map(_by_time, gradients))
    from minigpt.kernels.triton import attention_backward as kernel

    return kernel.attention_backward(grad, grad_lse, q, k, v, out, lse, causal, window, scale)


@_attention_backward.register_fake
def _(grad, grad_lse, q, k, v, out, lse, causal, window, scale):
    return tuple(map(_laid_by_time, (q, k, v)))


def _laid_by_time(x: Tensor) -> Tensor:
    # Memory for the like of x, the heads of a position side by side: so the map that follows wants them.
    return torch.empty_like(x.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)


def _by_time(x: Tensor) -> Tensor:
    return _laid_by_time(x).copy_(x)


def _setup(ctx, inputs, output) -> None:
    q, k, v, *ctx.settings = inputs
    ctx.save_for_backward(q, k, v, *output)


def _backward(ctx, grad, grad_lse):
    return *_attention_backward(grad, grad_lse, *ctx.saved_tensors, *ctx.settings), None, None, None


_attention.register_autograd(_backward, setup_context=_setup)


@torch.library.custom_op("minigpt::decode_attention", mutates_args=())
def _decode(q: Tensor, k: Tensor, v: Tensor, lengths: Tensor | None, scale: float) -> Tensor:
    if runs_on(q, k, v, operation="decode_attention") == "torch":
        return reference.decode_attention(q, k, v, lengths, scale).contiguous()
    from minigpt.kernels.triton import decode as kernel

    return kernel.decode_attention(q, k, v, lengths, scale)[0]


@_decode.register_fake
def _(q, k, v, lengths, scale):
    return torch.empty_like(q, memory_format=torch.contiguous_format)
