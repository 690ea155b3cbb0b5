"""`quantize` and `scaled_matmul`: numbers of 8 bits with a scale for each row, and products of such matrices."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from minigpt.kernels.dispatch import capability, implementation
from minigpt.kernels.reference import quantize as reference

FLOATS = (torch.float32, torch.bfloat16, torch.float16)


def quantize(
    x: Float[Tensor, "*batch n"], dtype: torch.dtype = torch.int8
) -> tuple[Shaped[Tensor, "*batch n"], Float[Tensor, "*batch"]]:
    """Round each row to 8 bits in units of its own scale: `x` is near `codes * scales[..., None]`.

    The scale takes the largest magnitude of the row to the largest number of the type. It has no gradient.

    Args:
        x: rows of numbers.
        dtype: `torch.int8` (Dettmers et al., 2022), or `torch.float8_e4m3fn`, whose steps grow with the number
            (Micikevicius et al., 2022).

    Returns:
        The codes, and the scales in float32. A row of zeros has scale 1; one with NaN or infinity has no finite scale.

    Raises:
        ValueError: if the dtype is none of these, or `x` has no dimension.
    """
    if dtype not in reference.LARGEST or not x.ndim:
        raise ValueError(f"x is {tuple(x.shape)} and dtype {dtype}; expected rows, and torch.int8 or float8_e4m3fn")
    rows = x.reshape(x.shape[:-1].numel(), x.shape[-1])
    codes, scales = _quantize(rows, dtype)
    return codes.reshape(x.shape), scales.reshape(x.shape[:-1])


def scaled_matmul(
    a: Shaped[Tensor, "m k"],
    b: Shaped[Tensor, "k n"],
    a_scales: Float[Tensor, " m"],
    b_scales: Float[Tensor, " n"],
    dtype: torch.dtype = torch.bfloat16,
) -> Float[Tensor, "m n"]:
    """The product of two quantised matrices, `(a b) * a_scales * b_scales`; it has no gradient.

    With weights quantised by rows, `scaled_matmul(codes, weight_codes.T, scales, weight_scales)` is a linear map.

    Args:
        a: codes, int8 or float8_e4m3fn.
        b: codes of the same type, with any strides.
        a_scales: one for each row of `a`.
        b_scales: one for each column of `b`.
        dtype: of the result: float32, bfloat16 or float16.

    Raises:
        ValueError: if shapes or types do not fit together.
    """
    check_product(a, b, dtype)
    if a_scales.shape != a.shape[:1] or b_scales.shape != b.shape[1:]:
        raise ValueError(
            f"scales are {tuple(a_scales.shape)} and {tuple(b_scales.shape)}; expected ({len(a)},) and ({b.shape[1]},)"
        )
    return _scaled_matmul(a, b, a_scales, b_scales, dtype)


def check_product(a: Tensor, b: Tensor, dtype: torch.dtype) -> None:
    """Whether two matrices of codes can be multiplied to a type.

    Args:
        a: codes.
        b: codes.
        dtype: of the product.

    Raises:
        ValueError: if not.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or a.dtype != b.dtype or a.dtype not in reference.LARGEST:
        raise ValueError(
            f"a is {tuple(a.shape)} {a.dtype} and b {tuple(b.shape)} {b.dtype}; expected (m, k) and (k, n) of one "
            "type, int8 or float8_e4m3fn"
        )
    if dtype not in FLOATS:
        raise ValueError(f"dtype={dtype} of the result must be float32, bfloat16 or float16")


def runs_on(x: Tensor, code: torch.dtype, operation: str, dot: bool) -> str:
    """The implementation for a tensor, and a type of 8 bits: GPUs know such floats from compute capability 8.9 on."""
    new = code == torch.int8 or not x.is_cuda or capability(x.device) >= (8, 9)
    ok = new and (dot or x.dtype in FLOATS)
    return implementation(x, operation=operation, triton_ok=ok, dot=dot)


@torch.library.custom_op("minigpt::quantize", mutates_args=())
def _quantize(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    if runs_on(x, dtype, "quantize", dot=False) == "torch":
        return reference.quantize(x, dtype)
    from minigpt.kernels.triton import quantize as kernel

    return kernel.quantize(x if x.stride(1) == 1 else x.contiguous(), dtype)


@_quantize.register_fake
def _(x, dtype):
    return x.new_empty(x.shape, dtype=dtype), x.new_empty(len(x), dtype=torch.float32)


@torch.library.custom_op("minigpt::scaled_matmul", mutates_args=())
def _scaled_matmul(a: Tensor, b: Tensor, a_scales: Tensor, b_scales: Tensor, dtype: torch.dtype) -> Tensor:
    if runs_on(a, a.dtype, "scaled_matmul", dot=True) == "torch":
        return reference.scaled_matmul(a, b, a_scales, b_scales, dtype).contiguous()
    from minigpt.kernels.triton import quantize as kernel

    return kernel.scaled_matmul(a, b, a_scales, b_scales, dtype)


@_scaled_matmul.register_fake
def _(a, b, a_scales, b_scales, dtype):
    return a.new_empty((a.shape[0], b.shape[1]), dtype=dtype)
