"""`route`, `grouped_matmul` and `moe`: a mixture of experts, each token sent to a few of them, without padding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minigpt.kernels.activation import gelu
from minigpt.kernels.dispatch import implementation
from minigpt.kernels.reference import moe as reference

FLOATS = (torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Routes:
    """The choices of all tokens, sorted by expert.

    Args:
        tokens: the token of each row; a token that chose two experts has two rows.
        order: which choice (token by token) each row is.
        ends: where the rows of each expert end.
    """

    tokens: Int[Tensor, " rows"]
    order: Int[Tensor, " rows"]
    ends: Int[Tensor, " experts"]


def route(chosen: Int[Tensor, "tokens k"], n_experts: int) -> Routes:
    """Sort the choices of experts, so that the rows of an expert follow one another, in the order of tokens.

    Args:
        chosen: the numbers of the experts that each token is sent to, from 0 to below `n_experts`.
        n_experts: how many there are.

    Raises:
        ValueError: if `chosen` has another shape, or there is no expert.
    """
    if chosen.ndim != 2 or n_experts < 1:
        raise ValueError(f"chosen is {tuple(chosen.shape)} of {n_experts} experts; expected (tokens, k), and an expert")
    flat = chosen.reshape(-1)
    order = flat.argsort(stable=True)
    hits = flat == torch.arange(n_experts, device=flat.device)[:, None]
    return Routes(order // max(chosen.shape[1], 1), order, hits.sum(1).cumsum(0))


def grouped_matmul(
    x: Float[Tensor, "tokens k"], weights: Float[Tensor, "experts k n"], routes: Routes
) -> Float[Tensor, "rows n"]:
    """For each row of the routes, its token's vector times its expert's matrix.

    Args:
        x: one vector for each token (or, with `Routes` that name rows, for each row).
        weights: one matrix for each expert, with any strides.
        routes: from `route`.

    Raises:
        ValueError: if shapes or types do not fit together.
    """
    if x.ndim != 2 or weights.ndim != 3 or x.shape[1] != weights.shape[1] or len(weights) != len(routes.ends):
        raise ValueError(
            f"x is {tuple(x.shape)}, weights {tuple(weights.shape)} for {len(routes.ends)} experts; expected "
            "(tokens, k) and (experts, k, n)"
        )
    if x.dtype != weights.dtype:
        raise ValueError(f"x is {x.dtype} and weights are {weights.dtype}; convert them to one type")
    return _grouped_matmul(x, weights, routes.tokens, routes.ends)


def moe(
    x: Float[Tensor, "tokens d_model"],
    chosen: Int[Tensor, "tokens k"],
    gates: Float[Tensor, "tokens k"],
    w_in: Float[Tensor, "experts d_model d_hidden"],
    w_out: Float[Tensor, "experts d_hidden d_model"],
) -> Float[Tensor, "tokens d_model"]:
    """`sum_e gate_e gelu(x W_in,e) W_out,e` over the experts that each token chose (Shazeer et al., 2017, equation 1).

    Args:
        x: one vector for each token.
        chosen: the numbers of its experts.
        gates: how much each of them counts.
        w_in: the first matrix of each expert.
        w_out: the second one.

    Raises:
        ValueError: if shapes or types do not fit together.
    """
    if chosen.shape != gates.shape or len(chosen) != len(x):
        raise ValueError(f"chosen is {tuple(chosen.shape)} and gates {tuple(gates.shape)}; expected ({len(x)}, k) both")
    routes = route(chosen, len(w_in))
    hidden = gelu(grouped_matmul(x, w_in, routes))
    rows = torch.arange(len(hidden), device=x.device)
    found = grouped_matmul(hidden, w_out, Routes(rows, routes.order, routes.ends))
    # Back in the order of the choices, where those of a token stand side by side.
    back = torch.empty_like(routes.order).scatter_(0, routes.order, rows)
    return (found[back].view(*chosen.shape, found.shape[1]) * gates[..., None].to(found.dtype)).sum(1)


@torch.library.custom_op("minigpt::grouped_matmul", mutates_args=())
def _grouped_matmul(x: Tensor, weights: Tensor, tokens: Tensor, ends: Tensor) -> Tensor:
    return _module(x, weights).grouped_matmul(x, weights, tokens, ends)


@_grouped_matmul.register_fake
def _(x, weights, tokens, ends):
    return x.new_empty(len(tokens), weights.shape[2])


@torch.library.custom_op("minigpt::grouped_weight_gradient", mutates_args=())
def _weight_gradient(grad: Tensor, x: Tensor, tokens: Tensor, ends: Tensor) -> Tensor:
    return _module(grad, x).grouped_weight_gradient(grad, x, tokens, ends)


@_weight_gradient.register_fake
def _(grad, x, tokens, ends):
    return x.new_empty(len(ends), x.shape[1], grad.shape[1])


def _setup(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx, grad):
    x, weights, tokens, ends = ctx.saved_tensors
    rows = torch.arange(len(tokens), device=x.device)
    grad_rows = _grouped_matmul(grad, weights.mT, rows, ends)
    grad_x = torch.zeros_like(x).index_add(0, tokens, grad_rows)
    return grad_x, _weight_gradient(grad, x, tokens, ends), None, None


_grouped_matmul.register_autograd(_backward, setup_context=_setup)


def _module(*tensors: Tensor):
    ok = tensors[0].dtype in FLOATS
    if implementation(*tensors, operation="grouped_matmul", triton_ok=ok, dot=True) == "torch":
        return reference
    from minigpt.kernels.triton import moe as kernels

    return kernels
