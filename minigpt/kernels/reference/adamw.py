"""A step of AdamW in plain PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from minigpt.kernels.reference import widened


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
    """Change parameters and both averages in place (Kingma and Ba, 2015, algorithm 1; Loshchilov and Hutter, 2019).

    Calculated in float32 at least; what is stored in fewer digits is rounded once.

    Args:
        params: what is trained.
        grads: their gradients.
        means: averages of the gradients.
        squares: averages of their squares.
        step: number of this step, from 1.
        lr: learning rate.
        beta1: how slowly the first average forgets.
        beta2: and the second.
        eps: keeps the division finite.
        weight_decay: share that is taken off, times the learning rate.
    """
    for p, g, m, v in zip(params, grads, means, squares, strict=True):
        grad = widened(g)
        mean = beta1 * widened(m) + (1 - beta1) * grad
        square = beta2 * widened(v) + (1 - beta2) * grad.square()
        # Both averages begin at zero; dividing by the share that is filled takes that out again.
        size = (square / (1 - beta2**step)).sqrt() + eps
        p.copy_(widened(p) * (1 - lr * weight_decay) - lr / (1 - beta1**step) * mean / size)
        m.copy_(mean)
        v.copy_(square)
