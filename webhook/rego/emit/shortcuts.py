"""Common builtins written in place.

A shortcut handles the types that policies use nearly always and leaves the rest to the builtin itself, so that
there is one definition of what it does. Knows nothing of statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from webhook.rego import ir
from webhook.rego.builtins.declaration import Builtin
from webhook.rego.builtins.failures import BuiltinError, LimitError
from webhook.rego.builtins.formatting import parse_format
from webhook.rego.builtins.regex import matcher
from webhook.rego.emit import expressions
from webhook.rego.emit.expressions import Condition, Operands, condition, guarded
from webhook.rego.emit.runtime import PLAIN, SIZED
from webhook.rego.emit.unit import Unit
from webhook.rego.values import RegoSet, Value


class Failure(Enum):
    """How the expression of a call tells that the builtin failed."""

    NONE = auto()
    """It cannot fail."""
    RAISED = auto()
    UNDEFINED = auto()
    """It is `UNDEFINED` then."""


@dataclass(frozen=True, slots=True)
class Result:
    """The Python expression of a call's result."""

    code: str
    kind: type | None = None
    """Type of the result, where it has one, if that is known; a builtin that does not fail has one then."""
    failure: Failure = Failure.NONE


@dataclass(frozen=True, slots=True)
class Site:
    """One call of a builtin that needs no context."""

    at: Operands
    name: str
    operands: Sequence[ir.Operand]

    @property
    def unit(self) -> Unit:
        """The program that the call is in."""
        return self.at.unit

    @property
    def codes(self) -> list[str]:
        """Python expressions of the operands."""
        return list(map(self.at.read, self.operands))

    def call(self) -> str:
        """Give the call of the builtin itself."""
        return f"{self.unit.builtin(self.name)}({', '.join(self.codes)})"

    def result(self, code: str, checks: Sequence[str], arguments: str, kind: type | None) -> Result:
        """Give the result of an expression that is right under some checks, else of the builtin itself.

        A failure of the builtin is told by `UNDEFINED` and not raised, unless it is to end the evaluation.
        """
        if not checks:
            return Result(code, kind)
        strict = self.unit.options.strict_builtin_errors
        name = self.unit.builtin(self.name) if strict else self.unit.forgiving_builtin(self.name)
        general = f"{code} if {' and '.join(checks)} else {name}({arguments})"
        return Result(general, kind, Failure.RAISED if strict else Failure.UNDEFINED)

    def constant_text(self, position: int) -> str | None:
        """Give an operand that is a constant string."""
        operand = self.operands[position]
        if isinstance(operand, ir.Constant) and type(operand.value) is str:
            return operand.value
        return None

    def check(self, position: int, kind: type) -> str | None:
        """Give the check that an operand is of a type: empty if it is known to be, None if it is known not to be."""
        known = self.at.kind(self.operands[position])
        if known is None:
            return f"{self.codes[position]}.__class__ is {kind.__name__}"
        return "" if known is kind else None

    def all_are(self, kind: type) -> list[str] | None:
        """Give the checks that all operands are of a type, those needed; None if one is known not to be."""
        checks = [self.check(position, kind) for position in range(len(self.operands))]
        return None if None in checks else [check for check in checks if check]


def test(site: Site) -> Condition | None:
    """Give the condition of a call that is made for its truth, if there is one that cannot fail."""
    options = site.unit.options
    if not options.inline or (options.strict_builtin_errors and site.name not in _TOTAL):
        return None
    shortcut = _TESTS.get(site.name)
    return shortcut(site) if shortcut else None


def value(site: Site) -> Result:
    """Give the result of a call."""
    kind = RESULT_KINDS.get(site.name)
    if not site.unit.options.inline:
        return Result(site.call(), kind, Failure.RAISED)
    shortcut = _VALUES.get(site.name)
    written = shortcut(site) if shortcut else None
    if written is None:
        bound = _bound_pattern(site) if site.name == "regex.match" else None
        return Result(f"{bound}({site.codes[1]})" if bound else site.call(), kind, Failure.RAISED)
    code, checks = written
    return site.result(code, checks, ", ".join(site.codes), kind)


RESULT_KINDS: Final[Mapping[str, type]] = {
    "concat": str,
    "contains": bool,
    "endswith": bool,
    "equal": bool,
    "gt": bool,
    "gte": bool,
    "internal.member_2": bool,
    "lower": str,
    "lt": bool,
    "lte": bool,
    "neq": bool,
    "count": int,
    "regex.match": bool,
    "split": list,
    "sprintf": str,
    "startswith": bool,
    "type_name": str,
    "upper": str,
}
"""Types of the results of builtins that give a value or raise, never `UNDEFINED`."""


def is_small(builtin: Builtin) -> bool:
    """Say whether the result of a builtin is a boolean, a number or null, or one of its arguments' parts."""
    return builtin.name in _SELECTING or str(builtin.result.type) in {"boolean", "number", "null"}


_SELECTING: Final = frozenset({"object.get", "max", "min"})


def formatted(site: Site, template: str) -> Result:
    """Give the result of a format filled with the operands."""
    arguments = f"{site.unit.constant(template)}, [{', '.join(site.codes)}]"
    plain = _f_string(site, template) if site.unit.options.inline else None
    if plain is None:
        return Result(f"{site.unit.builtin('sprintf')}({arguments})", str, Failure.RAISED)
    code, checks = plain
    return site.result(code, checks, arguments, str)


def _f_string(site: Site, template: str) -> tuple[str, list[str]] | None:
    """Give an f-string for a format and the checks under which it is right; None for a format too special."""
    try:
        form = parse_format(template)
    except LimitError:
        return None
    if form.directives is None or len(form.directives) != len(site.codes):
        return None
    if len(site.codes) > _MOST_INLINED:
        return None
    pieces: list[str] = []
    checks: dict[str, None] = {}
    positions = iter(range(len(site.codes)))
    for part in form.parts:
        if isinstance(part, str):
            pieces.append(part.replace("{", "{{").replace("}", "}}"))
            continue
        if (
            part.verb not in _PLAIN_VERBS
            or part.flags
            or part.width is not None
            or part.precision is not None
        ):
            return None
        position = next(positions)
        operand, code = site.operands[position], site.codes[position]
        if isinstance(operand, ir.Constant):
            code = site.unit.intern("K", operand.value)  # a literal cannot stand within the quotes
        pieces.append(f"{{{code}}}")
        kind = _PLAIN_VERBS[part.verb]
        if kind is None and site.at.kind(operand) not in PLAIN:
            checks[f"{code}.__class__ in PLAIN"] = None
        elif kind is not None and site.at.kind(operand) is not kind:
            checks[f"{code}.__class__ is {kind.__name__}"] = None
    return f"f{''.join(pieces)!r}", list(checks)


_MOST_INLINED: Final = 10
"""Directives of a format that is written in place: nothing limits what they may come to together."""
_PLAIN_VERBS: Final[Mapping[str, type | None]] = {"d": int, "s": str, "v": None}
"""Directives that Python's own conversion writes, and for which type; None for all plain ones."""


def _bound_pattern(site: Site) -> str | None:
    """Give a name for the matcher of a constant pattern."""
    pattern = site.constant_text(0)
    if pattern is None:
        return None
    try:
        return site.unit.intern("M", matcher(pattern))
    except (BuiltinError, LimitError):
        return None


def _equality(site: Site) -> Condition:
    same = expressions.equality(site.at, *site.operands)
    return same.negated() if site.name == "neq" else same


_SIGNS: Final = {"lt": ("<", ">="), "lte": ("<=", ">"), "gt": (">", "<="), "gte": (">=", "<")}
"""Comparisons in Python, and their contraries."""


def _ordering(site: Site) -> Condition:
    checks = site.all_are(int)
    if checks is None:
        return condition(site.call())
    left, right = site.codes
    holds, fails = _SIGNS[site.name]
    of_numbers = Condition(f"{left} {holds} {right}", f"{left} {fails} {right}")
    return guarded(" and ".join(checks), of_numbers, site.call()) if checks else of_numbers


def _on_texts(site: Site, holds: str, fails: str) -> Condition | None:
    """Give a condition on strings, which does not hold for other values."""
    checks = site.all_are(str)
    if checks is None or all(isinstance(operand, ir.Constant) for operand in site.operands):
        return None
    others = [check.replace(" is ", " is not ") for check in checks]
    return Condition(" and ".join([*checks, holds]), " or ".join([*others, fails]))


def _prefix(site: Site) -> Condition | None:
    (subject, part), known = site.codes, site.constant_text(1)
    if known is None:
        return _on_texts(site, f"{subject}.startswith({part})", f"not {subject}.startswith({part})")
    head = f"{subject}[:{len(known)}]"  # cheaper than a method
    return _on_texts(site, f"{head} == {part}", f"{head} != {part}")


def _suffix(site: Site) -> Condition | None:
    (subject, part), known = site.codes, site.constant_text(1)
    if not known:
        return _on_texts(site, f"{subject}.endswith({part})", f"not {subject}.endswith({part})")
    tail = f"{subject}[-{len(known)}:]"
    return _on_texts(site, f"{tail} == {part}", f"{tail} != {part}")


def _infix(site: Site) -> Condition | None:
    subject, part = site.codes
    return _on_texts(site, f"{part} in {subject}", f"{part} not in {subject}")


def _membership(site: Site) -> Condition | None:
    """Test membership of a string, of which Python's `in` and Rego's agree."""
    (element, collection), (member, whole) = site.codes, site.operands
    check = site.check(0, str)
    if isinstance(member, ir.Constant) or check is None:
        return None
    if isinstance(whole, ir.Constant):
        texts = _texts(whole.value)
        if texts is None:
            return None
        table = site.unit.intern("K", texts)
        found = Condition(f"{element} in {table}", f"{element} not in {table}")
        if not check:
            return found
        return Condition(f"{check} and {found.holds}", f"{element}.__class__ is not str or {found.fails}")
    checks = " and ".join(filter(None, [check, f"{collection}.__class__ is list"]))
    found = Condition(f"{element} in {collection}", f"{element} not in {collection}")
    return guarded(checks, found, site.call())


def _texts(collection: Value) -> frozenset[str] | None:
    """Give the elements of a collection of strings only."""
    if type(collection) not in {list, RegoSet} or not all(type(element) is str for element in collection):
        return None
    return frozenset(collection)


def _type_check(*kinds: str) -> Callable[[Site], Condition]:
    def write(site: Site) -> Condition:
        (code,), (operand,) = site.codes, site.operands
        if isinstance(operand, ir.Constant):
            code = site.unit.intern("K", operand.value)
        return Condition(
            " or ".join(f"{code}.__class__ is {kind}" for kind in kinds),
            " and ".join(f"{code}.__class__ is not {kind}" for kind in kinds),
        )

    return write


_Test: TypeAlias = Callable[[Site], Condition | None]

_TESTS: Final[Mapping[str, _Test]] = {
    "contains": _infix,
    "endswith": _suffix,
    "equal": _equality,
    "gt": _ordering,
    "gte": _ordering,
    "internal.member_2": _membership,
    "is_array": _type_check("list"),
    "is_boolean": _type_check("bool"),
    "is_number": _type_check("int", "float"),
    "is_object": _type_check("dict"),
    "is_set": _type_check("RegoSet"),
    "is_string": _type_check("str"),
    "lt": _ordering,
    "lte": _ordering,
    "neq": _equality,
    "startswith": _prefix,
}
_TOTAL: Final = frozenset({"equal", "gt", "gte", "internal.member_2", "lt", "lte", "neq"})
"""Builtins that take every value, so that there is no failure to report."""


_Value: TypeAlias = tuple[str, list[str]]
"""An expression and the checks under which it is right."""


def _cased(method: str) -> Callable[[Site], _Value | None]:
    def write(site: Site) -> _Value | None:
        (code,), checks = site.codes, site.all_are(str)
        if checks is None or isinstance(site.operands[0], ir.Constant):
            return None
        return f"{code}.{method}()", [*checks, f"{code}.isascii()"]

    return write


def _count(site: Site) -> _Value | None:
    (code,), (operand,) = site.codes, site.operands
    if isinstance(operand, ir.Constant):
        return None
    known = site.at.kind(operand)
    return f"len({code})", [] if known in SIZED else [f"{code}.__class__ in SIZED"]


def _object_get(site: Site) -> _Value | None:
    check = site.check(0, dict)
    if check is None or site.at.kind(site.operands[1]) is not str:
        return None
    source, key, default = site.codes
    return f"{source}.get({key}, {default})", [check] if check else []


def _sum(sign: str) -> Callable[[Site], _Value | None]:
    def write(site: Site) -> _Value | None:
        checks = site.all_are(int)
        return None if checks is None else (f"{site.codes[0]} {sign} {site.codes[1]}", checks)

    return write


_VALUES: Final[Mapping[str, Callable[[Site], _Value | None]]] = {
    "count": _count,
    "lower": _cased("lower"),
    "minus": _sum("-"),
    "object.get": _object_get,
    "plus": _sum("+"),
    "upper": _cased("upper"),
}
