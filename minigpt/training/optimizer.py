"""From gradients to steps: AdamW, written out, and Muon, which steps in the direction of an orthogonal matrix."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from minigpt.nn import LearnedPositions, TokenEmbedding
from minigpt.training.config import TrainingConfig

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the Newton-Schulz iteration (Jordan et al., 2024): they bring every singular value near 1 in five rounds."""


class AdamW(Optimizer):
    """Adam with weight decay beside the gradient (Kingma and Ba, 2015, algorithm 1; Loshchilov and Hutter, 2019).

    Written to be read; `make_optimizer` takes PyTorch's fused one, which makes the same steps in fewer passes.

    Args:
        params: parameters, or groups of them as `torch.optim` takes them.
        lr: learning rate, above 0.
        betas: how slowly the averages of the gradient and of its square forget, each from 0 to below 1.
        eps: keeps the division finite, above 0.
        weight_decay: share that is taken off at each step, times the learning rate.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        if not (0 < lr < math.inf and 0 <= betas[0] < 1 and 0 <= betas[1] < 1 and eps > 0 and weight_decay >= 0):
            raise ValueError(f"lr={lr}, betas={betas}, eps={eps}, weight_decay={weight_decay}: one is out of range")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Change every parameter that has a gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                if not state:
                    state["step"] = torch.tensor(0.0)
                    state["mean"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
                state["step"] += 1
                state["mean"].lerp_(p.grad, 1 - beta1)
                state["square"].lerp_(p.grad.square(), 1 - beta2)
                # Both averages begin at zero; dividing by the share that is filled takes that out again.
                t = state["step"].item()
                mean = state["mean"] / (1 - beta1**t)
                square = state["square"] / (1 - beta2**t)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * mean / (square.sqrt() + group["eps"]))
        return loss


def orthogonalized(
    matrices: Float[Tensor, "*batch rows columns"], *, rounds: int = 5, eps: float = 1e-7
) -> Float[Tensor, "*batch rows columns"]:
    """The nearest matrices with orthonormal rows or columns, roughly: of `U S V^T` what is left is about `U V^T`.

    Each round of the Newton-Schulz iteration maps every singular value `s` to `a s + b s^3 + c s^5` with products of
    matrices alone. With these coefficients they end between about 0.7 and 1.2, not at 1, which serves as well (Jordan
    et al., 2024).

    Args:
        matrices: one matrix, or several of one shape.
        rounds: number of rounds.
        eps: keeps a matrix of zeros finite.
    """
    a, b, c = COEFFICIENTS
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT
    # The largest singular value is at most the root of the sum of squares.
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + eps)
    for _ in range(rounds):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x if wide else x.mT


class Muon(Optimizer):
    """Momentum, then a step whose singular values are all about 1 (Jordan et al., 2024), for matrices.

    Along every direction of a matrix the step is about as long, also along those in which the gradient is small. A
    matrix of `m` rows and `n` columns steps by `lr sqrt(max(1, m/n))`.

    Args:
        params: matrices, or groups of them.
        lr: learning rate, above 0.
        momentum: how slowly the average of the gradient forgets, from 0 to below 1; Nesterov's variant.
        weight_decay: share that is taken off at each step, times the learning rate.

    Raises:
        ValueError: if a parameter is no matrix, or a number is out of range.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 0.02,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        if not (0 < lr < math.inf and 0 <= momentum < 1 and weight_decay >= 0):
            raise ValueError(f"lr={lr}, momentum={momentum}, weight_decay={weight_decay}: one is out of range")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for p in (p for group in self.param_groups for p in group["params"]):
            if p.ndim != 2:
                raise ValueError(f"a parameter of shape {tuple(p.shape)} is no matrix; give it to AdamW")

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Change every matrix that has a gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            # Matrices of one shape go through the iteration together: a few large products, not many small ones.
            shapes: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    shapes[p.shape].append(p)
            for (rows, columns), matrices in shapes.items():
                gradients = torch.stack([p.grad for p in matrices])
                averages = [self._average(p) for p in matrices]
                torch._foreach_lerp_(averages, [p.grad for p in matrices], 1 - group["momentum"])
                steps = orthogonalized(torch.lerp(gradients, torch.stack(averages), group["momentum"]))
                torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
                length = group["lr"] * math.sqrt(max(1, rows / columns))
                torch._foreach_add_(matrices, list(steps.unbind()), alpha=-length)
        return loss

    def _average(self, p: nn.Parameter) -> Tensor:
        state = self.state[p]
        if not state:
            state["average"] = torch.zeros_like(p)
        return state["average"]


class Together:
    """Several optimisers of one model as one, each with parameters of its own.

    Args:
        optimizers: at least one.
    """

    def __init__(self, *optimizers: Optimizer) -> None:
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all, one behind the other."""
        return list(chain.from_iterable(optimizer.param_groups for optimizer in self.optimizers))

    def step(self) -> None:
        """Let each change its parameters."""
        for optimizer in self.optimizers:
            optimizer.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """What all of them remember."""
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remember what `state_dict` gave.

        Raises:
            ValueError: if it is that of another number of optimisers.
        """
        for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters in two groups: matrices, which decay, and vectors (biases, gains of norms), which do not."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def make_optimizer(model: nn.Module, config: TrainingConfig) -> Optimizer | Together:
    """The optimiser that a configuration asks for.

    With Muon, the matrices inside the blocks are its own; tables of embeddings (rows of which are vectors that are used
    one by one), the head and all vectors are left to AdamW.
    """
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    adamw: dict[str, Any] = {"lr": config.lr, "betas": config.betas, "fused": fused}
    match config.optimizer:
        case "sgd":
            groups = parameter_groups(model, config.weight_decay)
            return torch.optim.SGD(groups, lr=config.lr, momentum=config.betas[0], fused=fused)
        case "adamw":
            return torch.optim.AdamW(parameter_groups(model, config.weight_decay), **adamw)
    tables = {id(p) for module in model.modules() if isinstance(module, TokenEmbedding | LearnedPositions)
              for p in module.parameters()}  # fmt: skip
    if isinstance(head := getattr(model, "head", None), nn.Module):
        tables |= {id(p) for p in head.parameters()}
    parameters = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in parameters if p.ndim == 2 and id(p) not in tables]
    others = [p for p in parameters if p.ndim != 2 or id(p) in tables]
    return Together(
        Muon(matrices, config.muon_lr, momentum=config.momentum, weight_decay=config.weight_decay),
        torch.optim.AdamW(others, weight_decay=0.0, **adamw),
    )
