"""Which function a call means: a rule with parameters, or a builtin; whether it exists and how many arguments it takes.

Owns OPA's messages on undefined functions and arity. Must not know scopes or bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from webhook.rego.ast import Ref, Rule, String, Term, Var
from webhook.rego.builtins.registry import BUILTINS, UNAVAILABLE
from webhook.rego.errors import Location
from webhook.rego.resolve.environment import Environment, TypeNode
from webhook.rego.resolve.findings import Findings, Stage
from webhook.rego.resolve.names import root_name
from webhook.rego.resolve.shapes import is_data, path_of, path_text
from webhook.rego.resolve.text import term_text
from webhook.rego.resolve.tree import RuleNode
from webhook.rego.resolve.types import parameter_text

METADATA_RULE: Final = "rego.metadata.rule"
METADATA_CHAIN: Final = "rego.metadata.chain"
PRINT: Final = "print"
INTERNAL_PRINT: Final = "internal.print"
TEMPLATE_STRING: Final = "internal.template_string"


class Callee(msgspec.Struct, frozen=True):
    """A function that a call may name."""

    operator: Ref
    """Its name as resolved calls carry it."""
    arity: int | None
    """Count of arguments without a result; `None` when any number will do."""
    relation: bool = False
    void: bool = False


_UNAVAILABLE_ARITIES: Final = {
    "http.send": 1,
    "net.lookup_ip_addr": 1,
    "opa.runtime": 0,
    "rego.parse_module": 2,
}
"""Of builtins that policies cannot call, but their tests can replace."""
EQUALITY_CALLEE: Final = Callee(Ref(Var("eq")), 2)
_SPECIAL: Final = {
    "eq": EQUALITY_CALLEE,
    "assign": Callee(Ref(Var("assign")), 2),
    PRINT: Callee(Ref(Var(PRINT)), None, void=True),
    METADATA_RULE: Callee(Ref(Var(METADATA_RULE)), 0),
    METADATA_CHAIN: Callee(Ref(Var(METADATA_CHAIN)), 0),
}


def builtin_name(ref: Term) -> str:
    """Give the dotted name that a variable or reference spells, or nothing when a part is no name."""
    if isinstance(ref, Var):
        return ref.name
    if (
        isinstance(ref, Ref)
        and isinstance(ref.head, Var)
        and all(isinstance(part, String) for part in ref.path)
    ):
        return ".".join((ref.head.name, *path_of(ref)))
    return ""


@lru_cache(maxsize=1024)
def find_builtin(name: str) -> Callee | None:
    """Find a builtin by its dotted name."""
    special = _SPECIAL.get(name)
    if special is not None:
        return special
    builtin = BUILTINS.get(name)
    if builtin is None:
        known = name in UNAVAILABLE and name in _UNAVAILABLE_ARITIES
        return Callee(Ref(Var(name)), _UNAVAILABLE_ARITIES[name]) if known else None
    arity = None if builtin.variadic is not None else builtin.arity
    return Callee(Ref(Var(name)), arity, relation=builtin.relation, void=builtin.void)


class Operators:
    """Finds callees among the rules of a tree and the builtins."""

    def __init__(self, tree: RuleNode[Rule], findings: Findings, *, for_tests: bool = False) -> None:
        self._tree = tree
        self._findings = findings
        self._for_tests = for_tests

    def function_rules(self, ref: Term) -> list[Rule]:
        """Give the rules at exactly this reference when they take arguments, else none."""
        if not isinstance(ref, Ref) or not is_data(ref):
            return []
        node = self._tree.find(path_of(ref)) if len(path_of(ref)) == len(ref.path) else None
        return node.rules if node is not None and any(rule.head.args for rule in node.rules) else []

    def find(self, operator: Ref, location: Location, *, deprecated_allowed: bool) -> Callee | None:
        """Find what a call names; note what is undefined, refused or deprecated."""
        if root_name(operator) == "data":
            return self._find_rule(operator, location)
        name = builtin_name(operator)
        callee = find_builtin(name)
        if name in UNAVAILABLE and not (self._for_tests and callee is not None):
            refuse(name, location, self._findings)
            return None
        if callee is None:
            self._findings.mistype(f"undefined function {term_text(operator)}", location, Stage.FUNCTIONS)
        elif not deprecated_allowed and name in BUILTINS and BUILTINS[name].deprecated:
            message = f"deprecated built-in function calls in expression: {name}"
            self._findings.mistype(message, location, Stage.AVAILABILITY)
        return callee

    def _find_rule(self, operator: Ref, location: Location) -> Callee | None:
        path = path_of(operator)
        node = self._tree.find(path) if len(path) == len(operator.path) else None
        if node is None or not node.rules:
            self._findings.mistype(f"undefined function {term_text(operator)}", location, Stage.FUNCTIONS)
            return None
        return Callee(operator, len(node.rules[0].head.args or ()))

    def check_arity(
        self, callee: Callee, args: tuple[Term, ...], location: Location, *, as_value: bool
    ) -> bool:
        """Note a wrong count of arguments; a call that is no value may carry its result as one more."""
        arity = callee.arity
        if (
            arity is None
            or len(args) == arity
            or (len(args) == arity + 1 and not as_value and not callee.void)
        ):
            return True
        name = term_text(callee.operator)
        if root_name(callee.operator) == "data":
            noun = "argument" if len(args) == 1 else "arguments"
            message = f"function {name} has arity {arity}, got {len(args)} {noun}"
        else:
            message = f"{name}: arity mismatch{_arity_details(name, args, as_value=as_value)}"
        self._findings.mistype(message, location, Stage.FUNCTIONS)
        return False


def refuse(name: str, location: Location, findings: Findings) -> None:
    """Note a call of a builtin that is not available, with the reason."""
    message = f"built-in function {name} is not available: {UNAVAILABLE[name]}"
    findings.mistype(message, location, Stage.FUNCTIONS)


def _arity_details(name: str, args: tuple[Term, ...], *, as_value: bool) -> str:
    """Write what a builtin was given and what it wants; a call that is a value has its result as one more."""
    builtin = BUILTINS.get(name)
    wanted = ", ".join(map(parameter_text, builtin.parameters)) if builtin is not None else ""
    known = Environment(TypeNode())
    given = [str(known.type_of(arg) or "???") for arg in args] + ["???"] * as_value
    return f"\n\thave: ({', '.join(given)})\n\twant: ({wanted})"


Arities: TypeAlias = Mapping[str, int | None]
"""Full name of a function to the count of its arguments; `None` for any number."""

BUILTIN_ARITIES: Final[Arities] = {
    **{name: None if builtin.variadic is not None else builtin.arity for name, builtin in BUILTINS.items()},
    **_UNAVAILABLE_ARITIES,
    INTERNAL_PRINT: 1,
    TEMPLATE_STRING: 1,
}
"""Of builtins, those included that tests may replace."""


def function_arities(tree: RuleNode[Rule]) -> Arities:
    """Give the arity of every builtin and rule; rules without parameters can be called as well."""
    arities = dict(BUILTIN_ARITIES)
    for node in tree.descend():
        if node.rules:
            arities[path_text(node.path)] = len(node.rules[0].head.args or ())
    return arities
