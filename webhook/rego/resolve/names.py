"""What the names of one module mean: its imports, its package's rules, and the variables a body declares.

Owns the checks on imports and on shadowing of `input` and `data`. Must not know scopes within a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from webhook.rego.ast import (
    Array,
    Body,
    Call,
    Every,
    Expr,
    Import,
    Module,
    Object,
    Ref,
    Rule,
    SomeDecl,
    SomeIn,
    String,
    Term,
    Var,
)
from webhook.rego.resolve.findings import Findings, Stage
from webhook.rego.resolve.shapes import ROOTS, SCALARS, Path
from webhook.rego.resolve.text import term_text

_LANGUAGE_IMPORTS = ("rego", "future")


@dataclass(slots=True)
class ModuleNames:
    """The names that have a meaning outside of any rule of one module."""

    meanings: Mapping[str, Ref]
    """A rule's or import's name to the full reference."""
    used: set[str] = field(default_factory=set)
    """Names that some rule has used."""


def module_names(module: Module, rule_names: Iterable[str]) -> ModuleNames:
    """Gather the names of a module; `rule_names` are those of all rules of its package, in any file."""
    package = tuple(String(segment) for segment in module.package.segments)
    data = Var("data")
    meanings = {name: Ref(data, (*package, String(name))) for name in rule_names}
    for imported in module.imports:
        if root_name(imported.path) not in _LANGUAGE_IMPORTS:
            meanings[imported.name] = imported.path
    return ModuleNames(meanings)


def root_name(ref: Ref) -> str:
    """Give the first name of a reference, or nothing when it begins with another term."""
    return ref.head.name if isinstance(ref.head, Var) else ""


def check_imports(module: Module, findings: Findings) -> None:
    """Note imports that hide one another."""
    seen: dict[str, Import] = {}
    for imported in module.imports:
        earlier = seen.setdefault(imported.name, imported)
        if earlier is not imported:
            message = f"import must not shadow {import_text(earlier)}"
            findings.misuse(message, imported.location, Stage.NAMES)


def import_text(imported: Import) -> str:
    """Write an import as it stands in the source."""
    alias = f" as {imported.alias}" if imported.alias else ""
    return f"import {term_text(imported.path)}{alias}"


def check_root_shadowing(rule: Rule, findings: Findings) -> None:
    """Note a rule that is called `input` or `data`."""
    if rule.head.name in ROOTS:
        message = f"rules must not shadow {rule.head.name} (use a different rule name)"
        findings.misuse(message, rule.location, Stage.NAMES)


def check_unused_imports(module: Module, names: ModuleNames, findings: Findings) -> None:
    """Note imports that no rule uses; for strict mode."""
    for imported in module.imports:
        if root_name(imported.path) not in _LANGUAGE_IMPORTS and imported.name not in names.used:
            findings.misuse(f"{import_text(imported)} unused", imported.location, Stage.NAMES)


def head_path(module: Module, rule: Rule) -> tuple[Path, tuple[Term, ...]]:
    """Split a rule's full reference into its ground prefix and the terms after it."""
    segments = [*module.package.segments, rule.head.name]
    path = rule.head.ref.path
    for index, part in enumerate(path):
        if not isinstance(part, String):
            return tuple(segments), path[index:]
        segments.append(part.value)
    return tuple(segments), ()


# -- Variables that bodies declare --


def declared_names(body: Body) -> set[str]:
    """Give the names that `:=` and `some` declare in a body, in nested `every` too, comprehensions left out."""
    names: set[str] = set()
    for expr in body:
        _collect_declared(expr, names)
    return names


def _collect_declared(expr: Expr, names: set[str]) -> None:
    terms = expr.terms
    if isinstance(terms, Call):
        if is_assignment(terms):
            collect_names(terms.args[0], names)
    elif isinstance(terms, SomeDecl):
        names.update(variable.name for variable in terms.variables)
    elif isinstance(terms, SomeIn):
        collect_names(terms.value, names)
        if terms.key is not None:
            collect_names(terms.key, names)
    elif isinstance(terms, Every):
        names |= declared_names(terms.body)


def is_assignment(call: Call) -> bool:
    """Tell whether a call is `target := value`."""
    operator = call.operator
    return (
        not operator.path
        and type(operator.head) is Var
        and operator.head.name == "assign"
        and len(call.args) == 2
    )


def collect_names(term: Term, names: set[str]) -> None:
    """Add every variable in a term, comprehensions left out."""
    if isinstance(term, Var):
        names.add(term.name)
    elif type(term) in SCALARS:
        return
    elif isinstance(term, Ref):
        collect_names(term.head, names)
        for part in term.path:
            collect_names(part, names)
    elif isinstance(term, Object):
        for key, value in term.items:
            collect_names(key, names)
            collect_names(value, names)
    elif isinstance(term, Call):
        for argument in term.args:
            collect_names(argument, names)
    elif isinstance(term, Array):
        for item in term.items:
            collect_names(item, names)


def pattern_names(term: Term) -> list[str]:
    """Give the variables that a pattern can bind, in order: alone, in arrays, in values of objects."""
    if isinstance(term, Var):
        return [term.name]
    if isinstance(term, Array):
        return [name for item in term.items for name in pattern_names(item)]
    if isinstance(term, Object):
        return [name for _, value in term.items for name in pattern_names(value)]
    return []
