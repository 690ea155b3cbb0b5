"""Attention, forward and backward, in plain PyTorch, with the matrix of scores written out."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def attention(
    q: Float[Tensor, "batch heads queries width"],
    k: Float[Tensor, "batch kv_heads keys width"],
    v: Float[Tensor, "batch kv_heads keys width"],
    causal: bool,
    window: int | None,
    scale: float,
) -> tuple[Float[Tensor, "batch heads queries width"], Float[Tensor, "batch heads queries"]]:
    """`softmax(scale Q K^T) V` (Vaswani et al., 2017, equation 1), and the logarithm of each sum of exponentials.

    Args:
        q: queries; the last one stands at the last key.
        k: keys; head `h` of the queries uses head `h // (heads // kv_heads)`.
        v: values.
        causal: whether a query sees only the keys up to its own.
        window: how many keys it sees at the most.
        scale: what the scores are multiplied by.
    """
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
    weights, lse = _weights(q, k, causal, window, scale)
    return weights.to(v.dtype) @ v, lse


def attention_backward(
    grad: Float[Tensor, "batch heads queries width"],
    grad_lse: Float[Tensor, "batch heads queries"],
    q: Float[Tensor, "batch heads queries width"],
    k: Float[Tensor, "batch kv_heads keys width"],
    v: Float[Tensor, "batch kv_heads keys width"],
    causal: bool,
    window: int | None,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values (Dao et al., 2022, appendix B.2).

    With `P` the weights and `dP = dO V^T`: `dV = P^T dO`, `dS = P (dP - rowsum(P dP) + dlse)`, `dQ = scale dS K` and
    `dK = scale dS^T Q`; what heads of queries share is added up.

    Args:
        grad: gradient of the outputs.
        grad_lse: gradient of the logarithms of the sums.
        q: queries, as in the forward pass; so are the rest.
        k: keys.
        v: values.
        causal: whether a query sees only the keys up to its own.
        window: how many keys it sees at the most.
        scale: what the scores are multiplied by.
    """
    kv_heads, shared = k.shape[1], q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(shared, dim=1) for x in (k, v))
    weights, _ = _weights(q, k, causal, window, scale)
    grad_weights = (grad @ v.mT).to(weights.dtype)
    mean = (weights * grad_weights).sum(-1, keepdim=True)
    grad_scores = (weights * (grad_weights - mean + grad_lse[..., None]) * scale).to(q.dtype)
    grad_k, grad_v = grad_scores.mT @ q, weights.to(q.dtype).mT @ grad
    grad_k, grad_v = (x.unflatten(1, (kv_heads, shared)).sum(2) for x in (grad_k, grad_v))
    return grad_scores @ k, grad_k, grad_v


def decode_attention(
    q: Float[Tensor, "batch heads width"],
    k: Float[Tensor, "batch kv_heads keys width"],
    v: Float[Tensor, "batch kv_heads keys width"],
    lengths: Int[Tensor, " batch"] | None,
    scale: float,
) -> Float[Tensor, "batch heads width"]:
    """Attention of one query a sequence to the first keys of its cache.

    Args:
        q: queries.
        k: keys.
        v: values.
        lengths: how many keys of each sequence count; `None` for all.
        scale: what the scores are multiplied by.
    """
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
    past = None
    if lengths is not None:
        past = (torch.arange(k.shape[2], device=k.device) >= lengths[:, None])[:, None, None]
        v = v.masked_fill(past.mT, 0)  # what lies there may be anything, NaN included
    weights, _ = _weights(q[:, :, None], k, False, None, scale, past)
    return (weights.to(v.dtype) @ v)[:, :, 0]


def _weights(
    q: Tensor, k: Tensor, causal: bool, window: int | None, scale: float, hidden: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    # In float32 at least: that is what the kernels do, and a mask of -inf has no gradient that is not NaN.
    scores = q @ k.mT * scale
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if causal:
        hidden = ~causal_mask(q.shape[2], k.shape[2], window, q.device)
    if hidden is not None:
        scores = scores.masked_fill(hidden, -torch.inf)
    lse = scores.logsumexp(-1) if k.shape[2] else scores.new_full(scores.shape[:-1], -torch.inf)
    blind = lse == -torch.inf
    return (scores - lse.masked_fill(blind, 0)[..., None]).exp(), lse


def causal_mask(n_queries: int, n_keys: int, window: int | None, device: torch.device) -> Bool[Tensor, "queries keys"]:
    """`True` where a query may look at a key: those up to its own, at most `window` of them.

    Args:
        n_queries: number of queries, the last of which stands at the last key; there may be more of them than keys.
        n_keys: number of keys.
        window: how many keys are seen at the most; `None` for all.
        device: where the mask is wanted.
    """
    behind = torch.arange(n_keys - n_queries, n_keys, device=device)[:, None] - torch.arange(n_keys, device=device)
    return behind >= 0 if window is None else (behind >= 0) & (behind < window)
