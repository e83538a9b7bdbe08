"""Short spellings of syntax trees, and parsing of the pieces that tests compare with them."""

from webhook.rego.ast import (
    Array,
    Body,
    Boolean,
    Call,
    Expr,
    Module,
    Null,
    Number,
    Object,
    Ref,
    Rule,
    Set,
    Source,
    String,
    Term,
    Var,
)
from webhook.rego.errors import CompileError, Diagnostic
from webhook.rego.parser import VersionChoice, parse_module, parse_query

Shorthand = Term | str | bool | int | None


def term(value: Shorthand) -> Term:
    """Turn `1`, `True`, `None` into scalars and a string into a variable, or `'"x"'` into a string."""
    if value is None:
        return Null()
    if isinstance(value, bool):
        return Boolean(value)
    if isinstance(value, int):
        return Number(str(value))
    if isinstance(value, str):
        return String(value[1:-1]) if value.startswith('"') else Var(value)
    return value


def ref(head: Shorthand, *path: Shorthand) -> Ref:
    return Ref(term(head), tuple(map(term, path)))


def call(name: str, *args: Shorthand) -> Call:
    head, *rest = name.split(".")
    return Call(Ref(Var(head), tuple(String(part) for part in rest)), tuple(map(term, args)))


def array(*items: Shorthand) -> Array:
    return Array(tuple(map(term, items)))


def rego_set(*items: Shorthand) -> Set:
    return Set(tuple(map(term, items)))


def obj(*pairs: tuple[Shorthand, Shorthand]) -> Object:
    return Object(tuple((term(key), term(value)) for key, value in pairs))


def body(*terms: Shorthand) -> Body:
    return tuple(Expr(term(item)) for item in terms)


def parsed_term(text: str) -> Term:
    """Parse a text that is one positive expression without declarations."""
    (expression,) = parse_query(text)
    assert isinstance(expression.terms, Term)
    return expression.terms


def parsed_rule(text: str, version: VersionChoice = "v1") -> Rule:
    """Parse a text that is one rule."""
    (rule,) = parsed_module(text, version).rules
    return rule


def parsed_module(text: str, version: VersionChoice = "v1") -> Module:
    """Parse statements below a package."""
    return parse_module(Source("test.rego", f"package test\n{text}"), version=version)


def diagnostics(text: str, version: VersionChoice = "v1") -> tuple[Diagnostic, ...]:
    """Return what is wrong with a file."""
    try:
        parse_module(Source("test.rego", text), version=version)
    except CompileError as error:
        return error.diagnostics
    return ()


def messages(text: str, version: VersionChoice = "v1") -> list[str]:
    """Return what is wrong with statements below a package."""
    return [diagnostic.message for diagnostic in diagnostics(f"package test\n{text}", version)]
