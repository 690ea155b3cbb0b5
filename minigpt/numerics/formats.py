"""Floating-point formats: which numbers a few bits can hold, and which of them stands for a given number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minigpt.numerics.rounding import Rounding, round_to_grid, spacing_exponent

Specials = Literal["ieee", "nan", "none"]
"""Which codes are no numbers. `"ieee"`: those with all exponent bits set, which are infinities (fraction 0) and NaN.
`"nan"`: only those with all exponent and all fraction bits set, which are NaN. `"none"`: every code is a number."""

Overflow = Literal["infinity", "saturate", "nan"]
"""What becomes of a number whose rounded value is too large. `"infinity"`: what IEEE 754 says, an infinity, or the
largest number where the rounding leads toward zero. `"saturate"`: the largest number. `"nan"`: NaN."""


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    A code is a whole number whose bits are, from the highest to the lowest, the sign `s`, the exponent field `E` and
    the fraction `F`. With `p` fraction bits it stands for

        (-1)^s  2^(E - bias) (1 + F / 2^p)    if E > 0,         a normal number,
        (-1)^s  2^(1 - bias) (F / 2^p)        if E = 0,         a zero or a subnormal number

    (IEEE 754-2019, section 3.4). Values come and go as float64, which holds every number of every format here. Bits are
    kept in the smallest unsigned integer that has room; TF32 keeps its 19 bits at the low end of 32.

    Args:
        name: for messages.
        exponent_bits: width of the exponent field, 1 to 11.
        fraction_bits: width of the fraction, 0 to 52.
        bias: what is subtracted from the exponent field; by default `2^(exponent_bits - 1) - 1`.
        signed: whether there is a sign bit.
        specials: which codes are infinities and NaN.
        subnormals: whether exponent field 0 means zero and subnormal numbers; if not, it is an exponent like the
            others, and there is no zero.

    Raises:
        ValueError: if a width is out of range, no normal number is left, or the numbers do not fit in float64.
    """

    name: str
    exponent_bits: int
    fraction_bits: int
    bias: int | None = None
    signed: bool = True
    specials: Specials = "ieee"
    subnormals: bool = True

    def __post_init__(self) -> None:
        if not (1 <= self.exponent_bits <= 11 and 0 <= self.fraction_bits <= 52):
            raise ValueError(
                f"{self.exponent_bits} exponent bits and {self.fraction_bits} fraction bits; "
                "expected 1 to 11 and 0 to 52, which float64 can hold"
            )
        if self.specials not in get_args(Specials):
            raise ValueError(f"specials={self.specials!r} is unknown; choose one of {get_args(Specials)}")
        if self.specials == "ieee" and self.exponent_bits == 1 and self.subnormals:
            raise ValueError(
                f"{self.name} has one exponent bit, and with specials='ieee' no normal number is left; "
                "expected at least 2 bits, or other specials"
            )
        if self.bias is None:
            object.__setattr__(self, "bias", 2 ** (self.exponent_bits - 1) - 1)
        if self.largest_exponent > 1023 or self.smallest_exponent - self.fraction_bits < -1074:
            raise ValueError(f"with a bias of {self.bias} the numbers of {self.name} do not fit in float64")

    def __repr__(self) -> str:
        return self.name

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.signed + self.exponent_bits + self.fraction_bits

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest unsigned integer that holds a code."""
        return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if 8 * size >= self.bits)}")

    @property
    def smallest_exponent(self) -> int:
        """Of the smallest normal number."""
        return int(self.subnormals) - self.bias

    @property
    def largest_exponent(self) -> int:
        """Of the largest number."""
        top = 2**self.exponent_bits - 1 - self.bias
        # Where NaN takes the only fraction that there is, the exponent is lost too.
        return top - 1 if self.specials == "ieee" or (self.specials == "nan" and not self.fraction_bits) else top

    @property
    def largest(self) -> float:
        """The largest finite number."""
        last = 2**self.fraction_bits - 1 - (self.specials == "nan" and self.fraction_bits > 0)
        return math.ldexp(1 + last / 2**self.fraction_bits, self.largest_exponent)

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number with all its digits."""
        return math.ldexp(1.0, self.smallest_exponent)

    @property
    def smallest(self) -> float:
        """The smallest positive number: a subnormal one, where there are any."""
        return math.ldexp(1.0, self.smallest_exponent - self.fraction_bits * self.subnormals)

    @property
    def epsilon(self) -> float:
        """The distance from 1 to the next larger number, `2^-fraction_bits`."""
        return math.ldexp(1.0, -self.fraction_bits)

    @property
    def has_infinity(self) -> bool:
        """Whether two codes are infinities."""
        return self.specials == "ieee"

    @property
    def has_nan(self) -> bool:
        """Whether there is a NaN."""
        return self.specials == "nan" or (self.specials == "ieee" and self.fraction_bits > 0)

    def spacing(self, values: ArrayLike) -> NDArray[np.float64]:
        """The distance to the next number of larger size (unit in the last place, ulp), of finite values."""
        return np.ldexp(1.0, spacing_exponent(values, self.fraction_bits, self.smallest_exponent))

    def fields(self, codes: ArrayLike) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
        """Sign, exponent field and fraction of every code.

        Raises:
            ValueError: if a code is not a whole number of `bits` bits.
        """
        codes = np.asarray(codes)
        if codes.dtype.kind not in "ui" and codes.size:
            raise ValueError(f"codes of type {codes.dtype}; expected whole numbers, the bits of {self.name}")
        if codes.size and not (int(codes.min()) >= 0 and int(codes.max()) < 2**self.bits):
            raise ValueError(f"codes from {codes.min()} to {codes.max()}; {self.name} has 0 to {2**self.bits - 1}")
        codes = codes.astype(np.uint64)
        sign = codes >> np.uint64(self.bits - 1) if self.signed else np.zeros_like(codes)
        exponent = (codes >> np.uint64(self.fraction_bits)) & np.uint64(2**self.exponent_bits - 1)
        return sign, exponent, codes & np.uint64(2**self.fraction_bits - 1)

    def decode(self, codes: ArrayLike) -> NDArray[np.float64]:
        """The numbers that codes stand for.

        Args:
            codes: whole numbers of `bits` bits, any shape.

        Raises:
            ValueError: if a code is out of range.
        """
        sign, exponent, fraction = self.fields(codes)
        normal = (exponent > 0) | (not self.subnormals)
        significand = fraction + np.where(normal, np.uint64(2**self.fraction_bits), np.uint64(0))
        power = np.where(normal, exponent, 1).astype(np.int32) - np.int32(self.bias + self.fraction_bits)
        special, infinite = self._special(exponent, fraction)
        power = np.where(special, 0, power)
        size = np.ldexp(significand.astype(np.float64), power)
        size = np.where(special, np.where(infinite, np.inf, np.nan), size)
        return np.where(sign == 1, -size, size)

    def _special(self, exponent: NDArray, fraction: NDArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        top = exponent == 2**self.exponent_bits - 1
        if self.specials == "ieee":
            return top, fraction == 0
        nan = top & (fraction == 2**self.fraction_bits - 1) & (self.specials == "nan")
        return nan, np.zeros_like(nan)

    def round(
        self,
        values: ArrayLike,
        rounding: Rounding = "nearest even",
        overflow: Overflow | None = None,
        generator: np.random.Generator | None = None,
    ) -> NDArray[np.float64]:
        """The number of this format in the place of each value.

        Args:
            values: any shape; integers and shorter floats are first converted to float64.
            rounding: the direction; see `round_to_integer`.
            overflow: what becomes of numbers that are too large; by default infinity, or where a format has none NaN,
                or where it has neither the largest number. An infinity that comes in is such a number, too.
            generator: for stochastic rounding.

        Raises:
            ValueError: if the policy needs a code that the format does not have, if a value is NaN and there is no NaN,
                or as `round_to_integer`.
        """
        values = np.asarray(values, np.float64)
        policy = self._policy(overflow)
        rounded = round_to_grid(values, self.fraction_bits, self.smallest_exponent, rounding, generator)
        if not self.subnormals:  # nor a zero: what lies below the smallest number becomes it
            rounded = np.where(values == 0, self.smallest, np.maximum(np.abs(rounded), self.smallest)) * np.where(
                values < 0, -1.0, 1.0
            )
        over = np.abs(rounded) > self.largest
        if policy == "infinity":
            inward = {"toward zero": True, "up": values < 0, "down": values > 0}.get(rounding, False)
            limit = np.where(inward & np.isfinite(values), self.largest, np.inf)
        else:
            limit = self.largest if policy == "saturate" else np.nan
        rounded = np.where(over, np.copysign(limit, values), rounded)
        if not self.signed:
            rounded = np.where(values < 0, np.nan, rounded)
        if not self.has_nan and np.isnan(rounded).any():
            raise ValueError(f"{self.name} has no code for NaN; remove the NaN, or choose another format")
        return rounded

    def _policy(self, overflow: Overflow | None) -> Overflow:
        if overflow is None:
            return "infinity" if self.has_infinity else "nan" if self.has_nan else "saturate"
        if overflow not in get_args(Overflow):
            raise ValueError(f"overflow={overflow!r} is unknown; choose one of {get_args(Overflow)}")
        if (overflow == "infinity" and not self.has_infinity) or (overflow == "nan" and not self.has_nan):
            raise ValueError(f"overflow={overflow!r}, but {self.name} has no such code; choose 'saturate'")
        return overflow

    def encode(
        self,
        values: ArrayLike,
        rounding: Rounding = "nearest even",
        overflow: Overflow | None = None,
        generator: np.random.Generator | None = None,
    ) -> NDArray[np.unsignedinteger]:
        """The code of the number in the place of each value; arguments and errors are those of `round`.

        NaN gets one code, the "quiet" one without a sign: all exponent bits and the highest fraction bit, or the code
        that the format keeps for it.
        """
        rounded = self.round(values, rounding, overflow, generator)
        finite = np.isfinite(rounded)
        size = np.where(finite, np.abs(rounded), 0.0)
        quantum = spacing_exponent(size, self.fraction_bits, self.smallest_exponent)
        significand = np.ldexp(size, -quantum).astype(np.uint64)
        field = (quantum + self.fraction_bits + self.bias).astype(np.int64)
        # A normal number's leading one adds 1 to the exponent field, which is how a subnormal one gets field 0.
        code = ((field - 1).clip(0).astype(np.uint64) << np.uint64(self.fraction_bits)) + significand
        if not self.subnormals:
            code = (field.clip(0).astype(np.uint64) << np.uint64(self.fraction_bits)) | (
                significand & np.uint64(2**self.fraction_bits - 1)
            )
        top = (2**self.exponent_bits - 1) << self.fraction_bits
        quiet = top + (2 ** (self.fraction_bits - 1) if self.specials == "ieee" and self.fraction_bits else 0)
        if self.specials == "nan":
            quiet = top + 2**self.fraction_bits - 1
        code = np.where(np.isinf(rounded), np.uint64(top), np.where(np.isnan(rounded), np.uint64(quiet), code))
        if self.signed:
            negative = np.signbit(rounded) & ~np.isnan(rounded)
            code |= negative.astype(np.uint64) << np.uint64(self.bits - 1)
        return code.astype(self.dtype)

    def numbers(self) -> NDArray[np.float64]:
        """All finite numbers in ascending order, zero once; of formats of at most 16 bits.

        Raises:
            ValueError: if the format has more bits than that.
        """
        if self.bits > 16:
            raise ValueError(f"{self.name} has 2^{self.bits} codes; only formats of at most 16 bits can be listed")
        values = self.decode(np.arange(2**self.bits))
        return np.unique(values[np.isfinite(values)])


FP64 = Format("FP64", 11, 52)
FP32 = Format("FP32", 8, 23)
TF32 = Format("TF32", 8, 10)
"""NVIDIA's format for the factors of a float32 matrix product: the range of FP32, the digits of FP16."""
FP16 = Format("FP16", 5, 10)
BF16 = Format("BF16", 8, 7)
FP8_E4M3 = Format("FP8 E4M3", 4, 3, specials="nan")
"""Micikevicius et al. (2022): one NaN for each sign, no infinities, so that it reaches 448 and not 240."""
FP8_E5M2 = Format("FP8 E5M2", 5, 2)
FP6_E2M3 = Format("FP6 E2M3", 2, 3, specials="none")
FP6_E3M2 = Format("FP6 E3M2", 3, 2, specials="none")
FP4_E2M1 = Format("FP4 E2M1", 2, 1, specials="none")
E8M0 = Format("E8M0", 8, 0, signed=False, specials="nan", subnormals=False)
"""A power of two from 2^-127 to 2^127, the scale of a block in the OCP Microscaling formats."""

FORMATS = (FP64, FP32, TF32, FP16, BF16, FP8_E4M3, FP8_E5M2, FP6_E2M3, FP6_E3M2, FP4_E2M1, E8M0)
"""All of them, from the widest to the narrowest, the format of scales last."""
