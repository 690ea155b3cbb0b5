"""One source, two machines: a Triton kernel is compiled for tensors on a GPU and interpreted for tensors on a CPU.

Triton brings an interpreter, switched on for a whole process by an environment variable. It is wrong, without a word,
for bfloat16 and the 8-bit formats: it adds and multiplies their bit patterns, and rounds to them by cutting off. Here
it is chosen launch by launch, and these formats take the way that a GPU takes: through float32, rounded to the nearest,
ties to even. Floats of 8 bits saturate, as NVIDIA's conversions do.

What the interpreter does not see: programs run one after the other, so there are no races; memory is read wherever a
pointer points, so an overrun goes unnoticed; a product of float32 is exact to float32, never TF32. A reduction of
bfloat16 is calculated in float32 and rounded once. The first two are seen by `minigpt.kernels.watch`.
"""

from __future__ import annotations

import functools
import itertools
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import triton
import triton.compiler.code_generator  # binds names of the language, which must not happen while they are patched
import triton.language as tl
from triton.runtime import interpreter
from triton.runtime.jit import JITFunction

SUPPORTED = ((3, 7), (3, 10))
"""The versions of Triton whose private parts this module knows: from the first, below the second."""

NARROW = {tl.bfloat16: torch.bfloat16, tl.float8e4nv: torch.float8_e4m3fn, tl.float8e5: torch.float8_e5m2}
"""The formats that NumPy does not have; the interpreter keeps their bits in unsigned integers."""

OPTIONS = {"num_warps", "num_stages", "num_ctas", "maxnreg"}
"""Options of a compilation, without meaning here."""

Programs = list[tuple[int, int, int]]
_lock = threading.RLock()
_orders: list[Callable[[Programs], Iterable[tuple[int, int, int]]]] = []


def widened(handle: interpreter.TensorHandle) -> np.ndarray:
    """The values of a block as an array with which NumPy can calculate: narrow formats as float32."""
    narrow = NARROW.get(handle.dtype.scalar)
    if narrow is None:
        return handle.data
    bits = torch.from_numpy(np.ascontiguousarray(handle.data).view(f"i{narrow.itemsize}"))
    return bits.view(narrow).float().numpy()


def narrowed(values: np.ndarray, dtype: tl.dtype) -> interpreter.TensorHandle:
    """A block of a format, from values that were calculated: rounded to the nearest, ties to even."""
    dtype = dtype.scalar
    narrow = NARROW.get(dtype)
    if narrow is None:
        if dtype.is_fp8():
            raise NotImplementedError(f"{dtype} cannot be interpreted; of 8-bit floats, float8e4nv and float8e5 can")
        return interpreter.TensorHandle(values.astype(interpreter._get_np_dtype(dtype)), dtype)
    wide = torch.from_numpy(np.array(values, dtype=np.float32))
    if narrow.itemsize == 1:
        largest = torch.finfo(narrow).max
        wide = wide.clamp(-largest, largest)  # keeps NaN
    bits = wide.to(narrow).view(torch.int16 if narrow.itemsize == 2 else torch.int8).numpy()
    return interpreter.TensorHandle(bits.view(interpreter._get_np_dtype(dtype)), dtype)


def is_narrow(handle: interpreter.TensorHandle) -> bool:
    """Whether NumPy lacks the format of a block."""
    return handle.dtype.scalar in NARROW


class Builder(interpreter.InterpreterBuilder):
    """Triton's interpreter of single operations, with the narrow formats calculated in float32."""

    def begin(self, name: str, arguments: Iterable[Any]) -> None:
        """Called before the first program of a launch, with the kernel's name and its arguments."""

    def end(self) -> None:
        """Called after the last program."""

    def cast_impl(self, src, dst_type):
        """Convert to another type."""
        if is_narrow(src) or dst_type.scalar.is_fp8() or dst_type.scalar in NARROW:
            return narrowed(widened(src), dst_type)
        return super().cast_impl(src, dst_type)

    def create_fp_to_fp(self, src, dst_type, rounding_mode):
        """Convert between floating-point types; toward zero where that is asked for."""
        if rounding_mode == interpreter._ir.ROUNDING_MODE.RTZ:
            return super().create_fp_to_fp(src, dst_type, rounding_mode)
        return narrowed(widened(src), dst_type)

    def binary_op(self, lhs, rhs, op):
        """Calculate or compare with two blocks."""
        if not is_narrow(lhs):
            return super().binary_op(lhs, rhs, op)
        result = op(widened(lhs), widened(rhs))
        if result.dtype == np.bool_:
            return interpreter.TensorHandle(result, tl.int1)
        return narrowed(result, lhs.dtype)

    def unary_op(self, arg, op):
        """Calculate with one block."""
        return narrowed(op(widened(arg)), arg.dtype) if is_narrow(arg) else super().unary_op(arg, op)

    def create_fma(self, x, y, z):
        """`x y + z`."""
        return narrowed(widened(x) * widened(y) + widened(z), z.dtype) if is_narrow(z) else super().create_fma(x, y, z)

    def create_clampf(self, arg, lo, hi, propagate_nans):
        """Limit to a range."""
        if not is_narrow(arg):
            return super().create_clampf(arg, lo, hi, propagate_nans)
        return narrowed(np.clip(widened(arg), widened(lo), widened(hi)), arg.dtype)

    def create_maxnumf(self, lhs, rhs):
        """The larger one; a NaN counts as missing, as on a GPU."""
        return self.binary_op(lhs, rhs, np.fmax)

    def create_minnumf(self, lhs, rhs):
        """The smaller one; a NaN counts as missing, as on a GPU."""
        return self.binary_op(lhs, rhs, np.fmin)

    def create_dot(self, a, b, d, *precision):
        """Product of two matrices, added to a third."""
        if not is_narrow(a) and not is_narrow(b):
            return super().create_dot(a, b, d, *precision)
        product = np.matmul(widened(a), widened(b), dtype=np.float32)
        return narrowed(product + widened(d), d.dtype)

    def create_atomic_rmw(self, rmwOp, ptr, val, mask, sem, scope):
        """Read, change and write as one step."""
        if is_narrow(val):
            raise NotImplementedError(f"atomic operations on {val.dtype} cannot be interpreted; use float32")
        return super().create_atomic_rmw(rmwOp, ptr, val, mask, sem, scope)


_builders: list[Callable[[], Builder]] = []


def _reduced(apply: Callable[..., Any]) -> Callable[..., Any]:
    # tl.sum, tl.max, tl.cumsum and the like: narrow formats are widened before, and narrowed once after.
    def wide(block: tl.tensor) -> tl.tensor:
        if not is_narrow(block.handle):
            return block
        handle = interpreter.TensorHandle(widened(block.handle), tl.float32)
        return tl.core.tensor(handle, tl.block_type(tl.float32, list(block.shape)))

    def narrow(block: tl.tensor, like: tl.tensor) -> tl.tensor:
        if not is_narrow(like.handle) or block.dtype != tl.float32:
            return block
        kind = block.type.with_element_ty(like.dtype) if block.type.is_block() else like.dtype
        return tl.core.tensor(narrowed(block.handle.data, like.dtype), kind)

    def apply_wide(self, blocks):
        alone = not isinstance(blocks, tuple)
        blocks = (blocks,) if alone else blocks
        results = apply(self, tuple(map(wide, blocks)))
        results = tuple(narrow(*pair) for pair in zip(results, blocks, strict=False))
        return results[0] if alone else results

    return apply_wide


@functools.cache
def _rewritten(function: Callable[..., None]) -> Callable[..., None]:
    # The rewriter puts the interpreter's own names into the module of the kernel; all but one are taken out again.
    names = set(function.__globals__)
    result = interpreter.FunctionRewriter(function).rewrite_ast()
    for name in set(function.__globals__) - names - {"interpreter_semantic"}:
        del function.__globals__[name]
    return result


def check_version() -> None:
    """Refuse a Triton whose interpreter this module does not know.

    Raises:
        RuntimeError: if it is older or newer than what was tried.
    """
    version = tuple(int(part) for part in triton.__version__.split(".")[:2])
    if not SUPPORTED[0] <= version < SUPPORTED[1]:
        low, high = (".".join(map(str, version)) for version in SUPPORTED)
        raise RuntimeError(
            f"Triton {triton.__version__} is installed; kernels are interpreted with {low} up to below {high}, because "
            "that relies on private parts of Triton. Install such a version, or use GPU tensors or the reference"
        )


def _truth(block: tl.tensor) -> bool:
    # Triton's interpreter takes every block for true, so that `if` and `and` would pass here and fail on a GPU.
    if block.handle.data.size == 1:
        return bool(block.handle.data.item())
    if sys._getframe(1).f_globals.get("__name__", "").startswith("triton."):
        return True  # its own code asks whether an argument was given
    raise TypeError(
        "a block is neither true nor false; in place of if, and, or, not, max and min take a mask, &, |, ~, "
        "tl.maximum and tl.minimum"
    )


@contextmanager
def _interpreting() -> Iterator[Builder]:
    builder = _builders[-1]() if _builders else Builder()
    reductions = interpreter.ReduceScanOpInterface
    languages = types.SimpleNamespace(__globals__={"tl": tl, "core": tl.core})
    with _lock, triton.knobs.runtime.scope(), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        triton.knobs.runtime.interpret = True
        scope = interpreter._LangPatchScope()
        try:
            scope.set_attr(interpreter.interpreter_semantic, "builder", builder)
            scope.set_attr(reductions, "apply", _reduced(reductions.apply))
            scope.set_attr(JITFunction, "__call__", lambda self, *args, **named: _rewritten(self.fn)(*args, **named))
            inner = interpreter._patch_lang(languages)
            inner.set_attr(tl.core.tensor, "__bool__", _truth)
            try:
                yield builder
            finally:
                inner.restore()
        finally:
            scope.restore()


@contextmanager
def built_by(make: Callable[[], Builder]) -> Iterator[None]:
    """Interpret with another interpreter of single operations within a `with` block.

    Args:
        make: gives one for each launch.
    """
    _builders.append(make)
    try:
        yield
    finally:
        _builders.pop()


@contextmanager
def program_order(order: Callable[[Programs], Iterable[tuple[int, int, int]]]) -> Iterator[None]:
    """Run the programs of interpreted kernels in another order within a `with` block: a GPU promises none.

    Args:
        order: from the list of programs, first to last, the order in which they run; `reversed`, for example.
    """
    _orders.append(order)
    try:
        yield
    finally:
        _orders.pop()


def interpret(function: JITFunction, grid: tuple[int, ...] | Callable[[dict], tuple[int, ...]], *args, **named) -> None:
    """Run a kernel on CPU tensors, one program after the other.

    Args:
        function: the kernel.
        grid: number of programs along one to three axes, or a function that gives it from the arguments.
        args: arguments of the kernel by position.
        named: and by name; options of the compiler are skipped.

    Raises:
        RuntimeError: if the installed Triton is not one that this module knows.
        ValueError: if the kernel has no argument of a name, or the grid has more than three axes.
    """
    check_version()
    unknown = set(named) - set(function.arg_names) - OPTIONS
    if unknown:
        raise ValueError(f"{function.__name__} has no argument {', '.join(sorted(unknown))}")
    named = {name: value for name, value in named.items() if name in function.arg_names}
    constants = {param.name for param in function.params if param.is_constexpr}
    with _interpreting() as builder:
        bound = function.signature.bind(*args, **named)
        bound.apply_defaults()
        values = {
            name: value if name in constants else interpreter._implicit_cvt(value)
            for name, value in bound.arguments.items()
        }
        size = tuple(grid(dict(bound.arguments)) if callable(grid) else grid)
        if not 1 <= len(size) <= 3:
            raise ValueError(f"grid={size} must have one, two or three axes")
        size += (1,) * (3 - len(size))
        builder.set_grid_dim(*size)
        kernel = _rewritten(function.fn)
        programs = list(itertools.product(*map(range, size)))
        builder.begin(function.__name__, bound.arguments.values())
        for program in _orders[-1](programs) if _orders else programs:
            builder.set_grid_idx(*program)
            try:
                kernel(**values)
            except Exception as error:
                error.add_note(f"in program {program} of {size} of the interpreted kernel {function.__name__}")
                raise
        builder.end()


class Launcher:
    """`Launcher(kernel)[grid](*args, **meta)`: interpreted where the tensors are on a CPU, compiled on a GPU.

    Args:
        kernel: a function under `@triton.jit`.

    Raises:
        ValueError: if it is none; at a launch, if its tensors are not all on one device.
    """

    def __init__(self, kernel: JITFunction) -> None:
        if isinstance(kernel, interpreter.InterpretedFunction):
            raise ValueError("TRITON_INTERPRET is set; unset it: kernels on CPU tensors are interpreted without it")
        if not isinstance(kernel, JITFunction):
            raise ValueError(f"{kernel!r} is no function under @triton.jit")
        self.kernel = kernel

    def __getitem__(self, grid: tuple[int, ...] | Callable[[dict], tuple[int, ...]]) -> Callable[..., Any]:
        """What launches the kernel on a grid of programs."""

        def launch(*args, **meta):
            values = (getattr(value, "base", value) for value in (*args, *meta.values()))
            devices = {value.device for value in values if isinstance(value, torch.Tensor)}
            if len(devices) > 1:
                places = " and ".join(sorted(map(str, devices)))
                raise ValueError(f"{self.kernel.__name__} got tensors on {places}; move all to one device")
            device = devices.pop() if devices else torch.device("cuda")
            if device.type == "cpu":
                return interpret(self.kernel, grid, *args, **meta)
            # Triton launches on the current device, which need not be that of the tensors.
            with torch.cuda.device(device):
                return self.kernel[grid](*args, **meta)

        return launch
