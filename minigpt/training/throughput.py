"""How much arithmetic a model needs, how much a machine can do, and the share of it that training uses (MFU)."""

from __future__ import annotations

import statistics
import time

import torch
from torch.nn import functional as F

from minigpt.models import TransformerConfig


def flops_per_token(config: TransformerConfig, context: int | None = None) -> float:
    """Floating-point operations for one token of a training step: forward, and twice that backward.

    Counted are the products of matrices, two operations for each weight and token, and those of attention (Chowdhery
    et al., 2022, appendix B). A causal model looks at half of the pairs of positions on average.

    Args:
        config: the model's sizes.
        context: length of the sequences; by default `config.context`.
    """
    context = config.context if context is None else context
    d, d_head = config.d_model, config.d_head
    qkv = d * d_head * (config.n_heads + 2 * config.n_kv_heads)
    output = d * d_head * config.n_heads
    feed_forward = (3 if config.gated else 2) * d * config.d_ff
    seen = min(context, config.window or context)
    attention = 2 * config.n_heads * d_head * (seen + 1) / 2
    forward = 2 * (config.n_layers * (qkv + output + feed_forward + attention) + config.vocab_size * d)
    return 3 * forward


def matmul_rate(
    dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu", *, size: int | None = None
) -> float:
    """Measured floating-point operations a second of the product of two square matrices: the median of five.

    Args:
        dtype: floating-point type of the matrices.
        device: where they are.
        size: rows and columns; by default 1024 on a CPU and 8192 elsewhere.
    """
    device = torch.device(device)
    size = size or (1024 if device.type == "cpu" else 8192)
    a, b = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(2))
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        F.linear(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(seconds[1:])
