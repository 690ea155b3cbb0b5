"""No kernel is left out: the operations of the package, forward and backward, launch every kernel of the tables."""

from unittest import mock

import pytest
import torch

pytest.importorskip("triton", reason="Triton has wheels for Linux alone")

from kernels.harness import draw
from minigpt.kernels import interpret
from minigpt.kernels.activation import gelu, swiglu
from minigpt.kernels.adamw import adamw
from minigpt.kernels.attention import attention, decode_attention
from minigpt.kernels.check import triton_kernels
from minigpt.kernels.dispatch import use
from minigpt.kernels.loss import cross_entropy
from minigpt.kernels.matmul import matmul
from minigpt.kernels.moe import grouped_matmul, route
from minigpt.kernels.norm import layer_norm, rms_norm
from minigpt.kernels.quantize import quantize, scaled_matmul
from minigpt.kernels.quantize_blocks import block_scaled_matmul, quantize_blocks
from minigpt.kernels.rotary import rotary
from minigpt.kernels.softmax import softmax


def leaf(*size: int) -> torch.Tensor:
    return draw(*size).requires_grad_()


def everything() -> None:
    """Every operation, and each of its ways for short and for long rows."""
    words, heads, angles = torch.tensor([1, 0]), leaf(1, 2, 3, 4), draw(1, 2, 2)
    results = [
        *(softmax(leaf(1, n)) for n in (3, 16385)),
        *(norm(leaf(1, n), leaf(n)) for norm in (layer_norm, rms_norm) for n in (3, 8193)),
        *(gelu(leaf(3)), swiglu(leaf(3), leaf(3)), rotary(heads, angles, angles), attention(heads, heads, heads)),
        *(cross_entropy(leaf(2, 3), words), matmul(leaf(2, 3), leaf(3, 2))),
        grouped_matmul(leaf(2, 3), leaf(2, 3, 4), route(words[:, None], 2)),
    ]
    for y in results:
        y.sum().backward()
    decode_attention(heads.detach()[:, :, 0], heads.detach(), heads.detach())
    adamw([draw(3)], [draw(3)], [torch.zeros(3)], [torch.zeros(3)], step=1, lr=0.1)
    codes, scales = quantize(draw(2, 3))
    scaled_matmul(codes, codes.T, scales, scales)
    codes, scales = quantize_blocks(draw(2, 3))
    block_scaled_matmul(codes, codes.T, scales, scales[:1])


def test_every_kernel_of_the_tables_is_interpreted():
    with use("interpret"), mock.patch.object(interpret, "interpret", wraps=interpret.interpret) as launched:
        everything()
    tables = [getattr(module, "SIGNATURES", ()) for module in triton_kernels.modules()]
    expected = {compilation.kernel.__name__ for table in tables for compilation in table}
    assert {call.args[0].__name__ for call in launched.call_args_list} == expected
