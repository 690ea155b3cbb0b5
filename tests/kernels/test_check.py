"""`python -m minigpt.kernels.check` finds what a kernel takes of a GPU, and what is over its budget."""

import ast
import dataclasses
import json
import re
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton has wheels for Linux alone")

import triton
import triton.language as tl

from minigpt.kernels.check import __main__ as command
from minigpt.kernels.check import triton_kernels
from minigpt.kernels.check.table import ARCHITECTURES, Compilation, Task, Usage


@triton.jit
def product_kernel(a, b, c, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)[:, None] * n + tl.arange(0, BLOCK)[None, :]
    tl.store(c + at, tl.dot(tl.load(a + at), tl.load(b + at)))


STORED = Path(__file__).parents[2] / "benchmarks" / "results" / "compiled.json"

WORDS_OF_3_6 = {
    "abs", "arange", "cast", "cdiv", "constexpr", "dot", "erf", "exp", "exp2", "float32", "full", "int32",
    "int64", "interleave", "load", "log", "log2", "max", "maximum", "minimum", "multiple_of", "num_programs",
    "permute", "pointer_type", "program_id", "range", "reshape", "rsqrt", "sigmoid", "split", "sqrt",
    "static_range", "store", "sum", "where", "zeros",
}  # fmt: skip
"""Of the language, as far as the kernels use it; Triton 3.6 has them all. Look one up before you add it."""

PRODUCT = Compilation(
    product_kernel, {"a": "*bf16", "b": "*bf16", "c": "*fp32", "n": "i32:16"}, {"BLOCK": 64}, matrix=True
)


def functions_of(module):
    found = {name: value for name, value in vars(module).items() if isinstance(value, triton.runtime.JITFunction)}
    return {name: value for name, value in found.items() if value.__module__ == module.__name__}


def called():
    """What another function under `@triton.jit` calls: no kernel, but a part of one."""
    sources = [value.src for module in triton_kernels.modules() for value in functions_of(module).values()]
    return {name for source in sources for name in re.findall(r"\b(\w+)\(", source.split(":", 1)[1])}


def kernels_of(module):
    return {value for name, value in functions_of(module).items() if name not in called()}


@pytest.mark.parametrize("module", triton_kernels.modules(), ids=lambda module: module.__name__)
def test_every_kernel_stands_in_the_table_of_its_module(module):
    assert kernels_of(module) == {compilation.kernel for compilation in getattr(module, "SIGNATURES", ())}


@pytest.mark.parametrize("module", triton_kernels.modules(), ids=lambda module: module.__name__)
def test_kernels_use_only_what_triton_3_6_has(module):
    for name, function in functions_of(module).items():
        tree = ast.parse(textwrap.dedent(function.src))
        words = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tl"
        }
        assert words <= WORDS_OF_3_6, f"{name} uses tl.{words - WORDS_OF_3_6}"
        # Later versions compile these, too.
        assert not any(isinstance(node, ast.Compare) and len(node.ops) > 1 for node in ast.walk(tree)), name
        assert not tree.body[0].args.kwonlyargs, name


def test_the_tables_of_the_book_have_every_kernel_on_every_architecture():
    stored = json.loads(STORED.read_text(encoding="utf-8"))["kernels"]
    names = [(f"{k['module']}.{k['kernel']}", int(number)) for k in stored for number in k["usage"]]
    expected = [(task.name, task.architecture) for task in command.all_tasks()]
    assert sorted(names) == sorted(expected), (
        "run python -m minigpt.kernels.check --store benchmarks/results/compiled.json"
    )


def test_what_the_command_found_can_be_stored(monkeypatch, tmp_path):
    fine = Task("a.fine", 80, run=lambda: Usage(registers=32, local=0, shared=64, matrix=None))
    wide = dataclasses.replace(fine, architecture=90, registers=16)
    tasks, path = [fine], tmp_path / "found.json"
    monkeypatch.setattr(command, "all_tasks", lambda: tasks)
    assert command.main(["--jobs", "1", "--store", str(path)]) == 0
    before = json.loads(path.read_text(encoding="utf-8"))
    usage = {"registers": 32, "local": 0, "shared": 64, "matrix": None}
    assert before["kernels"] == [{"module": "a", "kernel": "fine", "usage": {"80": usage}}]
    assert before["versions"]["triton"] == triton.__version__
    assert command.main(["--jobs", "1", "--against", str(path)]) == 0
    tasks[0] = dataclasses.replace(fine, run=lambda: Usage(registers=33, local=0, shared=64, matrix=None))
    assert command.main(["--jobs", "1", "--against", str(path)]) == 1
    path.write_text(json.dumps({**before, "versions": {"triton": "3.6.0"}}), encoding="utf-8")
    assert command.main(["--jobs", "1", "--against", str(path)]) == 0, "another compiler may find other numbers"
    assert command.main(["--jobs", "1", "--store", str(path)]) == 0
    before = json.loads(path.read_text(encoding="utf-8"))
    tasks.append(wide)
    assert command.main(["--jobs", "1", "--store", str(path)]) == 1
    assert json.loads(path.read_text(encoding="utf-8")) == before, "what is broken is not stored"


@pytest.mark.parametrize("part", [["fine"], ["--arch", "80"]])
def test_a_part_of_the_table_is_neither_stored_nor_compared(tmp_path, part, capsys):
    for option in ("--store", "--against"):
        with pytest.raises(SystemExit):
            command.main([*part, option, str(tmp_path / "found.json")])
        assert "leave out words and --arch" in capsys.readouterr().err


def test_names_are_distinct():
    tasks = [(task.name, task.architecture) for task in triton_kernels.tasks()]
    assert len(set(tasks)) == len(tasks)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_matrix_instruction_is_that_of_the_architecture(architecture):
    usage = triton_kernels.usage(triton_kernels.compiled(PRODUCT, architecture))
    assert usage.matrix == ARCHITECTURES[architecture].matrix
    assert 16 < usage.registers <= 255
    assert usage.shared <= ARCHITECTURES[architecture].shared
    # Without tensor cores, sums of products fill the registers of a T4 and more.
    assert (usage.local > 0) == (architecture == 75)


def test_what_is_over_its_budget_is_named():
    task = Task("matmul", 90, run=lambda: None, matrix="wgmma.mma_async", registers=128)
    assert task.faults(Usage(registers=128, local=0, shared=1024, matrix="wgmma.mma_async")) == []
    assert task.faults(Usage(registers=168, local=8, shared=240 << 10, matrix=None)) == [
        "168 registers, over the budget of 128",
        "8 bytes of local memory, over the budget of 0",
        "245760 bytes of shared memory, over the budget of 232448",
        "no matrix instruction where wgmma.mma_async is expected",
    ]


def test_the_command_reports_and_its_status_tells(monkeypatch, capsys):
    def broken():
        raise RuntimeError("a compiler\nsays no")

    fine = Task("fine", 80, run=lambda: Usage(registers=32, local=0, shared=64, matrix=None))
    tasks = [fine]
    monkeypatch.setattr(command, "all_tasks", lambda: tasks)
    assert command.main(["--jobs", "1"]) == 0
    tasks += [dataclasses.replace(fine, name="wide", registers=16), Task("wrong", 80, run=broken)]
    assert command.main(["--jobs", "1"]) == 1
    report = capsys.readouterr().out
    assert "BROKEN: 32 registers, over the budget of 16" in report
    assert "BROKEN: does not compile: a compiler says no" in report
    assert report.endswith("3 compilations, 2 broken\n")
    assert command.main(["fine", "--arch", "80"]) == 0
    assert command.main(["--arch", "120"]) == 0
    assert capsys.readouterr().out.endswith("or no kernel has such a name\n")


def test_a_table_with_a_mistake_is_refused():
    with pytest.raises(ValueError, match=r"product_kernel: no type or value for \['n'\], or no argument \['m'\]"):
        Compilation(product_kernel, {"a": "*bf16", "b": "*bf16", "c": "*fp32", "m": "i32"}, {"BLOCK": 64})
    with pytest.raises(ValueError, match=r"architectures \[60\] are not in the table"):
        dataclasses.replace(PRODUCT, architectures=(60, 80))
