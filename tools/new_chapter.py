"""Write the frame of a new chapter: its first cells, one exercise in the form that grading needs, and its last cells.

    python tools/new_chapter.py 4 attention "Attention"

The frame executes; `make notebooks N=04` says what it still lacks.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import yaml

import guard
import notebooks
import publish

TITLE = """\
(ch-TOPIC)=
# HEADING

**After this chapter you can** ...

**You should know** ...

**Cost:** about 5 seconds on one CPU core, 1 GB of memory."""
IMPORTS = """\
import matplotlib.pyplot as plt
import numpy as np

from minigpt.plotting import COLORS, use_style

use_style()"""
IDEA = """\
## The first idea

A paragraph. Then the equation,

$$
y = 2 x, \\qquad x \\in [0, 1],
$$ (eq-TOPIC-idea)

and the code of {eq}`eq-TOPIC-idea`, which draws {numref}`fig-TOPIC-idea`."""
FIGURE = """\
x = np.linspace(0.0, 1.0, 11)
y = 2.0 * x
plt.plot(x, y, color=COLORS["blue"])
plt.xlabel("x (unit)")
plt.ylabel("y (unit)")
plt.show()"""
CHECK = """\
assert np.allclose(np.diff(y), 0.2)
print(f"y rises from {y[0]:.1f} to {y[-1]:.1f}")"""
PROMPT = """\
```{exercise-start} Twice
:label: ex-TOPIC-twice
```

**Difficulty 1 of 5 · 5 minutes**

Write `twice(x)`, which returns two times `x`.

:::{hint}
:class: dropdown
Multiplication is enough.
:::

```{exercise-end}
```"""
ANSWER = '''\
def twice(x: float) -> float:
    """Two times `x`."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION'''
TESTS = """\
assert twice(3) == 6, "twice(3) is 6; did you return 3 squared, or 3 + 2?"
### BEGIN HIDDEN TESTS
assert twice(cohort + 5) == 2 * cohort + 10, "twice must work for every number, not only for 3"
### END HIDDEN TESTS"""
OPEN = """\
```{exercise-start} A question without an answer
:label: ex-TOPIC-open
```

**Difficulty 5 of 5 · 120 minutes**

A small research question.

```{exercise-end}
```"""
END = "## What to remember\n\n- Five lines.\n\n## Further reading\n\nReferences, with what each is good for."


def code(id: str, source: str, **metadata: object) -> dict:
    """A code cell that was not executed."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": id,
        "metadata": metadata,
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }


def markdown(id: str, source: str) -> dict:
    """A Markdown cell."""
    return {"cell_type": "markdown", "id": id, "metadata": {}, "source": source.splitlines(keepends=True)}


def exercise(label: str, prompt: str, answer: str, tests: str, points: int = 1) -> list[dict]:
    """The five cells of an exercise with a grade."""
    solution = {**guard.NBGRADER, **guard.A_SOLUTION, "grade_id": label}
    check = {**guard.NBGRADER, **guard.A_CHECK, "grade_id": f"{label}-check", "points": points}
    return [
        markdown(f"{label}-prompt", prompt),
        markdown(f"{label}-begin", f"```{{solution-start}} {label}\n:class: dropdown\n```"),
        code(label, answer, nbgrader=solution),
        markdown(f"{label}-end", "```{solution-end}\n```"),
        code(f"{label}-check", tests, nbgrader=check),
    ]


def frame(topic: str, heading: str, address: str) -> dict:
    """A chapter's notebook with everything but its contents.

    Args:
        topic: the short name in files and labels.
        heading: the title.
        address: of the repository, for the set-up cell.
    """

    def of(text: str) -> str:
        return text.replace("TOPIC", topic).replace("HEADING", heading)

    figure = {"name": f"fig-{topic}-idea", "caption": "What to see in this figure, in a sentence."}
    cells = [
        markdown("title", of(TITLE)),
        code("setup", publish.setup_cell(address), tags=["setup"]),
        code("imports", IMPORTS),
        markdown("idea", of(IDEA)),
        code(
            "idea-figure",
            FIGURE,
            mystnb={"figure": figure, "image": {"alt": "What those need who cannot see the figure."}},
        ),
        code("idea-check", CHECK),
        markdown("exercises", "## Exercises"),
        *exercise(f"ex-{topic}-twice", of(PROMPT), ANSWER, TESTS),
        markdown(f"ex-{topic}-open-prompt", of(OPEN)),
        markdown("remember", END),
    ]
    return {"cells": cells, "metadata": guard.METADATA, "nbformat": 4, "nbformat_minor": 5}


def plan(root: Path) -> dict[int, tuple[str, str]]:
    """Name and title of every chapter that is planned, by number."""
    parts = yaml.safe_load((root / "book" / "chapters.yml").read_text(encoding="utf-8"))
    return {row["number"]: (row["name"], row["title"]) for part in parts for row in part["chapters"]}


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=notebooks.ROOT, help=argparse.SUPPRESS)
    parser.add_argument("number", type=int, help="of the chapter, 1 to 99")
    parser.add_argument("topic", help="one or two words for files and labels, such as long-context")
    parser.add_argument("heading", help="the title on the page")
    args = parser.parse_args(arguments)
    if not 1 <= args.number <= 99 or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", args.topic):
        parser.error("the number must be 1 to 99, the topic small letters, digits and hyphens")
    taken = [path.name for path in notebooks.chapters(args.root) if path.name[:2] == f"{args.number:02}"]
    if taken:
        print(f"new_chapter: chapter {args.number} is there already: notebooks/{taken[0]}", file=sys.stderr)
        return 2
    planned = plan(args.root).get(args.number)
    if planned and planned != (args.topic, args.heading):
        name, title = planned
        print(
            f'new_chapter: chapter {args.number} is planned as `{name}`, "{title}"; change book/chapters.yml first, '
            "or call it so",
            file=sys.stderr,
        )
        return 2
    path = args.root / "notebooks" / f"{args.number:02}-{args.topic}.ipynb"
    notebook = frame(args.topic, args.heading, publish.setting(args.root))
    path.write_text(notebooks.dumps(notebook), encoding="utf-8", newline="")
    print(f"notebooks/{path.name} is written; README.md says what comes next")
    return 0


if __name__ == "__main__":
    sys.exit(main())
