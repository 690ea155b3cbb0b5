"""Numbers with few bits: any floating-point format, rounding in every direction, and what it costs.

Nothing here needs PyTorch; arrays are NumPy's.
"""

from minigpt.numerics.blocks import BLOCK, MX_ELEMENTS, Blocks, encode_blocks
from minigpt.numerics.formats import (
    BF16,
    E8M0,
    FORMATS,
    FP4_E2M1,
    FP6_E2M3,
    FP6_E3M2,
    FP8_E4M3,
    FP8_E5M2,
    FP16,
    FP32,
    FP64,
    TF32,
    Format,
    Overflow,
    Specials,
)
from minigpt.numerics.loss_scaling import LossScale
from minigpt.numerics.rounding import Rounding, round_to_grid, round_to_integer
from minigpt.numerics.summation import Method, total

__all__ = [
    "BF16",
    "BLOCK",
    "E8M0",
    "FORMATS",
    "FP4_E2M1",
    "FP6_E2M3",
    "FP6_E3M2",
    "FP8_E4M3",
    "FP8_E5M2",
    "FP16",
    "FP32",
    "FP64",
    "MX_ELEMENTS",
    "TF32",
    "Blocks",
    "Format",
    "LossScale",
    "Method",
    "Overflow",
    "Rounding",
    "Specials",
    "encode_blocks",
    "round_to_grid",
    "round_to_integer",
    "total",
]
