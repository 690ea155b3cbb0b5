"""Attention, forward and backward, beside cuDNN, FlashAttention 2 and 3, and PyTorch's own choice."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu.inputs import backward, normal
from benchmarks.gpu.results import Bench, Comparison
from minigpt.kernels.attention import attention

ABOUT = "causal attention beside cuDNN, FlashAttention 2 and 3, and PyTorch's own choice"
LENGTHS = (4096, 8192, 16384)
TOKENS, WIDTH = 16384, 2048
"""Tokens of a batch, and the width of a model: as the papers on FlashAttention measure."""

FLASH_2, FLASH_3 = "FlashAttention-2", "FlashAttention-3"
BEST = ("cuDNN", "PyTorch", FLASH_2, FLASH_3)

Function = Callable[[Tensor, Tensor, Tensor], Tensor]


def sdpa(backend: SDPBackend | None) -> Function:
    """PyTorch's attention by a backend, or by the one that it chooses."""

    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if backend is None:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    return run


def flash_3() -> Function | None:
    """FlashAttention-3, where it is installed."""
    try:
        function = import_module("flash_attn_interface").flash_attn_func
    except ImportError:
        return None

    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        found = function(*(x.transpose(1, 2) for x in (q, k, v)), causal=True)
        return (found[0] if isinstance(found, tuple) else found).transpose(1, 2)

    return run


def peers() -> dict[str, Function]:
    """Whatever calculates the same here."""
    found: dict[str, Function] = {
        "cuDNN": sdpa(SDPBackend.CUDNN_ATTENTION),
        FLASH_2: sdpa(SDPBackend.FLASH_ATTENTION),
        "PyTorch": sdpa(None),
    }
    three = flash_3()
    return found | ({FLASH_3: three} if three else {})


def run(bench: Bench) -> None:
    """Heads of 128 numbers at several lengths, then what models ask for beside it."""
    found: dict[str, list[Comparison]] = {"forward": [], "backward": []}
    lengths = tuple(bench.size(full, 16 * (i + 1)) for i, full in enumerate(LENGTHS))
    tokens, width, d_head = bench.size(TOKENS, 48), bench.size(WIDTH, 32), bench.size(128, 16)
    for length in lengths:
        compared = both(bench, max(tokens // length, 1), width // d_head, length, d_head)
        for name, comparison in zip(found, compared, strict=True):
            found[name].append(comparison)
    for length, forward in zip(lengths, found["forward"], strict=True):
        bench.goal(f"attention forward, causal, d={d_head}, {length}, beside the best", forward.ratio(*BEST), 0.75)
        bench.goal(f"attention forward, causal, d={d_head}, {length}, beside {FLASH_2}", forward.ratio(FLASH_2), 1.2)
    for length, back in zip(lengths, found["backward"], strict=True):
        bench.goal(f"attention backward, causal, d={d_head}, {length}, beside the best", back.ratio(*BEST), 0.7)
    both(bench, max(tokens // lengths[1], 1), width // bench.size(64, 16), lengths[1], bench.size(64, 16))


def both(bench: Bench, batch: int, heads: int, length: int, d_head: int) -> tuple[Comparison, Comparison]:
    """Forward and backward of one shape. Queries, keys and values lie as a linear map leaves them."""
    q, k, v, grad = (normal(bench, batch, length, heads, d_head, seed=seed).transpose(1, 2) for seed in range(4))
    case = f"causal, batch {batch}, heads {heads}, length {length}, d {d_head}"
    functions: dict[str, Function] = {"minigpt": lambda q, k, v: attention(q, k, v, causal=True), **peers()}
    flops = 2 * batch * heads * length**2 * d_head  # half of the two products
    size = 4 * q.numel() * q.element_size()
    runs = {name: lambda function=function: function(q, k, v) for name, function in functions.items()}
    runs["minigpt"] = bench.forced(runs["minigpt"])
    with torch.no_grad():
        forward = bench.compare("attention forward", case, q.dtype, runs, flops=flops, size=size)
    backwards = {}
    for name, function in functions.items():
        if name in forward.failed:
            continue
        if name == "minigpt":
            with bench.ours():
                backwards[name] = bench.forced(backward(function, [q, k, v], [grad]))
        else:
            backwards[name] = backward(function, [q, k, v], [grad])
    # Five products in place of two: the scores are calculated again.
    back = bench.compare("attention backward", case, q.dtype, backwards, flops=5 * flops // 2, size=2 * size)
    return forward, back
