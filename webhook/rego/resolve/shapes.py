"""The resolved form of rules, and small questions about its terms.

A resolved body uses the nodes of `webhook.rego.ast` with fewer shapes: every reference begins with `input`,
`data` or a local variable; calls stand only as statements, with the result as their last argument; there is no
`:=`, `some`, template string or nested `=`. Owns the records; must not know how they come about.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from webhook.rego.ast import (
    Array,
    Body,
    Boolean,
    Call,
    Comprehension,
    Every,
    Null,
    Number,
    Object,
    Ref,
    Set,
    SomeDecl,
    SomeIn,
    String,
    Term,
    Var,
)
from webhook.rego.errors import Location
from webhook.rego.lexer import ALL_KEYWORDS
from webhook.rego.texts import quote

Closure: TypeAlias = Comprehension | Every
"""What has a body of its own within a statement."""
Path: TypeAlias = tuple[str, ...]
"""Segments of a reference below `data`, without `data` itself."""

ROOTS: Final = ("input", "data")
SCALARS: Final = frozenset({Null, Boolean, Number, String})
EQUALITY: Final = Ref(Var("eq"))
TRUE: Final = Boolean(True)
OWN_NAME_MARK: Final = "#"
"""Separates a variable's source name from the number that makes it unique; no source text contains it in a name."""


class Clause(msgspec.Struct, frozen=True):
    """One body of a rule with the value it yields; a rule has one, and one more for each `else`."""

    value: Term
    """The value, or the element of a partial set."""
    body: Body
    arguments: tuple[Term, ...]
    """Patterns for the parameters; empty unless the rule is a function."""
    keys: tuple[Term, ...]
    """What follows the ground prefix in the rule's reference."""
    location: Location


class ResolvedRule(msgspec.Struct, frozen=True):
    """One rule of the source, all names resolved."""

    path: Path
    """The ground prefix: package and leading constant segments of the reference."""
    clauses: tuple[Clause, ...]
    is_set: bool
    """Whether it adds an element (`contains`) instead of giving a value."""
    arity: int | None
    """Count of parameters, `None` unless it is a function."""
    default: bool
    location: Location

    @property
    def keys(self) -> tuple[Term, ...]:
        """What follows the ground prefix in the rule's reference."""
        return self.clauses[0].keys


def plain_term(terms: Term | SomeDecl | SomeIn | Every) -> Term:
    """Give what a resolved statement consists of when it is a term: `some` is gone by then, `every` is handled before.

    Raises:
        TypeError: the statement is of another form.

    """
    if isinstance(terms, (SomeDecl, SomeIn, Every)):
        raise TypeError(f"not a term: {type(terms).__name__}")
    return terms


def is_generated(name: str) -> bool:
    """Tell whether a variable is the compiler's own: nothing in the source stands for it."""
    return name.startswith(OWN_NAME_MARK)


def is_wildcard(name: str) -> bool:
    """Tell whether a variable is written as `_` in the source; each `_` is a variable of its own."""
    return name.startswith("$")


def source_name(name: str) -> str:
    """Give the name under which the author knows a variable, or OPA's way to show one of the compiler's own."""
    if is_wildcard(name):
        return "_"
    known, _, number = name.partition(OWN_NAME_MARK)
    return known or f"__local{number}__"


def operator_name(call: Call) -> str:
    """Give the full name of a resolved call: `count`, `data.lib.f`."""
    operator = call.operator
    if operator.path:
        return path_text(path_of(operator))
    return operator.head.name if isinstance(operator.head, Var) else ""


def is_name(text: str) -> bool:
    """Tell whether a text can stand after the dot of a reference."""
    return text.isidentifier() and text.isascii() and text not in ALL_KEYWORDS


@lru_cache(maxsize=4096)
def path_text(path: Path) -> str:
    """Write a path below `data` as a reference; different paths give different texts."""
    return "data" + "".join(f".{name}" if is_name(name) else f"[{quote(name)}]" for name in path)


def path_of(ref: Ref) -> Path:
    """Give the leading constant string segments of a reference."""
    segments = []
    for part in ref.path:
        if type(part) is not String:
            break
        segments.append(part.value)
    return tuple(segments)


def is_data(ref: Ref) -> bool:
    """Tell whether a resolved reference begins with `data`."""
    return type(ref.head) is Var and ref.head.name == "data"


def requires_evaluation(term: Term) -> bool:
    """Tell whether a reference or comprehension is anywhere in a term."""
    if type(term) in SCALARS or isinstance(term, Var):
        return False
    if isinstance(term, (Array, Set)):
        return any(map(requires_evaluation, term.items))
    if isinstance(term, Object):
        return any(requires_evaluation(key) or requires_evaluation(value) for key, value in term.items)
    return True


def is_constant(term: Term) -> bool:
    """Tell whether a term has the same value everywhere: no variable, reference, call or comprehension."""
    if type(term) in SCALARS:
        return True
    if isinstance(term, (Array, Set)):
        return all(map(is_constant, term.items))
    if isinstance(term, Object):
        return all(is_constant(key) and is_constant(value) for key, value in term.items)
    return False
