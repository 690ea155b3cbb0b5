"""A step of AdamW for all parameters in one launch: each program finds its piece in a table of addresses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher

BLOCK = 2048
"""Numbers of a program."""

WARPS = 4

TYPES = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}


@triton.jit
def adamw_step(
    table, ends, sizes, tensors, rate, keep, beta1, beta2, fill, eps,
    P: tl.constexpr, G: tl.constexpr, S: tl.constexpr, ALIGNED: tl.constexpr,
    TENSORS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Change one piece of one parameter, and of its averages, in place.

    `table` has a row of four addresses for each tensor: parameter, gradient, average, average of squares. `ends` counts
    the pieces up to and with each tensor.
    """
    piece = tl.program_id(0)
    every = tl.arange(0, TENSORS)
    end = tl.load(ends + every, mask=every < tensors, other=2147483647)
    which = tl.sum((end <= piece).to(tl.int32), 0)  # how many tensors lie before this piece
    before = tl.max(tl.where(every < which, end, 0), 0)
    start = (piece - before).to(tl.int64) * BLOCK
    at = tl.arange(0, BLOCK)
    inside = at < tl.load(sizes + which) - start
    p_at = tl.load(table + 4 * which).to(tl.pointer_type(P))
    g_at = tl.load(table + 4 * which + 1).to(tl.pointer_type(G))
    m_at = tl.load(table + 4 * which + 2).to(tl.pointer_type(S))
    v_at = tl.load(table + 4 * which + 3).to(tl.pointer_type(S))
    if ALIGNED:
        # PyTorch's tensors begin at multiples of 16 bytes, views of them may not: nothing is known of an address that
        # comes from a table, and four numbers are loaded at once only from one that is known to be such a multiple.
        p_at, g_at = tl.multiple_of(p_at, 16), tl.multiple_of(g_at, 16)
        m_at, v_at = tl.multiple_of(m_at, 16), tl.multiple_of(v_at, 16)
    p_at, g_at, m_at, v_at = p_at + start + at, g_at + start + at, m_at + start + at, v_at + start + at
    p = tl.load(p_at, mask=inside, other=0.0).to(tl.float32)
    g = tl.load(g_at, mask=inside, other=0.0).to(tl.float32)
    m = tl.load(m_at, mask=inside, other=0.0).to(tl.float32)
    v = tl.load(v_at, mask=inside, other=0.0).to(tl.float32)
    m = beta1 * m + (1.0 - beta1) * g
    v = beta2 * v + (1.0 - beta2) * g * g
    p = p * keep - rate * m / (tl.sqrt(v * fill) + eps)
    tl.store(p_at, p, mask=inside)
    tl.store(m_at, m, mask=inside)
    tl.store(v_at, v, mask=inside)


def adamw(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Change parameters and averages in place."""
    lists = [
        (p, g if g.stride() == p.stride() else g.reshape(p.shape).contiguous(), m, v)
        for p, g, m, v in zip(params, grads, means, squares, strict=True)
        if p.numel()
    ]
    if not lists:
        return
    device = params[0].device
    sizes = torch.tensor([p.numel() for p, *_ in lists])
    ends = ((sizes + BLOCK - 1) // BLOCK).cumsum(0)
    addresses = [[tensor.data_ptr() for tensor in row] for row in lists]
    p, g, m, _ = lists[0]
    Launcher(adamw_step)[(int(ends[-1]),)](
        torch.tensor(addresses).to(device), ends.to(torch.int32).to(device), sizes.to(device), len(lists),
        lr / (1 - beta1**step), 1 - lr * weight_decay, beta1, beta2, 1 / (1 - beta2**step), eps,
        P=TYPES[p.dtype], G=TYPES[g.dtype], S=TYPES[m.dtype],
        ALIGNED=all(address % 16 == 0 for row in addresses for address in row),
        TENSORS=triton.next_power_of_2(len(lists)), BLOCK=BLOCK, num_warps=WARPS,
    )  # fmt: skip


_TYPES = {"table": "*i64", "ends": "*i32", "sizes": "*i64", "tensors": "i32"}
_TYPES |= dict.fromkeys(("rate", "keep", "beta1", "beta2", "fill", "eps"), "fp32")

SIGNATURES = [
    Compilation(
        adamw_step,
        _TYPES,
        {"P": kind, "G": kind, "S": tl.float32, "ALIGNED": True, "TENSORS": 256, "BLOCK": BLOCK},
        num_warps=WARPS,
        label=str(kind),
    )
    for kind in (tl.float32, tl.bfloat16)
]
