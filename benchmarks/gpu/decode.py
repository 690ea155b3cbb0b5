"""Attention of one query to a long cache: how near it comes to the bandwidth of a copy."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from benchmarks.gpu.inputs import copy, normal
from benchmarks.gpu.results import Bench
from minigpt.kernels.attention import decode_attention

ABOUT = "attention of one query to a long cache, beside a copy of as many bytes"


def run(bench: Bench) -> None:
    """Many readers with a cache of middle length, and one with a very long one; four heads of queries share keys."""
    heads, kv_heads, d_head = bench.size(32, 4), bench.size(8, 2), bench.size(128, 16)
    for batch, keys in ((bench.size(64, 2), bench.size(8192, 70)), (1, bench.size(262144, 130))):
        q = normal(bench, batch, heads, d_head)
        k, v = (normal(bench, batch, kv_heads, keys, d_head, seed=seed) for seed in (1, 2))
        size = (2 * k.numel() + 2 * q.numel()) * q.element_size()
        found = bench.compare(
            "decode attention",
            f"batch {batch}, heads {heads} of {kv_heads}, keys {keys}, d {d_head}",
            q.dtype,
            {
                "minigpt": bench.forced(lambda q=q, k=k, v=v: decode_attention(q, k, v)),
                "copy": copy(bench, size),
                "PyTorch": lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q[:, :, None], k, v, enable_gqa=True),
            },
            flops=4 * batch * heads * keys * d_head,
            size=size,
        )
        bench.goal(
            f"decode attention, batch {batch}, {keys} keys, share of a copy's bandwidth", found.ratio("copy"), 0.8
        )
        del q, k, v
    if bench.device.type == "cuda":
        torch.cuda.empty_cache()
