"""A step of AdamW for many parameters at once, in place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from minigpt.kernels import reference
from minigpt.kernels.dispatch import implementation
from minigpt.kernels.reference import adamw as formulas


def adamw(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    *,
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> None:
    """Adam with weight decay beside the gradient (Kingma and Ba, 2015, algorithm 1; Loshchilov and Hutter, 2019).

    Parameters and both averages change in place. Calculated in float32 at least; the averages may have more digits than
    the parameters. On a GPU one launch serves all parameters, and each number is read once and written once.

    Args:
        params: what is trained, all of one type and on one device, each in one piece of memory.
        grads: their gradients.
        means: averages of the gradients, at first zeros.
        squares: averages of the squares, at first zeros.
        step: number of this step, from 1.
        lr: learning rate, above 0.
        betas: how slowly the averages forget, each from 0 to below 1.
        eps: keeps the division finite, above 0.
        weight_decay: share that is taken off, times the learning rate.

    Raises:
        ValueError: if lists, shapes or types do not fit, or a number is out of range.
    """
    if step < 1 or not (lr > 0 and 0 <= betas[0] < 1 and 0 <= betas[1] < 1 and eps > 0 and weight_decay >= 0):
        raise ValueError(
            f"step={step}, lr={lr}, betas={betas}, eps={eps}, weight_decay={weight_decay}: one is out of range"
        )
    lists = {"params": params, "grads": grads, "means": means, "squares": squares}
    if len({len(tensors) for tensors in lists.values()}) > 1:
        raise ValueError(f"lists of {[len(tensors) for tensors in lists.values()]} tensors; all must be as long")
    for i, (p, *others) in enumerate(zip(*lists.values(), strict=True)):
        if any(x.shape != p.shape or x.device != p.device for x in others) or others[1].dtype != others[2].dtype:
            raise ValueError(f"parameter {i}: gradient and averages must have its shape {tuple(p.shape)} and device")
        if not all(x.is_contiguous() for x in (p, *others[1:])):
            raise ValueError(f"parameter {i} of shape {tuple(p.shape)}: it and its averages must be in one piece")
    for name, tensors in lists.items():
        if len({(x.dtype, x.device) for x in tensors}) > 1:
            raise ValueError(f"{name} are of several types or devices; call once for each")
    if params:
        _adamw(list(params), list(grads), list(means), list(squares), step, lr, *betas, eps, weight_decay)


@torch.library.custom_op("minigpt::adamw", mutates_args=("params", "means", "squares"))
def _adamw(
    params: list[Tensor],
    grads: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    first = params[0], grads[0], means[0]
    settings = step, lr, beta1, beta2, eps, weight_decay
    if implementation(*first, operation="adamw", triton_ok=reference.is_single(*first)) == "torch":
        return formulas.adamw(params, grads, means, squares, *settings)
    from minigpt.kernels.triton import adamw as kernels

    return kernels.adamw(params, grads, means, squares, *settings)


@_adamw.register_fake
def _(params, grads, means, squares, step, lr, beta1, beta2, eps, weight_decay) -> None:
    return None
