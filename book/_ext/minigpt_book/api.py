"""`{api} minigpt.tokenizers`: the reference of a module, read from its source without importing it.

Docstrings are Markdown, with the sections `Args`, `Returns`, `Raises` and the like. Everything public that the module
defines, or that its `__all__` names, is shown under the path by which one imports it.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from pathlib import Path

import griffe
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

Documented = griffe.Class | griffe.Function | griffe.Attribute

FULL_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)+")

logging.getLogger("griffe").setLevel(logging.ERROR)


@cache
def load_package(root: Path, name: str) -> griffe.Module:
    """Read the source of a package."""
    return griffe.load(name, search_paths=[root], resolve_aliases=True, docstring_parser="google")


def find(root: Path, path: str) -> griffe.Module:
    """Find a module by its dotted path.

    Raises:
        KeyError: if there is no such module.
    """
    package, _, rest = path.partition(".")
    found = load_package(root, package)
    return found[rest] if rest else found


def members(module: griffe.Module) -> list[tuple[str, Documented]]:
    """What a module offers: the names of its `__all__`, else what it defines and does not call private."""
    if module.exports is not None:
        names = [str(getattr(name, "name", name)) for name in module.exports]
    else:
        names = [n for n, o in module.members.items() if not n.startswith("_") and not o.is_alias]
    found = [(name, module.members[name]) for name in names]
    return [(name, obj.final_target if obj.is_alias else obj) for name, obj in found if not obj.is_module]


def annotation(expression: griffe.Expr | str | None) -> str:
    """An annotation in which every name is written out in full, for Sphinx to find, with the sign to show it short."""
    if expression is None or isinstance(expression, str):
        return expression or ""
    if isinstance(expression, griffe.ExprName | griffe.ExprAttribute):
        path = expression.canonical_path
        return f"~{path}" if FULL_NAME.fullmatch(path) else path
    return "".join(map(annotation, expression.iterate(flat=False)))


def signature(function: griffe.Function, *, method: bool = False) -> str:
    """The parameters and the result of a function, as in its `def` line."""
    parts: list[str] = []
    kinds = griffe.ParameterKind
    parameters = list(function.parameters)
    if method and "staticmethod" not in function.labels:
        parameters = parameters[1:]
    starred = False
    for i, p in enumerate(parameters):
        if p.kind is kinds.keyword_only and not starred:
            parts.append("*")
            starred = True
        star = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(p.kind, "")
        starred = starred or star == "*"
        text = star + p.name
        if p.annotation is not None:
            text += f": {annotation(p.annotation)}"
        if p.default is not None and not star:
            text += f" = {p.default}" if p.annotation is not None else f"={p.default}"
        parts.append(text)
        if p.kind is kinds.positional_only and (i + 1 == len(parameters) or parameters[i + 1].kind is not p.kind):
            parts.append("/")
    result = f" -> {annotation(function.returns)}" if function.returns is not None else ""
    return f"({', '.join(parts)}){result}"


def field(name: str, text: str) -> str:
    """One line of a field list, whatever its text holds."""
    return f":{name}: " + " ".join(text.split())


def docstring(obj: griffe.Object, *, skip: tuple[str, ...] = ()) -> list[str]:
    """The Markdown of a docstring: its prose, then its fields."""
    if obj.docstring is None:
        return []
    prose: list[str] = []
    fields: list[str] = []
    kinds = griffe.DocstringSectionKind
    for section in obj.docstring.parsed:
        if section.kind is kinds.text:
            prose += [section.value, ""]
        elif section.kind in (kinds.parameters, kinds.other_parameters):
            names = [(name.strip(), p.description) for p in section.value for name in p.name.split(",")]
            fields += [field(f"param {name}", description) for name, description in names]
        elif section.kind is kinds.attributes:
            fields += [field(f"ivar {a.name}", a.description) for a in section.value if a.name not in skip]
        elif section.kind in (kinds.returns, kinds.yields):
            name = "returns" if section.kind is kinds.returns else "yields"
            fields += [field(name, value.description) for value in section.value]
        elif section.kind is kinds.raises:
            fields += [field(f"raises {annotation(r.annotation)}", r.description) for r in section.value]
        elif section.kind is kinds.examples:
            prose += ["```python", "\n".join(text for _, text in section.value), "```", ""]
        elif section.kind is kinds.admonition:
            prose += [f"**{section.title}.** {section.value.contents}", ""]
        else:
            raise ValueError(f"{obj.path}: the page cannot show the section {section.kind.value!r} of its docstring")
    return [line for block in prose for line in block.split("\n")] + fields


def directive(kind: str, argument: str, options: list[str], body: list[str]) -> list[str]:
    """A directive in Markdown, with a fence longer than those of its body."""
    longest = max((len(line) - len(line.lstrip("`")) for line in body), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{{{kind}}} {argument}", *options, "", *body, fence, ""]


def is_type_alias(obj: Documented) -> bool:
    """Whether a module gives a type another name, as in `Pair = tuple[int, int]`."""
    value = getattr(obj, "value", None)
    is_union = isinstance(value, griffe.ExprBinOp) and value.operator == "|"
    return (
        isinstance(obj, griffe.Attribute)
        and isinstance(obj.parent, griffe.Module)
        and obj.name[0].isupper()
        and (is_union or isinstance(value, griffe.ExprSubscript))
    )


def document(module: str, name: str, obj: Documented) -> list[str]:
    """The Markdown that documents what one imports as `name` from `module`."""
    options = [f":module: {module}"]
    if is_type_alias(obj):
        return directive("py:type", name, [*options, f":canonical: {annotation(obj.value)}"], docstring(obj))
    if obj.path != f"{module}.{name}":
        options.append(f":canonical: {obj.path}")
    if isinstance(obj, griffe.Class):
        return document_class(name, obj, options)
    if isinstance(obj, griffe.Function):
        return directive("py:function", name + signature(obj), options, docstring(obj))
    return directive("py:data", name, options + type_of(obj), docstring(obj))


def document_class(name: str, cls: griffe.Class, options: list[str]) -> list[str]:
    """The Markdown that documents a class: how it is made, what it has and what it does."""
    init = cls.members.get("__init__")
    if not isinstance(init, griffe.Function) and "dataclass" in cls.labels:
        init = cls.all_members["__init__"]
    made = signature(init, method=True).partition(" -> ")[0] if isinstance(init, griffe.Function) else ""
    body = []
    if cls.bases:
        body += ["Bases: " + ", ".join(f"{{py:class}}`{annotation(base)}`" for base in cls.bases), ""]
    body += [*docstring(cls), ""]
    if isinstance(init, griffe.Function):
        body += docstring(init)
    for key, member in cls.members.items():
        if not key.startswith("_") and not member.is_alias and member.docstring is not None:
            body += ["", *document_member(key, member)]
    is_error = any(str(base).endswith(("Error", "Exception")) for base in cls.bases)
    return directive("py:exception" if is_error else "py:class", name + made, options, body)


def document_member(name: str, obj: Documented) -> list[str]:
    """The Markdown that documents a method or an attribute."""
    if isinstance(obj, griffe.Function):
        options = [f":{label}:" for label in ("classmethod", "staticmethod") if label in obj.labels]
        return directive("py:method", name + signature(obj, method=True), options, docstring(obj))
    kind = "py:property" if "property" in obj.labels else "py:attribute"
    return directive(kind, name, type_of(obj), docstring(obj))


def type_of(obj: griffe.Attribute) -> list[str]:
    """The option that shows the type of an attribute."""
    return [f":type: {annotation(obj.annotation)}"] if obj.annotation is not None else []


def names_in(obj: Documented) -> set[str]:
    """The full names of everything that the signatures of an object, and of what it shows, refer to."""
    if isinstance(obj, griffe.Class):
        shown = [m for n, m in obj.members.items() if not m.is_alias and (not n.startswith("_") or n == "__init__")]
        inner = set().union(*map(names_in, shown)) if shown else set()
        return inner | {base.canonical_path for base in obj.bases if isinstance(base, griffe.Expr)}
    if isinstance(obj, griffe.Function):
        expressions = [p.annotation for p in obj.parameters] + [obj.returns]
    else:
        expressions = [obj.annotation, obj.value if is_type_alias(obj) else None]
    named = [e for e in expressions if isinstance(e, griffe.Expr)]
    return {part.canonical_path for e in named for part in e.iterate(flat=True) if not isinstance(part, str)}


def companions(module: griffe.Module, shown: list[Documented]) -> list[Documented]:
    """What the signatures of the members name and what is defined below the module, but is no member itself.

    A type without a place on any page would be a dead end; it is shown under the path at which it is defined.
    """
    paths = {obj.path for obj in shown}
    found: list[Documented] = []
    waiting = list(shown)
    while waiting:
        for path in sorted(names_in(waiting.pop(0))):
            if path.startswith(module.path + ".") and path not in paths:
                paths.add(path)
                obj = module[path.removeprefix(module.path + ".")]
                found.append(obj)
                waiting.append(obj)
    return found


class Api(SphinxDirective):
    """The directive."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown of every member of the module."""
        root = Path(self.env.srcdir)
        path = self.arguments[0]
        try:
            module = find(root, path)
        except KeyError as error:
            raise self.error(f"there is no module {path!r} in {root}") from error
        shown = members(module)
        others = companions(module, [obj for _, obj in shown])
        for obj in [module, *others, *(obj for _, obj in shown)]:
            self.env.note_dependency(str(obj.filepath))
        lines = directive("py:module", path, [], []) + docstring(module) + [""]
        for name, obj in shown:
            lines += document(path, name, obj)
        for obj in others:
            lines += document(obj.module.path, obj.name, obj)
        parent = nodes.container(classes=["api"])
        self.state.nested_parse(StringList(lines, source=str(module.filepath)), 0, parent)
        return parent.children


def resolve_alias(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element) -> nodes.Element | None:
    """Find a type alias that a signature names; Sphinx itself looks for classes alone.

    It may be defined in a module and shown under a package around it, from where one imports it.
    """
    if node.get("refdomain") != "py" or node.get("reftype") != "class":
        return None
    python = env.get_domain("py")
    path, _, name = node["reftarget"].rpartition(".")
    while path:
        found = python.resolve_xref(env, node["refdoc"], app.builder, "type", f"{path}.{name}", node, text)
        if found is not None:
            return found
        path = path.rpartition(".")[0]
    return None


def setup(app: Sphinx) -> None:
    """Add the directive; a new build reads the source anew."""
    load_package.cache_clear()
    app.add_directive("api", Api)
    app.connect("missing-reference", resolve_alias)
