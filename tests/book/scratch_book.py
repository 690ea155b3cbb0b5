"""A small book in the form of the real one, so that the tools can be tried on what they must take and must refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import publish
from guard import METADATA

BIBLIOGRAPHY = r"""
@inproceedings{vaswani2017attention,
  author = {Vaswani, Ashish and Shazeer, Noam and Kaiser, {\L}ukasz},
  title = {Attention Is All You Need}, booktitle = {NeurIPS}, year = {2017}, url = {https://arxiv.org/abs/1706.03762}
}
@book{knuth1984literate,
  author = {Knuth, Donald E.}, title = {Literate Programming}, publisher = {Addison-Wesley}, year = 1984
}
"""

MACHINES = r"""
(ch-machines)=
# Machines

You can say what a machine is.
---
## One number

(sec-machines-line)=
### A line

A line has two numbers {cite:p}`vaswani2017attention`, says {cite:t}`knuth1984literate`, and `{ref}` is code:

$$ p(x) = a x + b $$ (eq-machines-line)

With {eq}`eq-machines-line` you can draw {numref}`fig-machines-line`.

```python
$$ not an equation $$ (eq-machines-not)
```
---
:::{note}
Two lines,

$$
q(x) = c x \\
     + d
$$ (eq-machines-other)

and {term}`token`.
:::

::::{admonition} A *longer* word
:class: dropdown
A hint with {math}`x^2`.

:::{warning}
Inside.
:::
::::
---
```{list-table} Names and sizes.
:header-rows: 1
:name: tab-machines-sizes

* - name
  - size
* - `a | b`
  - $|a|$ and
    more
```

{numref}`tab-machines-sizes` has two columns; see {ref}`the line <sec-machines-line>` and {ref}`ex-machines-double`.
"""

TOKENS = r"""
(ch-tokens)=
# Tokens

After {ref}`ch-machines`, from {ref}`sec-machines-line` and {eq}`eq-machines-other`; see {doc}`/book/notation`,
{doc}`the other chapter <01-machines>` and {py:class}`~minigpt.tokenizers.ByteTokenizer`.

$$ V = 256 $$ (eq-tokens-size)

By {eq}`eq-tokens-size`, {numref}`fig-machines-line` and {ref}`ch-tokens`.
"""

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

DOUBLE = {
    "name": "double",
    "title": "Twice as much",
    "prompt": "Write `double(x)`, as in {eq}`eq-machines-line`.",
    "solution": 'import math\n\n\ndef double(x):\n    """Twice x."""\n'
    "    ### BEGIN SOLUTION\n    return math.fsum([x, x])\n    ### END SOLUTION",
    "check": 'assert double(2) == 4, "twice 2 is 4, a product and not a power"\n'
    'assert double(3) == 6, "twice 3 is 6: multiply by two, do not add it"\n'
    "### BEGIN HIDDEN TESTS\n"
    'assert double(1000 + cohort) == 2000 + 2 * cohort, "it must work for large numbers too"\n'
    "### END HIDDEN TESTS",
    "points": 2,
}
GUESS = {
    "name": "guess",
    "title": "A number of your own",
    "prompt": "Set `guess` to the cohort plus 3.",
    "solution": "### BEGIN SOLUTION\nguess = cohort + 3\n### END SOLUTION",
    "check": 'assert isinstance(guess, int), "guess must be a whole number"\n'
    "### BEGIN HIDDEN TESTS\n"
    'assert guess == cohort + 3, "add 3 to the cohort"\n'
    "### END HIDDEN TESTS",
    "points": 1,
}


def exercise_cells(
    topic: str, name: str, title: str, prompt: str, solution: str, check: str, points: int
) -> list[dict]:
    """The five cells of an exercise."""
    label = f"ex-{topic}-{name}"
    common = {"schema_version": 3, "task": False}
    answer = {**common, "grade": False, "solution": True, "locked": False, "grade_id": label}
    test = {**common, "grade": True, "solution": False, "locked": True, "grade_id": f"{label}-check", "points": points}
    text = (
        f"```{{exercise-start}} {title}\n:label: {label}\n```\n\n**Difficulty 2 of 5 · 10 minutes**\n\n{prompt}\n\n"
        ":::{hint}\n:class: dropdown\nThink.\n:::\n\n```{exercise-end}\n```"
    )
    return [
        markdown(f"{label}-prompt", text),
        markdown(f"{label}-open", f"```{{solution-start}} {label}\n:class: dropdown\n```"),
        code(label, solution, nbgrader=answer),
        markdown(f"{label}-close", "```{solution-end}\n```"),
        code(f"{label}-check", check, nbgrader=test),
    ]


def open_exercise(topic: str) -> dict:
    """The prompt of an exercise that nobody grades."""
    return markdown(
        f"ex-{topic}-open",
        f"```{{exercise-start}} Nobody knows\n:label: ex-{topic}-open\n```\n\n**Difficulty 5 of 5 · 60 minutes**\n\n"
        "Find out.\n\n```{exercise-end}\n```",
    )


def markdown(identifier: str, source: str, **metadata: Any) -> dict:
    """A Markdown cell as it is stored."""
    return {"cell_type": "markdown", "id": identifier, "metadata": metadata, "source": source.splitlines(keepends=True)}


def code(identifier: str, source: str, **metadata: Any) -> dict:
    """A code cell as it is stored, with an output."""
    output = {"name": "stdout", "output_type": "stream", "text": ["stored\n"]}
    return {**markdown(identifier, source, **metadata), "cell_type": "code", "execution_count": 1, "outputs": [output]}


def picture(identifier: str, source: str, **metadata: Any) -> dict:
    """A code cell as it is stored, with a picture of one dot."""
    output = {"data": {"image/png": DOT}, "metadata": {}, "output_type": "display_data"}
    return {**code(identifier, source, **metadata), "outputs": [output]}


def write_notebook(path: Path, cells: list[dict]) -> None:
    """Store a notebook as tools/notebooks.py does."""
    notebook = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def machines(*more: dict) -> list[dict]:
    """The cells of the first chapter, with more of them before its exercises."""
    title, *texts = MACHINES.strip().split("\n---\n")
    caption = {"name": "fig-machines-line", "caption": "A line: see {eq}`eq-machines-line`."}
    figure = {"figure": caption, "image": {"alt": "A line."}}
    return [
        markdown("title", title),
        code("setup", publish.setup_cell(), tags=["setup"]),
        code("imports", "import math"),
        *(markdown(f"text-{i}", text) for i, text in enumerate(texts)),
        picture("line", "print(math.pi)", tags=["hide-input", "claim:S2.01"], mystnb=figure),
        *more,
        *exercise_cells("machines", **DOUBLE),
        *exercise_cells("machines", **GUESS),
        open_exercise("machines"),
    ]


def write_book(root: Path, *more: dict) -> Path:
    """Write the small book with its two chapters, the first with more cells."""
    write_notebook(root / "notebooks" / "01-machines.ipynb", machines(*more))
    setup = code("setup", publish.setup_cell(), tags=["setup"])
    write_notebook(root / "notebooks" / "02-tokens.ipynb", [markdown("title", TOKENS.strip()), setup])
    (root / "book").mkdir()
    (root / "book" / "notation.md").write_text("(notation)=\n# Notation\n", encoding="utf-8")
    (root / "book" / "references.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    return root


def source(path: Path, identifier: str) -> str:
    """The source of one cell of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return next("".join(cell["source"]) for cell in cells if cell["id"] == identifier)
