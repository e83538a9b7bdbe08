"""What `with` may replace, and by what.

Owns OPA's messages on targets. Must not know how a replacement is carried out.
"""

from __future__ import annotations

from webhook.rego.ast import Ref, Rule, Term, Var
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.resolve.findings import Findings, Stage
from webhook.rego.resolve.names import root_name
from webhook.rego.resolve.operators import (
    METADATA_CHAIN,
    METADATA_RULE,
    Operators,
    builtin_name,
    find_builtin,
)
from webhook.rego.resolve.shapes import is_data, path_of
from webhook.rego.resolve.text import term_text
from webhook.rego.resolve.tree import RuleNode

_IRREPLACEABLE = ("eq", METADATA_CHAIN, METADATA_RULE)
_PREFIX = "with keyword replacing built-in function:"


class Replacements:
    """Checks targets and values of `with` against a tree of rules and the builtins."""

    def __init__(self, tree: RuleNode[Rule], operators: Operators, findings: Findings) -> None:
        self._tree = tree
        self._operators = operators
        self._findings = findings

    def needs_value(self, target: Term, value: Term) -> bool:
        """Tell whether `value` is evaluated before the replacement, rather than naming a function; note misuse."""
        root = root_name(target) if isinstance(target, Ref) else ""
        if root == "input":
            self._check_segments(target)
            return True
        if root == "data":
            return self._check_data(target, value)
        name = builtin_name(target)
        if not name or find_builtin(name) is None or name == "assign":
            message = "with keyword target must reference existing input, data, or a function"
            self._findings.mistype(message, target.location, Stage.REPLACEMENTS)
            return True
        self._check_builtin(name, target)
        return not self._names_function_or_rule(value)

    def _check_segments(self, target: Term) -> None:
        if isinstance(target, Ref) and len(path_of(target)) != len(target.path):
            message = f"with keyword target {term_text(target)} must be constant"
            self._findings.misuse(message, target.location, Stage.REPLACEMENTS)

    def _check_data(self, target: Term, value: Term) -> bool:
        if not isinstance(target, Ref):
            return True
        self._check_segments(target)
        path = path_of(target)
        node: RuleNode[Rule] | None = self._tree
        for segment in path[:-1]:
            node = node.children.get(segment) if node is not None else None
            if node is not None and node.rules:
                message = "with keyword cannot partially replace virtual document(s)"
                self._findings.misuse(message, target.location, Stage.REPLACEMENTS)
        if self._operators.function_rules(target):
            return not self._names_function_or_rule(value)
        return not (isinstance(value, Ref) and self._operators.function_rules(value))

    def _check_builtin(self, name: str, target: Term) -> None:
        if name in _IRREPLACEABLE:
            message = f'{_PREFIX} replacement of "{name}" invalid'
            self._findings.misuse(message, target.location, Stage.REPLACEMENTS)
        elif name.startswith("internal."):
            message = f'{_PREFIX} replacement of internal function "{name}" invalid'
            self._findings.misuse(message, target.location, Stage.REPLACEMENTS)
        elif name in BUILTINS and BUILTINS[name].relation:
            message = f"{_PREFIX} target must not be a relation"
            self._findings.misuse(message, target.location, Stage.REPLACEMENTS)
        elif name == "print" or (name in BUILTINS and BUILTINS[name].void):
            message = f"{_PREFIX} target must not be a void function"
            self._findings.misuse(message, target.location, Stage.REPLACEMENTS)

    def _names_function_or_rule(self, value: Term) -> bool:
        if not isinstance(value, Ref):
            return False
        if is_data(value):
            return len(path_of(value)) == len(value.path) and self._tree.find(path_of(value)) is not None
        return isinstance(value.head, Var) and find_builtin(builtin_name(value)) is not None
