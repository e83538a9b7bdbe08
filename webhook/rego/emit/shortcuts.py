"""Common builtins written in place.

A shortcut handles the types that policies use nearly always and leaves the rest to the builtin itself, so that
there is one definition of what it does. Knows nothing of statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from webhook.rego import ir
from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.builtins.formatting import parse_format
from webhook.rego.builtins.regex import matcher
from webhook.rego.emit import expressions
from webhook.rego.emit.expressions import Condition, condition
from webhook.rego.emit.unit import Unit
from webhook.rego.values import RegoSet, Value


@dataclass(frozen=True, slots=True)
class Site:
    """One call of a builtin that needs no context."""

    unit: Unit
    name: str
    operands: Sequence[ir.Operand]
    codes: Sequence[str]
    """Python expressions of the operands, without side effects."""
    is_text: Callable[[ir.Operand], bool]
    """Says whether an operand is known to be a string."""

    def call(self) -> str:
        """Give the call of the builtin itself."""
        return f"{self.unit.builtin(self.name)}({', '.join(self.codes)})"

    def constant_text(self, position: int) -> str | None:
        """Give an operand that is a constant string."""
        operand = self.operands[position]
        if isinstance(operand, ir.Constant) and type(operand.value) is str:
            return operand.value
        return None

    def text_check(self, position: int) -> str | None:
        """Give the check that an operand is a string: empty if it is known to be one, None if it cannot be one."""
        operand = self.operands[position]
        if self.is_text(operand):
            return ""
        return None if isinstance(operand, ir.Constant) else f"{self.codes[position]}.__class__ is str"


def test(site: Site) -> Condition | None:
    """Give the condition of a call that is made for its truth, if there is one that cannot fail."""
    options = site.unit.options
    if not options.inline or (options.strict_builtin_errors and site.name not in _TOTAL):
        return None
    shortcut = _TESTS.get(site.name)
    return shortcut(site) if shortcut else None


def value(site: Site) -> str:
    """Give the expression of a builtin's result; it may raise what the builtin raises."""
    if not site.unit.options.inline:
        return site.call()
    shortcut = _VALUES.get(site.name)
    written = shortcut(site) if shortcut else None
    if written is not None:
        return f"{written} else {site.call()}"
    bound = _bound_pattern(site) if site.name == "regex.match" else None
    return f"{bound}({site.codes[1]})" if bound else site.call()


ALWAYS_DEFINED: Final = frozenset(
    {
        *(
            "concat",
            "count",
            "endswith",
            "equal",
            "gt",
            "gte",
            "internal.member_2",
            "lower",
            "lt",
            "lte",
            "minus",
        ),
        *("neq", "object.get", "plus", "regex.match", "split", "sprintf", "startswith", "type_name", "upper"),
    }
)
"""Builtins that give a value or raise, never `UNDEFINED`."""

TEXTS: Final = frozenset({"concat", "lower", "sprintf", "type_name", "upper"})
"""Builtins that give a string or raise."""


def formatted(site: Site, template: str) -> str:
    """Give the expression of a format filled with the operands; it may raise what `sprintf` raises."""
    general = f"{site.unit.builtin('sprintf')}({site.unit.constant(template)}, [{', '.join(site.codes)}])"
    plain = _f_string(site, template) if site.unit.options.inline else None
    if plain is None:
        return general
    code, checks = plain
    return f"{code} if {' and '.join(checks)} else {general}" if checks else code


def _f_string(site: Site, template: str) -> tuple[str, list[str]] | None:
    """Give an f-string for a format and the checks under which it is right; None for a format too special."""
    form = parse_format(template)
    if form.directives is None or len(form.directives) != len(site.codes):
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
        if part.verb == "d" or not site.is_text(operand):
            checks[_PLAIN_VERBS[part.verb].format(code)] = None
    return f"f{''.join(pieces)!r}", list(checks)


_PLAIN_VERBS: Final = {
    "d": "{0}.__class__ is int",
    "s": "{0}.__class__ is str",
    "v": "({0}.__class__ is str or {0}.__class__ is int)",
}
"""Directives that Python's own conversion writes, and for which types."""


def _bound_pattern(site: Site) -> str | None:
    """Give a name for the matcher of a constant pattern."""
    pattern = site.constant_text(0)
    if pattern is None:
        return None
    try:
        return site.unit.intern("M", matcher(pattern))
    except BuiltinError:
        return None


def _equality(site: Site) -> Condition:
    (left, right), (left_code, right_code) = site.operands, site.codes
    if site.is_text(left) or site.is_text(right):
        same = Condition(f"{left_code} == {right_code}", f"{left_code} != {right_code}")
    else:
        same = expressions.equality(site.unit, left, left_code, right, right_code)
    return Condition(same.fails, same.holds) if site.name == "neq" else same


_SIGNS: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def _ordering(site: Site) -> Condition:
    checks = _integer_checks(site)
    if not checks:
        return condition(site.call())
    left, right = site.codes
    return condition(f"{left} {_SIGNS[site.name]} {right} if {' and '.join(checks)} else {site.call()}")


def _integer_checks(site: Site) -> list[str]:
    """Give the checks that all operands are integers; none when a constant is no integer or all are constant."""
    checks = []
    for operand, code in zip(site.operands, site.codes, strict=True):
        if not isinstance(operand, ir.Constant):
            checks.append(f"{code}.__class__ is int")
        elif type(operand.value) is not int:
            return []
    return checks


def _on_texts(site: Site, holds: str, fails: str) -> Condition | None:
    """Give a condition on two strings, which does not hold for other values."""
    checks = [site.text_check(0), site.text_check(1)]
    if None in checks:
        return None
    kinds = [check for check in checks if check]
    others = [check.replace(" is ", " is not ") for check in kinds]
    return Condition(" and ".join([*kinds, holds]), " or ".join([*others, fails]))


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
    check = site.text_check(0)
    if isinstance(member, ir.Constant) or check is None:
        return None
    if isinstance(whole, ir.Constant):
        texts = _texts(whole.value)
        if texts is None:
            return None
        table = site.unit.intern("K", texts)
        if not check:
            return Condition(f"{element} in {table}", f"{element} not in {table}")
        return Condition(
            f"{check} and {element} in {table}", f"{element}.__class__ is not str or {element} not in {table}"
        )
    checks = " and ".join(
        [check, f"{collection}.__class__ is list"] if check else [f"{collection}.__class__ is list"]
    )
    return condition(f"{element} in {collection} if {checks} else {site.call()}")


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


def _cased(method: str) -> Callable[[Site], str | None]:
    def write(site: Site) -> str | None:
        (code,), check = site.codes, site.text_check(0)
        if check is None or isinstance(site.operands[0], ir.Constant):
            return None
        return f"{code}.{method}() if {' and '.join(filter(None, [check, f'{code}.isascii()']))}"

    return write


def _count(site: Site) -> str | None:
    (code,) = site.codes
    return None if isinstance(site.operands[0], ir.Constant) else f"len({code}) if {code}.__class__ is list"


def _object_get(site: Site) -> str | None:
    if isinstance(site.operands[0], ir.Constant) or site.constant_text(1) is None:
        return None
    source, key, default = site.codes
    return f"{source}.get({key}, {default}) if {source}.__class__ is dict"


def _sum(sign: str) -> Callable[[Site], str | None]:
    def write(site: Site) -> str | None:
        checks = _integer_checks(site)
        return f"{site.codes[0]} {sign} {site.codes[1]} if {' and '.join(checks)}" if checks else None

    return write


_VALUES: Final[Mapping[str, Callable[[Site], str | None]]] = {
    "count": _count,
    "lower": _cased("lower"),
    "minus": _sum("-"),
    "object.get": _object_get,
    "plus": _sum("+"),
    "upper": _cased("upper"),
}
"""The expression and its condition; what stands after `else` is the builtin."""
