"""Rotary positions: queries and keys are turned by angles that grow with the position."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels import reference
from minigpt.kernels.dispatch import implementation
from minigpt.kernels.reference import rotary as formulas
from minigpt.kernels.reference.rotary import Layout


def rotary(
    x: Float[Tensor, "batch time heads d_head"],
    cosine: Float[Tensor, "#batch time half"],
    sine: Float[Tensor, "#batch time half"],
    layout: Layout = "half",
) -> Float[Tensor, "batch time heads d_head"]:
    """Turn each pair `(a, b)` of coordinates to `(a cos - b sin, b cos + a sin)` (Su et al., 2021, equation 34).

    Calculated in float32 at least. The gradient is the rotation back, so that nothing but the angles is kept for it;
    the tables themselves get none.

    Args:
        x: queries or keys, of even width.
        cosine: of the angle of each pair at each position; one table for all texts, or one for each.
        sine: the same.
        layout: `"half"` pairs `(0, d/2), (1, d/2 + 1), ...`, as GPT-NeoX and Hugging Face do, `"interleaved"` pairs
            neighbours, as the paper and Meta's checkpoints do.

    Raises:
        ValueError: if shapes do not fit, or the layout is not known.
    """
    if layout not in ("half", "interleaved"):
        raise ValueError(f"layout={layout!r} is not known; use 'half' or 'interleaved'")
    if x.ndim != 4 or not x.shape[-1] or x.shape[-1] % 2:
        raise ValueError(f"x has the shape {tuple(x.shape)}; it must be batch, time, heads and an even width")
    fitting = [(batch, x.shape[1], x.shape[-1] // 2) for batch in (1, x.shape[0])]
    if cosine.shape not in fitting or sine.shape != cosine.shape:
        raise ValueError(
            f"cosine has the shape {tuple(cosine.shape)} and sine {tuple(sine.shape)}; both must be {fitting[0]} or "
            f"{fitting[1]} for vectors of shape {tuple(x.shape)}"
        )
    return _rotary(x, cosine, sine, layout == "interleaved", False)


@torch.library.custom_op("minigpt::rotary", mutates_args=())
def _rotary(x: Tensor, cosine: Tensor, sine: Tensor, interleaved: bool, back: bool) -> Tensor:
    fits = reference.is_single(x, cosine, sine) and x.shape[-1] <= 2048
    if implementation(x, cosine, sine, operation="rotary", triton_ok=fits) == "torch":
        layout: Layout = "interleaved" if interleaved else "half"
        return formulas.rotary(x, cosine, -sine if back else sine, layout).contiguous()
    from minigpt.kernels.triton import rotary as kernels

    return kernels.rotary(x, cosine, sine, interleaved, -1.0 if back else 1.0)


@_rotary.register_fake
def _(x: Tensor, cosine: Tensor, sine: Tensor, interleaved: bool, back: bool) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _keep(ctx, inputs, output) -> None:
    _, cosine, sine, ctx.interleaved, ctx.back = inputs
    ctx.save_for_backward(cosine, sine)


def _gradients(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
    return _rotary(grad, *ctx.saved_tensors, ctx.interleaved, not ctx.back), None, None, None, None


_rotary.register_autograd(_gradients, setup_context=_keep)
