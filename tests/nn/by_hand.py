"""What the tests of this folder compare with, written with loops and complex numbers, in float64."""

import math

import torch


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Numbers from -1 to 1."""
    return torch.rand(shape, generator=seeded(seed), dtype=torch.float64).mul(2).sub(1).to(dtype)


def attention_by_loops(q, k, v, allowed=None):
    """Equation 1 of Vaswani et al. (2017), one query of one head at a time; `allowed(query, key)` is the mask."""
    batch, heads, n_queries, d_k = q.shape
    per_kv_head = heads // k.shape[1]
    result = []
    for b in range(batch):
        for h in range(heads):
            for i in range(n_queries):
                total, mixed = 0.0, torch.zeros_like(v[b, 0, 0])
                for j in range(k.shape[2]):
                    if allowed is None or allowed(b, i, j):
                        weight = (q[b, h, i] @ k[b, h // per_kv_head, j] / math.sqrt(d_k)).exp()
                        total, mixed = total + weight, mixed + weight * v[b, h // per_kv_head, j]
                result.append(mixed / total if isinstance(total, torch.Tensor) else mixed)
    return torch.stack(result).reshape(batch, heads, n_queries, v.shape[-1])
