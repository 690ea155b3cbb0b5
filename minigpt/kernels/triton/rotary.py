"""Rotary positions: a tile holds the vectors of some heads; each pair of coordinates is turned in registers."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minigpt.kernels.check.table import Compilation
from minigpt.kernels.interpret import Launcher
from minigpt.kernels.triton.rows import TILE


@triton.jit
def rotate(
    x, cosine, sine, y, x_batch, x_time, x_head, table_batch, table_time, rows, time, heads, half, sign,
    INTERLEAVED: tl.constexpr, ROWS: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    """Each pair `(a, b)` to `(a cos - b sin, b cos + a sin)`, with the sine times `sign`."""
    # Which vector a row is takes divisions. Those of the tile's first row are done once, in 64 bits; the others count
    # on from there and fit in 32, which a GPU divides many times faster.
    first_row = tl.program_id(0).to(tl.int64) * ROWS
    first_token = first_row // heads
    beyond = (first_row % heads).to(tl.int32) + tl.arange(0, ROWS)[:, None]
    head = beyond % heads
    later = (first_token % time).to(tl.int32) + beyond // heads
    place = later % time
    batch = first_token // time + later // time
    row = first_row + tl.arange(0, ROWS)[:, None]
    pair = tl.arange(0, HALF)[None, :]
    inside = (row < rows) & (pair < half)
    angle = batch * table_batch + place * table_time + pair
    cos = tl.load(cosine + angle, mask=inside, other=0.0).to(tl.float32)
    sin = tl.load(sine + angle, mask=inside, other=0.0).to(tl.float32) * sign
    source = x + batch * x_batch + place * x_time + head * x_head
    target = y + row * (2 * half)
    if INTERLEAVED:
        # Neighbours in memory are read and written together, then told apart.
        column = tl.arange(0, 2 * HALF)[None, :]
        both = (row < rows) & (column < 2 * half)
        values = tl.load(source + column, mask=both, other=0.0).to(tl.float32)
        first, second = tl.split(tl.reshape(values, (ROWS, HALF, 2)))
        turned = tl.interleave(first * cos - second * sin, second * cos + first * sin)
        tl.store(target + column, turned, mask=both)
    else:
        first = tl.load(source + pair, mask=inside, other=0.0).to(tl.float32)
        second = tl.load(source + half + pair, mask=inside, other=0.0).to(tl.float32)
        tl.store(target + pair, first * cos - second * sin, mask=inside)
        tl.store(target + half + pair, second * cos + first * sin, mask=inside)


def _tile(half: int) -> dict[str, int]:
    block = triton.next_power_of_2(half)
    return {"ROWS": max(1, TILE // 2 // block), "HALF": block, "num_warps": 4 if block <= TILE // 2 else 8}


def rotary(x: Tensor, cosine: Tensor, sine: Tensor, interleaved: bool, sign: float) -> Tensor:
    """The turned vectors; `sign=-1` turns them back."""
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if not x.numel():
        return y
    x = x if x.stride(-1) == 1 else x.contiguous()
    cosine, sine = cosine.contiguous(), sine.contiguous()
    batch, time, heads, width = x.shape
    options = _tile(width // 2)
    rows = batch * time * heads
    Launcher(rotate)[(triton.cdiv(rows, options["ROWS"]),)](
        x, cosine, sine, y, *x.stride()[:3], cosine.stride(0) if len(cosine) > 1 else 0, cosine.stride(1),
        rows, time, heads, width // 2, sign, INTERLEAVED=interleaved, **options,
    )  # fmt: skip
    return y


def _signatures() -> list[Compilation]:
    strides = dict.fromkeys(("x_batch", "x_time", "x_head", "table_batch", "table_time", "half"), "i32:16")
    types = {"x": "*bf16", "cosine": "*fp32", "sine": "*fp32", "y": "*bf16", **strides, "rows": "i32", "time": "i32",
             "heads": "i32", "sign": "fp32"}  # fmt: skip
    options = _tile(64)
    warps = options.pop("num_warps")
    return [
        Compilation(rotate, types, {"INTERLEAVED": False, **options}, num_warps=warps, label="half"),
        Compilation(rotate, types, {"INTERLEAVED": True, **options}, num_warps=warps, label="interleaved"),
    ]


SIGNATURES = _signatures()
