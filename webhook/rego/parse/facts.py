"""Rules without a body, which OPA reads as expressions first: `x = 1`, `p["a"] := 2`, `f(1)`.

Owns which expression is a rule and why another is none. Must not know how expressions are parsed.
"""

from typing import Final

import msgspec

from webhook.rego.ast import (
    Call,
    Every,
    Expr,
    Ref,
    SomeDecl,
    SomeIn,
    Term,
    Var,
)
from webhook.rego.builtins.registry import BUILTINS, UNAVAILABLE
from webhook.rego.errors import Location

_ASSIGNMENTS: Final = frozenset({"eq", "assign"})


class WrittenHead(msgspec.Struct, frozen=True):
    """A head as it was written, before `if` or its absence has given it a meaning."""

    location: Location
    name: Var
    path: tuple[Term, ...]
    args: tuple[Term, ...] | None
    element: Term | None
    """What stands behind `contains`."""
    value: Term | None
    assign: bool
    spaced: bool = False
    """Whether a space stands between the name and what follows it, so that only `if` makes one head of both."""

    @property
    def sort(self) -> str:
        """What messages call it."""
        return "rule" if self.args is None else "function"


def head_of(expression: Expr) -> WrittenHead | str:
    """Give the head that an expression is, or the reason why it is none."""
    terms = expression.terms
    if expression.replacements:
        return "expressions using with keyword cannot be used for rule head"
    if expression.negated:
        return "negated expressions cannot be used for rule head"
    if isinstance(terms, SomeDecl | SomeIn):
        return "'some' declarations cannot be used for rule head"
    if isinstance(terms, Every):
        return "expression cannot be used for rule head"
    if isinstance(terms, Call) and terms.name in _ASSIGNMENTS:
        if len(terms.args) != 2:
            return "assignment requires two operands"
        target, value = terms.args
        return _head(expression.location, target, value, assign=terms.name == "assign")
    if isinstance(terms, Call):
        if terms.name in BUILTINS or terms.name in UNAVAILABLE:
            return "rule name conflicts with built-in function"
        if not terms.args:
            return "rule argument list must take at least one argument"
    if isinstance(terms, Ref) and not terms.path:
        return "refs cannot be used for rule head"
    if isinstance(terms, Ref | Call):
        return _head(expression.location, terms, None, assign=False)
    return f"{_sort(terms)} cannot be used for rule name"


def _head(location: Location, target: Term, value: Term | None, *, assign: bool) -> WrittenHead | str:
    args: tuple[Term, ...] | None = None
    name: Term = target
    path: tuple[Term, ...] = ()
    if isinstance(name, Call) and not _is_infix(name):
        # As in OPA, `f() = 1` is a complete rule.
        args, name = name.args or None, name.operator
    if isinstance(name, Ref):
        path = name.path
        name = name.head
    if isinstance(name, Var):
        return WrittenHead(location, name, path, args, None, value, assign)
    if name is not target and isinstance(target, Ref | Call):
        return "invalid rule head: a name has to come first, arguments last"
    return f"{_sort(target)} cannot be used for rule name"


def _is_infix(call: Call) -> bool:
    """Whether a call is written with an operator: OPA takes `my-rule = 1` for a rule `minus(my, rule) = 1`."""
    return bool(call.args) and call.args[0].location.offset < call.operator.location.offset


def _sort(term: Term) -> str:
    return type(term).__name__.lower()
