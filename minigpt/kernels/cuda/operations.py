"""Two operations of `minigpt.kernels` by the last rungs of the ladder: what `MINIGPT_KERNELS=cuda` asks for.

On a GPU the kernels are compiled by NVRTC, on a CPU they run as C++. They are here to be compared with the others and
to be read, and take float32 alone (the product float16 too, by tensor cores).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.kernels.cuda import rungs
from minigpt.kernels.reference import matmul as formulas


def takes(*tensors: Tensor | None, half: bool = False) -> bool:
    """Whether the kernels take numbers of these types.

    Args:
        tensors: what is worked on; `None` where an optional one is missing.
        half: whether float16 will do, too.
    """
    kinds = {tensor.dtype for tensor in tensors if tensor is not None}
    return kinds == {torch.float32} or (half and kinds == {torch.float16})


def softmax(x: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows n"]:
    """Softmax of each row, zeros where all of it is minus infinity; see `minigpt.kernels.softmax`.

    Args:
        x: in float32.
    """
    if not x.numel():
        return torch.empty(x.shape, dtype=x.dtype, device=x.device)
    rows = x.reshape(-1, x.shape[-1]).contiguous()
    blind = (rows == -torch.inf).all(-1, keepdim=True)
    return rungs.softmax(rows).masked_fill(blind, 0).view(x.shape)


def matmul(
    a: Float[Tensor, "m k"],
    b: Float[Tensor, "k n"],
    bias: Float[Tensor, " n"] | None = None,
    residual: Float[Tensor, "m n"] | None = None,
    activation: str | None = None,
) -> tuple[Float[Tensor, "m n"], Float[Tensor, "m n"]]:
    """`activation(a b + bias) + residual`, and `a b + bias`; what follows the product is left to PyTorch.

    Args:
        a: left matrix, in float32 or float16.
        b: right matrix, of the same type.
        bias: added to every row.
        residual: added last.
        activation: `None`, `"gelu"` or `"gelu_tanh"`.
    """
    if not a.numel() or not b.numel():
        return formulas.matmul(a, b, bias, residual, activation)
    name = "matmul_wmma" if a.dtype == torch.float16 else "matmul_buffered"
    product = rungs.matmul(a.contiguous(), b.contiguous(), name).to(a.dtype)
    return formulas.finish(product if bias is None else product + bias, residual, activation)
