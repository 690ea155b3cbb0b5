"""What the book's references point to, with the numbers that the pages show, so that they can be spelled out in words.

Sphinx numbers the labelled equations, figures, tables and exercises of a chapter in the order in which they appear,
each kind by itself, behind the number of the chapter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pybtex.database import Entry, Person, parse_string
from pybtex.richtext import Text

from chapter import ROOT, Chapter, figure, read_chapters

# Labelled things in the order of the page: equations, sections, tables, exercises.
LABELLED = re.compile(
    r"\$\$[ \t]*\((?P<equation>[\w:-]+)\)[ \t]*$"
    r"|^[`:]{3,}\{math\}[^\n]*\n(?::[^\n]*\n)*?:label: (?P<equation_directive>[\w:-]+)$"
    r"|^\((?P<section>[\w:-]+)\)=\n+#+ (?P<heading>.+)$"
    r"|^[`:]{3,}\{list-table\} (?P<caption>[^\n]+)\n(?::[^\n]*\n)*?:name: (?P<table>[\w:-]+)$"
    r"|^[`:]{3,}\{exercise-start\} (?P<title>[^\n]+)\n:label: (?P<exercise>[\w:-]+)$",
    re.M,
)
FENCE = re.compile(r" *(`{3,}|~{3,}|:{3,}|)(.*?) *$")
NAMES = {"figure": "Figure", "table": "Table", "exercise": "Exercise"}
PLACES = ("journal", "booktitle", "publisher", "school", "institution", "howpublished", "note")
MOST_AUTHORS = 8


@dataclass(frozen=True)
class Target:
    """Something that a reference points to.

    Attributes:
        kind: `equation`, `figure`, `table`, `exercise`, `section` or `chapter`.
        number: as the page shows it, such as `2.3`; empty for a section.
        text: the caption, the title or the heading.
        chapter: the number of the chapter it stands in; None for a page of the book that is no chapter.
    """

    kind: str
    number: str
    text: str
    chapter: int | None

    @property
    def numbered(self) -> str:
        """Its name with its number: `Figure 2.3`, or `(2.3)` for an equation."""
        return f"({self.number})" if self.kind == "equation" else f"{NAMES[self.kind]} {self.number}"


@dataclass(frozen=True)
class Work:
    """One entry of the bibliography.

    Attributes:
        authors: as a citation names them, such as `Vaswani et al.`
        year: of publication.
        reference: the full reference.
        address: where it can be read; empty if nowhere.
    """

    authors: str
    year: str
    reference: str
    address: str


@dataclass(frozen=True)
class Book:
    """Everything in the book that can be referred to.

    Attributes:
        targets: by label.
        pages: the title of each page by its name, such as `book/notation`.
        works: the bibliography by key.
    """

    targets: dict[str, Target]
    pages: dict[str, str]
    works: dict[str, Work]


def read_book(root: Path = ROOT, chapters: Iterable[Chapter] | None = None) -> Book:
    """Read what the chapters, the pages and the bibliography of a book hold."""
    targets: dict[str, Target] = {}
    pages: dict[str, str] = {}
    for chapter in read_chapters(root) if chapters is None else chapters:
        targets |= chapter_targets(chapter)
        pages[f"notebooks/{chapter.name}"] = chapter.title
    for path in sorted(root.glob("book/**/*.md")):
        text = path.read_text(encoding="utf-8")
        heading = re.search(r"^# (.+)$", text, re.M)
        pages[path.relative_to(root).with_suffix("").as_posix()] = heading[1].strip() if heading else path.stem
        for found in LABELLED.finditer(_without_code(text)):
            if found["section"]:
                targets[found["section"]] = Target("section", "", found["heading"].strip(), None)
    bibliography = root / "book" / "references.bib"
    works = read_bibliography(bibliography.read_text(encoding="utf-8")) if bibliography.is_file() else {}
    return Book(targets, pages, works)


def chapter_targets(chapter: Chapter) -> dict[str, Target]:
    """The targets of one chapter by label, numbered as its page numbers them."""
    targets: dict[str, Target] = {}
    counts: Counter[str] = Counter()

    def add(label: str, kind: str, text: str) -> None:
        counts[kind] += 1
        targets[label] = Target(kind, f"{chapter.number}.{counts[kind]}", text, chapter.number)

    for cell in chapter.cells:
        if drawn := figure(cell):
            add(drawn["name"], "figure", drawn["caption"])
        if cell["cell_type"] != "markdown":
            continue
        for found in LABELLED.finditer(_without_code(cell["source"])):
            if found["section"]:
                heading = found["heading"].strip()
                targets[found["section"]] = Target("section", "", heading, chapter.number)
            elif found["table"]:
                add(found["table"], "table", found["caption"])
            elif found["exercise"]:
                add(found["exercise"], "exercise", found["title"].strip())
            else:
                add(found["equation"] or found["equation_directive"], "equation", "")
    targets[f"ch-{chapter.name[3:]}"] = Target("chapter", str(chapter.number), chapter.title, chapter.number)
    return targets


def _without_code(text: str) -> str:
    """The text without its code blocks, which hold no labels; directives have the same fences, and stay."""
    lines: list[str] = []
    directives: list[str] = []
    code = ""
    for line in text.splitlines():
        fence, info = FENCE.match(line).groups()
        if code:
            code = "" if _closes(fence, info, code) else code
        elif fence and directives and _closes(fence, info, directives[-1]):
            directives.pop()
            lines.append(line)
        elif fence and not info.startswith("{"):
            code = fence
        else:
            directives += [fence] if fence else []
            lines.append(line)
    return "\n".join(lines)


def _closes(fence: str, info: str, opening: str) -> bool:
    return not info and fence.startswith(opening)


def read_bibliography(text: str) -> dict[str, Work]:
    """The works of a BibTeX file, by key."""
    return {key: _work(key, entry) for key, entry in parse_string(text, "bibtex").entries.items()}


def _work(key: str, entry: Entry) -> Work:
    fields = {name: _plain(value) for name, value in entry.fields.items() if name not in ("url", "doi", "eprint")}
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    families = [_plain(" ".join([*person.prelast_names, *person.last_names])) for person in people]
    if not families or "year" not in fields or "title" not in fields:
        raise ValueError(f"{key} in book/references.bib needs an author, a title and a year")
    more = families[-1] == "others"
    if more:
        people, families = people[:-1], families[:-1]
    short = f"{families[0]} et al." if more or len(families) > 2 else " and ".join(families)
    names = [_initials(person, family) for person, family in zip(people, families, strict=True)]
    if more or len(names) > MOST_AUTHORS:
        whole = f"{', '.join(names[:MOST_AUTHORS])} et al."
    else:
        whole = ", ".join([*names[:-2], " and ".join(names[-2:])])
    place = next((fields[name] for name in PLACES if name in fields), "")
    title = fields["title"].rstrip(".")
    reference = f"{whole} ({fields['year']}). *{title}*." + (f" {place.rstrip('.')}." if place else "")
    address = entry.fields.get("url") or (f"https://doi.org/{entry.fields['doi']}" if "doi" in entry.fields else "")
    return Work(short, fields["year"], reference, address.replace("\\", ""))


def _initials(person: Person, family: str) -> str:
    given = [_plain(name) for name in [*person.first_names, *person.middle_names]]
    return " ".join(["-".join(f"{part[0]}." for part in name.split("-")) for name in given] + [family])


def _plain(latex: str) -> str:
    text = re.sub(r"\s+", " ", str(Text.from_latex(latex))).strip()
    if "\\" in text:
        raise ValueError(f"{text!r} has a macro that is not known here; write the letters in book/references.bib")
    return text
