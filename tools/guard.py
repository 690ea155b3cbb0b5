"""The rules that every stored chapter keeps, each broken rule reported with the notebook, the cell and what to do.

nbval compares what a cell prints with what is stored; it says nothing about a cell that was never executed, a figure
without alternative text, or an output that holds the address of an object. These checks do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import publish

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
TAGS = re.compile(r"setup|hide-input|nbval-ignore-output|raises-exception|claim:S[0-4]\.[0-9]{2}")
MIME_TYPES = {"text/plain", "text/html", "image/png", "image/svg+xml"}
PICTURES = {"image/png", "image/svg+xml"}
MAX_BYTES = 1_000_000
MAX_LINES = 25
MAX_SECONDS = 120
MAX_GIGABYTES = 4
SECTIONS = ("## Exercises", "## What to remember", "## Further reading")

# What the frame of a new chapter holds in place of the text that is to come.
PLACEHOLDERS = re.compile(
    r"^\*\*(?:After this chapter you can|You should know)\*\* \.\.\.$|^## The first idea$"
    r"|^A paragraph\. Then the equation,$|^A small research question\.$|^- Five lines\.$"
    r"|^References, with what each is good for\.$",
    re.M,
)
PLACEHOLDER_FIGURE = ("What to see in this figure, in a sentence.", "What those need who cannot see the figure.")

# What would give other numbers on another processor, or in another run.
UNREPRODUCIBLE = {
    "torch.randn, whose bits depend on the processor; use torch.rand, or NumPy's generator": re.compile(
        r"\btorch\.randn(?:_like)?\(|\.normal_\("
    ),
    "np.random without a generator of its own; use np.random.default_rng(seed)": re.compile(
        r"\bnp\.random\.(?!default_rng\b|Generator\b|SeedSequence\b|PCG64\b)\w+\("
    ),
    "np.random.default_rng() without a seed": re.compile(r"\bdefault_rng\(\s*\)"),
}

# What an output holds only by accident: it would not be there, or not be the same, on another machine or day.
ACCIDENTS = {
    "the address of an object": re.compile(r"\b0x[0-9a-fA-F]{8,}\b|<[^<>]* at 0x[0-9a-fA-F]+>"),
    "a path of this machine": re.compile(r"(?<![\w./:])(/(home|root|usr|tmp|var|opt|work|Users|mnt)/|[A-Z]:\\)\w"),
    "a timing or a progress bar": re.compile(r"\d ?(ms|µs|us)\b|it/s\b|s/it\b|\d%\|"),
    "a number with digits that differ elsewhere (print :.3f)": re.compile(r"\d\.\d{7,}"),
}

BETWEEN = r"^[ \t]*### BEGIN {0}[ \t]*\n.*?^[ \t]*### END {0}[ \t]*(?:\n|\Z)"
HIDDEN_TESTS = re.compile(BETWEEN.format("HIDDEN TESTS"), re.M | re.S)
SOLUTION = re.compile(BETWEEN.format("SOLUTION"), re.M | re.S)
EXERCISE = re.compile(r"```\{exercise-start\} (?P<title>[^\n]+)\n:label: (?P<label>[a-z0-9-]+)\n```\n")
DIFFICULTY = re.compile(r"^\*\*Difficulty [1-5] of 5 · [0-9]+ minutes\*\*$", re.M)
HINT = re.compile(r"^:::\{hint\}\n:class: dropdown\n", re.M)
NBGRADER = {"schema_version": 3, "task": False}
A_SOLUTION = {"grade": False, "solution": True, "locked": False}
A_CHECK = {"grade": True, "solution": False, "locked": True}


def problems(name: str, text: str) -> list[str]:
    """Everything that is wrong with a stored chapter, one line each.

    Args:
        name: the file's name, such as `02-tokenizers.ipynb`.
        text: what the file holds.
    """
    if len(text.encode()) > MAX_BYTES:
        return [f"{name}: larger than 1 MB; draw smaller or fewer pictures"]
    notebook = json.loads(text)
    topic = name.removesuffix(".ipynb").partition("-")[2]
    found = list(_notebook(notebook, topic, text))
    for position, cell in enumerate(notebook["cells"]):
        cell["source"] = "".join(cell["source"])
        found += [f"{_called(cell, position)}: {problem}" for problem in _cell(cell, topic)]
    found += _exercises(notebook["cells"], topic)
    found += _hidden(notebook["cells"])
    return [f"{name}: {problem}" for problem in found]


def _called(cell: dict, position: int) -> str:
    return f"cell {position + 1} ({cell.get('id', 'no id')})"


def _notebook(notebook: dict, topic: str, text: str) -> Iterator[str]:
    cells = notebook["cells"]
    if (notebook["nbformat"], notebook["nbformat_minor"]) != (4, 5):
        yield "is not in notebook format 4.5"
        return
    if notebook["metadata"] != METADATA:
        yield f"has notebook metadata other than {METADATA}"
    if text != json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n":
        yield "is not written as tools/notebooks.py writes it; store it again with `make notebooks`"
    ids = [cell["id"] for cell in cells]
    yield from (f"has the cell id {id!r} more than once" for id in sorted({id for id in ids if ids.count(id) > 1}))
    if len(cells) < 3:
        yield "has fewer than three cells"
        return
    first, setup, third = ("".join(cell["source"]) for cell in cells[:3])
    if not re.match(rf"\(ch-{re.escape(topic)}\)=\n# \S", first):
        yield f"does not begin with the label (ch-{topic})= and a title"
    cost = publish.COST.search(first)
    if not cost:
        yield f"needs a line like {publish.COST_EXAMPLE} in its first cell"
    elif int(cost[1]) > MAX_SECONDS or _gigabytes(cost[2]) > MAX_GIGABYTES:
        yield f"costs more than {MAX_SECONDS} seconds or {MAX_GIGABYTES} GB"
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    yield from (f"has no section {title!r}" for title in SECTIONS if not re.search(rf"^{title}$", prose, re.M))
    if not publish.is_setup(cells[1]) or any(publish.is_setup(cell) for cell in cells[2:]):
        yield "must have its second cell, and no other, tagged `setup`"
    elif setup != publish.setup_cell(publish.setting()):
        yield "has another set-up cell than `python tools/publish.py --setup-cell`; run tools/publish.py --write"
    if cells[2]["cell_type"] != "code" or "use_style()" not in third:
        yield "must import what it needs, and call use_style(), in its third cell"
    counts = [(cell["id"], cell["execution_count"]) for cell in cells if cell["cell_type"] == "code"]
    wrong = [f"{id} has {count}, expected {i}" for i, (id, count) in enumerate(counts, start=1) if count != i]
    if wrong:
        yield f"was not executed from top to bottom: cell {wrong[0]}; execute it with `make notebooks`"
    names = [cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") for cell in cells]
    yield from (f"has two figures named {n}" for n in sorted({n for n in names if n and names.count(n) > 1}))


def _gigabytes(said: str) -> float:
    number, unit = said.split()
    return float(number) / (1 if unit == "GB" else 1000)


def _cell(cell: dict, topic: str) -> Iterator[str]:
    if not cell["source"].strip():
        yield "is empty"
    if not CELL_ID.fullmatch(cell["id"]) or re.fullmatch(r"(?=.*[0-9])[0-9a-f]{8}", cell["id"]):
        yield "needs a readable id of small letters, digits and hyphens"
    yield from (f"has the unknown tag {tag!r}" for tag in cell["metadata"].get("tags", []) if not TAGS.fullmatch(tag))
    unknown = set(cell["metadata"]) - {"tags", "mystnb", "nbgrader"}
    if unknown:
        yield f"has needless metadata {sorted(unknown)}"
    if cell["cell_type"] == "code":
        yield from _code(cell, topic)
    else:
        placeholder = PLACEHOLDERS.search(cell["source"])
        if placeholder:
            yield f"still holds a text of the frame: {placeholder[0]!r}"


def _code(cell: dict, topic: str) -> Iterator[str]:
    lines = len(HIDDEN_TESTS.sub("", cell["source"]).rstrip().splitlines())
    if lines > MAX_LINES:
        yield f"shows {lines} lines of code; at most {MAX_LINES}, better 15"
    for what, pattern in UNREPRODUCIBLE.items():
        if pattern.search(cell["source"]):
            yield f"uses {what}"
    pictures = 0
    for output in cell["outputs"]:
        if output["output_type"] == "error" and "raises-exception" not in cell["metadata"].get("tags", []):
            yield f"ended with {output['ename']}: {output['evalue']}"
        if output["output_type"] == "stream" and output["name"] == "stderr":
            yield f"wrote to the standard error: {''.join(output['text']).strip()[:120]!r}"
        data = output.get("data", {})
        pictures += bool(PICTURES & set(data))
        yield from (f"has an output of type {mime}" for mime in sorted(set(data) - MIME_TYPES))
        for said in ("".join(output.get("text", "")), "".join(data.get("text/plain", ""))):
            for what, pattern in ACCIDENTS.items():
                accident = pattern.search(said)
                if accident:
                    yield f"prints {what}: {said[max(0, accident.start() - 30) : accident.end() + 10].strip()!r}"
    if pictures:
        yield from _figure(cell, topic, pictures)


def _figure(cell: dict, topic: str, pictures: int) -> Iterator[str]:
    if pictures > 1:
        yield f"draws {pictures} figures; one a cell"
    settings = cell["metadata"].get("mystnb", {})
    figure, image = settings.get("figure", {}), settings.get("image", {})
    if not re.fullmatch(rf"fig-{re.escape(topic)}-[a-z0-9-]+", figure.get("name", "")):
        yield f"needs a figure name fig-{topic}-... in metadata mystnb.figure.name"
    if len(figure.get("caption", "").split()) < 5:
        yield "needs a caption that says what to see, in metadata mystnb.figure.caption"
    if len(image.get("alt", "").split()) < 5:
        yield "needs a text for those who cannot see the figure, in metadata mystnb.image.alt"
    if figure.get("caption") in PLACEHOLDER_FIGURE or image.get("alt") in PLACEHOLDER_FIGURE:
        yield "still has the caption or the alternative text of the frame"


def _exercises(cells: list[dict], topic: str) -> Iterator[str]:
    """Every exercise is prompt, solution-start, solution, solution-end, check: five cells in a row; or it is open."""
    graded = open_ones = 0
    expected: set[int] = set()
    for position, cell in enumerate(cells):
        if cell["cell_type"] != "markdown" or "{exercise-start}" not in cell["source"]:
            continue
        called, found = _called(cell, position), EXERCISE.match(cell["source"])
        if not found or not cell["source"].rstrip().endswith("\n\n```{exercise-end}\n```"):
            yield f"{called}: must begin with exercise-start, title and label, and end with exercise-end"
            continue
        label = found["label"]
        if not label.startswith(f"ex-{topic}-"):
            yield f"{called}: the label {label} must begin with ex-{topic}-"
        if not DIFFICULTY.search(cell["source"]):
            yield f"{called}: needs a line like **Difficulty 2 of 5 · 10 minutes**"
        rest = cells[position + 1 : position + 5]
        if not rest or not rest[0]["source"].startswith("```{solution-start}"):
            open_ones += 1
            continue
        graded += 1
        expected |= {position + 2, position + 4}
        if not HINT.search(cell["source"]):
            yield f"{called}: needs a hint in a dropdown"
        yield from (f"{called}: {problem}" for problem in _graded(label, rest))
    stray = {i for i, cell in enumerate(cells) if "nbgrader" in cell["metadata"]} - expected
    yield from (f"{_called(cells[i], i)}: is an nbgrader cell outside the five cells of an exercise" for i in stray)
    if not 4 <= graded <= 7 or open_ones != 1:
        yield f"has {graded} exercises with a grade and {open_ones} open ones; expected four to seven, and one"


def _hidden(cells: list[dict]) -> Iterator[str]:
    """A test that stands elsewhere in the chapter is not hidden."""
    seen = {line.strip() for cell in cells for line in HIDDEN_TESTS.sub("", cell["source"]).splitlines()}
    for position, cell in enumerate(cells):
        for block in HIDDEN_TESTS.findall(cell["source"]):
            lines = [line.strip() for line in block.splitlines()]
            shown = [line for line in lines if "assert" in line and line in seen]
            yield from (f"{_called(cell, position)}: hides a test that is shown elsewhere: {line}" for line in shown)


def _graded(label: str, rest: list[dict]) -> Iterator[str]:
    if [cell["cell_type"] for cell in rest] != ["markdown", "code", "markdown", "code"]:
        yield "must be followed by solution-start, the solution, solution-end, and the check"
        return
    start, solution, end, check = rest
    if start["source"] != f"```{{solution-start}} {label}\n:class: dropdown\n```":
        yield f"the cell after it must be solution-start of {label}, with class dropdown, and nothing else"
    if end["source"] != "```{solution-end}\n```":
        yield "the cell after its solution must be solution-end and nothing else"
    if solution["metadata"].get("nbgrader") != {**NBGRADER, **A_SOLUTION, "grade_id": label}:
        yield f"its solution needs the nbgrader metadata of a solution with grade_id {label}"
    grading = dict(check["metadata"].get("nbgrader", {}))
    points = grading.pop("points", 0)
    if grading != {**NBGRADER, **A_CHECK, "grade_id": f"{label}-check"}:
        yield f"its check needs the nbgrader metadata of a test with grade_id {label}-check"
    if not isinstance(points, int) or points < 1:
        yield "its check needs points, a whole number of at least 1"
    if len(SOLUTION.findall(solution["source"])) != 1:
        yield "its solution must stand once between ### BEGIN SOLUTION and ### END SOLUTION"
    if not HIDDEN_TESTS.sub("", check["source"]).strip() or not HIDDEN_TESTS.search(check["source"]):
        yield "its check needs visible tests, and hidden ones between ### BEGIN HIDDEN TESTS and ### END HIDDEN TESTS"
