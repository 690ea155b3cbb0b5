"""The repository's own address: one setting in pyproject.toml, and every place that shows it written from there.

The README's table of chapters is written too, from what the chapters say of themselves.

    python tools/publish.py --repository https://github.com/owner/name   # set the address everywhere
    python tools/publish.py --repository ""                              # take it back
    python tools/publish.py --write                                      # write all places again from the setting
    python tools/publish.py --check                                      # do all places agree with the setting?
    python tools/publish.py --setup-cell                                 # the set-up cell of every notebook

While the setting is empty, no button points anywhere and the set-up cell says how to get the package.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]+)?(/[A-Za-z0-9_.~-]+){2,}")
COST = re.compile(r"^\*\*Cost:\*\* about (\d+) seconds on one CPU core, ([\d.]+ [MG]B) of memory\.", re.M)
COST_EXAMPLE = "**Cost:** about 40 seconds on one CPU core, 1 GB of memory."
COLAB = "https://colab.research.google.com"
THEME_KNOWS = ("github", "gitlab", "bitbucket")

UNPUBLISHED = """\
from importlib.util import find_spec

if find_spec("minigpt") is None:
    raise ModuleNotFoundError(
        "this notebook needs the package `minigpt`: get a copy of the course's repository, and in its top folder "
        "run `make lab`, or `pip install '.[plot,torch]'`, and open the notebook again"
    )

cohort = COHORT  # instructors change this: the numbers in the tests of the exercises depend on it
"""
PUBLISHED = """\
from importlib.util import find_spec

if find_spec("minigpt") is None:  # as on Colab, whose own torch stays as it is
    get_ipython().run_line_magic("pip", "install -q 'minigpt[plot,torch] @ git+ADDRESS'")

cohort = COHORT  # instructors change this: the numbers in the tests of the exercises depend on it
"""


def setting(root: Path = ROOT) -> str:
    """The address of the repository as pyproject.toml has it, or an empty string: not published."""
    with open(root / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["tool"]["minigpt"]["repository"]


def normal(address: str) -> str:
    """The address without a closing slash or `.git`.

    Raises:
        ValueError: if it is not the https address of a repository.
    """
    address = address.strip().rstrip("/").removesuffix(".git")
    if address and not ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is not the address of a repository; write https://host/owner/name")
    return address


def setup_cell(address: str = "", cohort: int = 0) -> str:
    """The code of the second cell of every notebook: it makes `minigpt` importable, or says what to do.

    Args:
        address: of the repository; empty if it is not published.
        cohort: the number that the exercises' numbers depend on.
    """
    source = PUBLISHED.replace("ADDRESS", address) if address else UNPUBLISHED
    return source.replace("COHORT", str(cohort)).rstrip("\n")


def colab_address(address: str, path: str) -> str | None:
    """Where Colab opens a notebook of the repository, which must be on GitHub; None elsewhere."""
    parts = urlsplit(address)
    return f"{COLAB}/github{parts.path}/blob/main/{path}" if parts.netloc == "github.com" else None


def is_setup(cell: dict) -> bool:
    """Whether a cell is the set-up cell of its notebook."""
    return cell["cell_type"] == "code" and "setup" in cell["metadata"].get("tags", [])


def notebooks(root: Path) -> list[Path]:
    """The chapters and their student editions."""
    return sorted(root.glob("notebooks/*.ipynb")) + sorted(root.glob("student/*.ipynb"))


def heading(path: Path) -> str:
    """The title of a notebook: its first heading."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        found = re.search(r"^# (.+)$", "".join(cell["source"]), re.M)
        if cell["cell_type"] == "markdown" and found:
            return found[1].strip()
    raise ValueError(f"{path.name} has no heading; its first cell begins with `# Title`")


def with_setting(text: str, address: str) -> str:
    """pyproject.toml with the setting changed."""
    return substitute(text, r'^repository = ".*"$', f'repository = "{address}"', "pyproject.toml")


def with_config(text: str, address: str) -> str:
    """_config.yml with the address and its button, or without both if the theme would stop at such a host."""
    shown = address if any(name in urlsplit(address).netloc for name in THEME_KNOWS) else ""
    button = "true" if shown else "false"
    text = substitute(text, r"^  use_repository_button: .*$", f"  use_repository_button: {button}", "_config.yml")
    return substitute(text, r"^repository:\n  url: .*$", f'repository:\n  url: "{shown}"', "_config.yml")


def with_setup(text: str, address: str, name: str) -> str:
    """A notebook with the set-up cell of this address."""
    notebook = json.loads(text)
    found = [i for i, cell in enumerate(notebook["cells"]) if is_setup(cell)]
    if found != [1]:
        raise ValueError(f"{name}: cells {found} are tagged `setup`; it must be the second cell, and no other")
    notebook["cells"][1]["source"] = setup_cell(address).splitlines(keepends=True)
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def with_blocks(text: str, address: str, root: Path) -> str:
    """The README with every block between `<!-- publish: name -->` and `<!-- /publish -->` written for this address."""
    blocks: dict[str, Callable[[], str]] = {
        "clone": lambda: clone_block(address),
        "chapters": lambda: chapters_block(root),
        "colab": lambda: colab_block(address, root),
    }
    for name, block in blocks.items():
        pattern = rf"(<!-- publish: {name} -->\n).*?(?=<!-- /publish -->)"
        if len(re.findall(pattern, text, re.S)) != 1:
            raise ValueError(f"README.md must hold the block `<!-- publish: {name} -->` ... `<!-- /publish -->` once")
        text = re.sub(pattern, lambda found, block=block: found[1] + block() + "\n", text, flags=re.S)
    return text


def clone_block(address: str) -> str:
    """The commands of the README's quick start."""
    clone = f"git clone {address}" if address else "git clone <the address you read this at>"
    folder = address.rpartition("/")[2] or "<the folder it made>"
    return f"```sh\n{clone}\ncd {folder}\nmake book\nmake test\n```"


def chapters_block(root: Path) -> str:
    """The README's table of chapters: number, title, and the cost that the chapter gives."""
    rows = ["| | Chapter | CPU time | Memory |", "|---|---|---|---|"]
    for path in sorted(root.glob("notebooks/[0-9][0-9]-*.ipynb")):
        head = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        cost = COST.search(head)
        if not cost:
            raise ValueError(f"{path.name}: its first cell needs a line like {COST_EXAMPLE}")
        link = f"[{heading(path)}](notebooks/{path.name})"
        rows.append(f"| {int(path.name[:2])} | {link} | {cost[1]} s | {cost[2]} |")
    return "\n".join(rows)


def colab_block(address: str, root: Path) -> str:
    """The README's buttons that open each chapter in Colab."""
    rows = []
    for path in sorted(root.glob("student/*.ipynb")):
        colab = colab_address(address, f"student/{path.name}")
        if colab:
            badge = f"[![Open in Colab]({COLAB.replace('research.google.com', 'research.google.com/assets')}"
            rows.append(f"- {heading(path)} {badge}/colab-badge.svg)]({colab})")
    if rows:
        return "\n".join(rows)
    return "The buttons for Colab appear here once the repository has an address on GitHub (`make publish`)."


def substitute(text: str, pattern: str, replacement: str, name: str) -> str:
    """Replace the one place that matches; an error if there is none, or more."""
    new, count = re.subn(pattern, lambda _: replacement, text, flags=re.M)
    if count != 1:
        raise ValueError(f"{name} must hold exactly one place like {pattern!r}, but holds {count}")
    return new


def plan(root: Path, address: str) -> dict[Path, tuple[str, str]]:
    """Every file that depends on the address: its text now, and its text for this address."""
    writers: dict[Path, Callable[[str], str]] = {
        root / "pyproject.toml": lambda text: with_setting(text, address),
        root / "_config.yml": lambda text: with_config(text, address),
        root / "README.md": lambda text: with_blocks(text, address, root),
    }
    for path in notebooks(root):
        writers[path] = lambda text, path=path: with_setup(text, address, path.relative_to(root).as_posix())
    texts = {path: path.read_text(encoding="utf-8") for path in writers}
    return {path: (text, writers[path](text)) for path, text in texts.items()}


def disagreeing(root: Path = ROOT) -> list[str]:
    """The files that do not agree with the setting, and why if they cannot."""
    try:
        planned = plan(root, normal(setting(root)))
    except (ValueError, KeyError, OSError) as error:
        return [str(error)]
    return [f"{path.relative_to(root).as_posix()} is stale" for path, (old, new) in planned.items() if old != new]


def write(root: Path, address: str) -> list[str]:
    """Write the address into every place that shows it; nothing is written if one place cannot be.

    Returns:
        The files that changed.
    """
    changed = {path: new for path, (old, new) in plan(root, normal(address)).items() if old != new}
    for path, new in changed.items():
        path.write_text(new, encoding="utf-8", newline="")
    return [path.relative_to(root).as_posix() for path in changed]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--repository", metavar="ADDRESS", help='set the address, or "" for none')
    choice.add_argument("--write", action="store_true", help="write every place again from the setting")
    choice.add_argument("--check", action="store_true", help="exit 1 if a place does not agree with the setting")
    choice.add_argument("--setup-cell", action="store_true", help="print the set-up cell")
    args = parser.parse_args(arguments)
    if args.setup_cell:
        print(setup_cell(setting(args.root)))
        return 0
    if args.check:
        stale = disagreeing(args.root)
        for line in stale:
            print(line, file=sys.stderr)
        if stale:
            print("run `python tools/publish.py --write`", file=sys.stderr)
        return 1 if stale else 0
    try:
        address = setting(args.root) if args.write else normal(args.repository)
        changed = write(args.root, address)
    except ValueError as error:
        print(f"publish: {error}", file=sys.stderr)
        return 2
    print(f"repository: {address or 'not published'}; {len(changed)} files changed", *changed, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
