"""The backward pass of attention without the matrix of scores: FlashAttention (Dao, 2023), in three small kernels.

The weights are calculated again from the scores and the one number that the forward pass kept for each query. One
kernel holds a block of keys and walks over queries, another holds queries and walks over keys: so nothing is added
atomically, and the gradients are the same in every run.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.attention_backward_kv import backward_kv_kernel
from minigpt.kernels.triton.attention_backward_q import backward_q_kernel
from minigpt.kernels.triton.attention_blocks import choose_tiles, described, meta
from minigpt.kernels.triton.descriptors import capability_of, describable, empty


@triton.jit
def delta_kernel(
    out,
    grad,
    grad_lse,
    delta,
    stride_gb,
    stride_gh,
    stride_gt,
    n_heads,
    n_queries,
    width,
    BLOCK_M: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """For each query the product of its output and the output's gradient, less the gradient of the log of its sum."""
    queries, columns = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_D)
    batch, head = tl.program_id(2).to(tl.int64), tl.program_id(1).to(tl.int64)
    inside = (queries < n_queries)[:, None] & (columns < width)[None, :]
    place = ((batch * n_queries + queries[:, None]) * n_heads + head) * width + columns[None, :]
    there = batch * stride_gb + head * stride_gh + queries[:, None].to(tl.int64) * stride_gt + columns[None, :]
    y = tl.load(out + place, mask=inside, other=0.0).to(tl.float32)
    upstream = tl.load(grad + there, mask=inside, other=0.0).to(tl.float32)
    line = (batch * n_heads + head) * n_queries + queries
    less = tl.load(grad_lse + line, mask=queries < n_queries, other=0.0)
    tl.store(delta + line, tl.sum(y * upstream, 1) - less, mask=queries < n_queries)


_delta = Launcher(delta_kernel)
_backward_kv, _backward_q = Launcher(backward_kv_kernel), Launcher(backward_q_kernel)


def attention_backward(
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
    precision: str = "ieee",
) -> tuple[Tensor, Tensor, Tensor]:
    """Launch the backward kernels, which give the gradients of queries, keys and values.

    Args:
        grad: gradient of the outputs.
        grad_lse: gradient of the logarithms of the sums.
        q: queries, as in the forward pass; so are the rest.
        k: keys.
        v: values.
        out: what the forward pass gave.
        lse: likewise.
        causal: whether a query sees only the keys up to its own.
        window: how many keys it sees at the most.
        scale: what the scores are multiplied by.
        precision: `"ieee"` or `"tf32"`, for float32.
    """
    q, k, v, grad = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v, grad))
    (batch, heads, n_queries, width), (kv_heads, n_keys) = q.shape, k.shape[1:3]
    grad_q = empty(q, batch, n_queries, heads, width)
    grad_k, grad_v = (empty(q, batch, n_keys, kv_heads, width) for _ in range(2))
    results = tuple(x.transpose(1, 2) for x in (grad_q, grad_k, grad_v))
    delta = torch.empty_like(lse)
    block_d = max(triton.next_power_of_2(width), 16)
    if lse.numel():
        _delta[(triton.cdiv(n_queries, 64), heads, batch)](
            out.transpose(1, 2).contiguous(),
            grad,
            grad_lse.contiguous(),
            delta,
            *grad.stride()[:3],
            heads,
            n_queries,
            width,
            BLOCK_M=64,
            BLOCK_D=block_d,
        )
    strides = [stride for x in (q, k, v, grad) for stride in x.stride()[:3]]
    sizes = (heads, heads // kv_heads, n_queries, n_keys, width, scale)
    # On consumer Blackwell the tiles of a descriptor end up in registers, which then do not suffice.
    tma = all(map(describable, (q, k, v, grad))) and capability_of(q) < (12, 0)
    for kernel, name, gradients in (
        (_backward_kv, "backward_kv", (grad_k, grad_v)),
        (_backward_q, "backward_q", (grad_q,)),
    ):
        tiles = choose_tiles(name, block_d, q.element_size(), capability_of(q), tma)
        m, n = tiles.block_m, tiles.block_n
        tensors = described((q, k, v, grad), (m, n, n, m), block_d) if tma else (q, k, v, grad)
        grid = (
            (triton.cdiv(n_keys, n), kv_heads, batch)
            if len(gradients) == 2
            else (triton.cdiv(n_queries, m), heads, batch)
        )
        if gradients[0].numel():
            options = meta(tiles, causal, window, width, block_d, tma, precision)
            kernel[grid](*tensors, lse, delta, *gradients, *strides, *sizes, **options)
    return results


SIGNATURES = [
    Compilation(
        delta_kernel,
        {
            **dict.fromkeys(("out", "grad"), "*bf16"),
            **dict.fromkeys(("grad_lse", "delta"), "*fp32"),
            **dict.fromkeys(("stride_gb", "stride_gh", "stride_gt", "width"), "i32:16"),
            **dict.fromkeys(("n_heads", "n_queries"), "i32"),
        },
        {"BLOCK_M": 64, "BLOCK_D": 128},
    ),
]
