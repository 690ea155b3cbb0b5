"""From MyST Markdown, which the pages are written in, to the plain Markdown that Colab and JupyterLab show.

Directives become block quotes, folded sections and tables; references are spelled out in words. Whatever is not known
here is an error that names the cell, so that no notebook ever shows raw MyST to a student.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from posixpath import join, normpath

from references import Book, Target

FENCE = re.compile(r"(?P<indent>[ ]*)(?P<fence>`{3,}|~{3,}|:{3,})(?P<info>.*)")
DIRECTIVE = re.compile(r"\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)")
OPTION = re.compile(r":(?P<name>[\w-]+):\s*(?P<value>.*)")
LABEL = re.compile(r"\([\w:-]+\)=\s*")
EQUATION = re.compile(r"\$\$(?P<tex>.+?)\$\$(?:[ \t]*\((?P<label>[\w:-]+)\))?[ \t]*", re.S)
MATH = r"\$\$.+?\$\$|(?<![\\$])\$(?=\S)[^$]*?(?<=[^\s\\])\$(?!\d)"
INLINE = re.compile(
    r"\{(?P<role>[\w:+-]+)\}(?P<tick>`+)(?P<content>.+?)(?<!`)(?P=tick)(?!`)"
    r"|(?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"
    rf"|(?P<math>{MATH})"
    r"|(?P<broken>\{[\w:+-]+\}`)"
    r"|(?P<unsupported>\[\^[\w-]+\]|[\])]\{[#.][^}\n]*\})"
    r"|!?\[[^\]\n]*\]\((?P<link>[^)\s]+)[^)]*\)",
    re.S,
)
EXPLICIT = re.compile(r"(?P<text>.+?)\s*<(?P<target>[^<>]+)>", re.S)
QUOTES = {"note": "Note", "tip": "Tip", "warning": "Warning", "hint": "Hint", "seealso": "See also"}
DIRECTIVES = ("admonition", *QUOTES, "math", "list-table")
ROLES = ("cite", "cite:p", "cite:t", "doc", "eq", "math", "numref", "ref", "term")


class PlainMarkdownError(ValueError):
    """Something that plain Markdown cannot say; names the cell and the text."""


class PlainMarkdown:
    """Turns the Markdown of one chapter into plain Markdown, and remembers which works it cites.

    Args:
        book: what the references point to.
        name: of the chapter, such as `02-tokenizers`.
    """

    def __init__(self, book: Book, name: str) -> None:
        self.book = book
        self.name = name
        self.cited: set[str] = set()
        self._where = name

    def __call__(self, text: str, cell: str) -> str:
        """The plain form of the Markdown of one cell.

        Raises:
            PlainMarkdownError: if it holds a directive, a role, a reference or a form that is not known.
        """
        self._where = f"{self.name}, cell {cell!r}"
        return self._blocks(text.splitlines()).strip("\n")

    def bibliography(self) -> str:
        """A section with the full reference of every work that has been cited so far."""
        cited = [self.book.works[key] for key in self.cited]
        works = sorted(cited, key=lambda work: (work.authors.casefold(), work.year, work.reference))
        lines = [f"- {work.reference}" + (f" <{work.address}>" if work.address else "") for work in works]
        return "\n".join(["## References", "", *lines])

    def _error(self, problem: str) -> PlainMarkdownError:
        return PlainMarkdownError(f"{self._where}: {problem}")

    # Blocks

    def _blocks(self, lines: list[str], quoted: bool = False) -> str:
        """Fences, labels, equations and comments, each on lines of their own; the text between them line by line."""
        done: list[str] = []
        text: list[str] = []

        def flush() -> None:
            if text:
                done.append(self._inline("\n".join(text)))
                text.clear()

        position = 0
        while position < len(lines):
            line = lines[position]
            fence = FENCE.fullmatch(line)
            if fence:
                end = self._closing(lines, position, fence["fence"])
                flush()
                done.append(self._fence(fence, lines[position + 1 : end], lines[end], quoted))
                position = end + 1
                continue
            position += 1
            if line.lstrip().startswith("$$"):
                equation = EQUATION.fullmatch(line.strip())
                while equation is None and position < len(lines) and lines[position].strip():
                    line, position = f"{line}\n{lines[position]}", position + 1
                    equation = EQUATION.fullmatch(line.strip())
                if equation is None:
                    raise self._error(f"an equation does not end on a line of its own: {line.strip()[:60]!r}")
                flush()
                indent = line[: len(line) - len(line.lstrip())]
                done.append(_indented(self._equation(equation["tex"], equation["label"], quoted), indent))
            elif LABEL.fullmatch(line) or line.startswith("%"):
                # The blank line after it would be one too many.
                position += position < len(lines) and not lines[position].strip()
            elif line.startswith("+++") or re.match(r": +\S", line) or OPTION.fullmatch(line):
                raise self._error(f"plain Markdown has no form for the line {line!r}")
            else:
                text.append(line)
        flush()
        return "\n".join(done)

    def _closing(self, lines: list[str], start: int, fence: str) -> int:
        for position in range(start + 1, len(lines)):
            found = lines[position].strip()
            if set(found) == {fence[0]} and len(found) >= len(fence):
                return position
        raise self._error(f"{lines[start].strip()!r} is never closed")

    def _fence(self, fence: re.Match[str], body: list[str], last: str, quoted: bool) -> str:
        info = fence["info"].strip()
        directive = DIRECTIVE.fullmatch(info)
        if not directive and fence["fence"][0] != ":":
            return "\n".join([fence[0], *body, last])
        if not directive:
            raise self._error(f"{fence[0].strip()!r} is no directive")
        body = [line.removeprefix(fence["indent"]) for line in body]
        options: dict[str, str] = {}
        while body and (option := OPTION.fullmatch(body[0])):
            options[option["name"]] = option["value"]
            body = body[1:]
        text = self._directive(directive["name"], directive["argument"], options, body, quoted)
        return _indented(text, fence["indent"])

    def _directive(self, name: str, argument: str, options: dict[str, str], body: list[str], quoted: bool) -> str:
        if name == "math":
            return self._equation("\n".join(body), options.get("label"), quoted)
        if name == "list-table":
            return self._table(argument, options, body)
        if name == "admonition":
            return self._admonition(self._inline(argument), options, body, quoted)
        if name in QUOTES:
            return self._admonition(QUOTES[name], options, [argument, *body] if argument else body, quoted)
        raise self._error(f"unknown directive {{{name}}}; known are {', '.join(DIRECTIVES)}")

    def _admonition(self, title: str, options: dict[str, str], body: list[str], quoted: bool) -> str:
        if "dropdown" in options.get("class", ""):
            # Inside HTML nothing turns Markdown into what it means.
            title = re.sub(r"\*(.+?)\*", r"<em>\1</em>", re.sub(r"`(.+?)`", r"<code>\1</code>", title))
            content = self._blocks(body, quoted).strip("\n")
            return f"<details>\n<summary>{title}</summary>\n\n{content}\n\n</details>"
        content = self._blocks(body, quoted=True).strip("\n")
        return "\n".join(f"> {line}".rstrip() for line in [f"**{title}**", "", *content.splitlines()])

    def _equation(self, tex: str, label: str | None, quoted: bool) -> str:
        if label:
            tex = f"{tex.rstrip()} \\tag{{{self._target(label, 'equation').number}}}"
        # A line of an equation inside a block quote would begin with the quote's own mark.
        return f"$${' '.join(tex.split())}$$" if quoted else f"$$\n{tex.strip()}\n$$"

    def _table(self, caption: str, options: dict[str, str], body: list[str]) -> str:
        rows: list[list[list[str]]] = []
        for line in body:
            cell = re.fullmatch(r"(?P<row>\* |  )-(?: (?P<text>.*))?", line)
            if cell and (rows or cell["row"] == "* "):
                rows += [[]] if cell["row"] == "* " else []
                rows[-1].append([cell["text"] or ""])
            elif line.startswith("    ") and rows:
                rows[-1][-1].append(line.strip())
            elif line.strip():
                raise self._error(f"the row {line!r} of a list-table is not in the form `* - cell` and `  - cell`")
        if not rows or len({len(row) for row in rows}) != 1:
            raise self._error("the rows of a list-table have different numbers of cells")
        if options.get("header-rows") != "1":
            raise self._error("a list-table needs `:header-rows: 1`: plain Markdown has no other tables")
        table = [[self._cell(" ".join(cell)) for cell in row] for row in rows]
        table.insert(1, ["---"] * len(table[0]))
        lines = [f"| {' | '.join(row)} |" for row in table]
        if caption:
            title = f"{self._target(options['name'], 'table').numbered}." if "name" in options else "Table."
            lines = [f"**{title}** {self._inline(caption)}", "", *lines]
        return "\n".join(lines)

    def _cell(self, text: str) -> str:
        """The text of a cell, in which a bar must not look like the end of the cell, nor be escaped in mathematics."""

        def bars(found: re.Match[str]) -> str:
            if found["math"]:
                return found[0].replace(r"\|", r"\Vert ").replace("|", r"\vert ")
            return found[0].replace("|", r"\|")

        return re.sub(f"(?P<math>{MATH})|[^$]+|\\$", bars, self._inline(text))

    # Text

    def _inline(self, text: str) -> str:
        return INLINE.sub(self._piece, text)

    def _piece(self, found: re.Match[str]) -> str:
        if found["role"]:
            return self._role(found["role"], " ".join(found["content"].split()))
        if found["broken"]:
            raise self._error(f"the role {found['broken']!r} is never closed")
        if found["unsupported"]:
            raise self._error(f"plain Markdown has no form for {found['unsupported']!r}")
        if found["link"] and not re.match(r"https?://|mailto:", found["link"]):
            raise self._error(
                f"the link to {found['link']!r} leads nowhere from a notebook alone; use {{doc}} or {{ref}}"
            )
        return found[0]

    def _role(self, name: str, content: str) -> str:
        if name.startswith("py:"):
            return f"`{content.rpartition('.')[2] if content.startswith('~') else content}`"
        if name not in ROLES:
            raise self._error(f"unknown role {{{name}}}`{content}`; known are {', '.join(ROLES)} and py:...")
        explicit = EXPLICIT.fullmatch(content)
        text, target = (explicit["text"], explicit["target"]) if explicit else ("", content)
        if name == "math":
            return f"${content}$"
        if name == "term":
            return text or target
        if name.startswith("cite"):
            return self._citation(name, content)
        if name == "doc":
            return self._page(text, target)
        if name == "eq":
            return self._target(target, "equation").numbered
        if name == "numref":
            found = self._target(target, "figure", "table", "exercise")
            return text.replace("%s", found.number).replace("{number}", found.number) or found.numbered
        return text or self._reference(self._target(target))

    def _target(self, label: str, *kinds: str) -> Target:
        target = self.book.targets.get(label)
        if target is None:
            raise self._error(f"nothing in the book has the label {label!r}")
        if kinds and target.kind not in kinds:
            raise self._error(f"{label!r} is a {target.kind}; this role refers to {' or '.join(kinds)}")
        return target

    def _reference(self, target: Target) -> str:
        """What {ref} shows: a title in italics, with the chapter unless it is this one; or a name with a number."""
        if target.kind in ("figure", "table", "exercise", "equation"):
            return target.numbered
        elsewhere = target.chapter is not None and target.chapter != int(self.name[:2])
        return f"*{target.text}*" + (f" (chapter {target.chapter})" if elsewhere else "")

    def _page(self, text: str, target: str) -> str:
        name = normpath(join("/notebooks", target)).lstrip("/")
        if name not in self.book.pages:
            raise self._error(f"the book has no page {target!r}")
        return text or f"*{self.book.pages[name]}*"

    def _citation(self, role: str, content: str) -> str:
        keys = [key.strip() for key in content.split(",")]
        form: Callable[[str, str], str] = "{} ({})".format if role == "cite:t" else "{}, {}".format
        links = []
        for key in keys:
            if key not in self.book.works:
                raise self._error(f"book/references.bib has no entry {key!r}")
            work = self.book.works[key]
            text = form(work.authors, work.year)
            links.append(f"[{text}]({work.address})" if work.address else text)
        self.cited.update(keys)
        return " and ".join(links) if role == "cite:t" else f"({'; '.join(links)})"


def _indented(text: str, indent: str) -> str:
    return "\n".join(f"{indent}{line}".rstrip() for line in text.splitlines())
