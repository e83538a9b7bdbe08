"""Finds references to where nothing can be, and gives variables in references the type of the keys there.

Owns OPA's message `undefined ref`. Must not know calls or matches.
"""

from __future__ import annotations

from typing import Final, Protocol

from webhook.rego.ast import Array, Call, Every, Expr, Object, Ref, Set, String, Term, Var
from webhook.rego.builtins.signatures import ANY, STRING, ObjectOf, OneOf, Type, unifies
from webhook.rego.resolve.environment import Environment, TypeNode
from webhook.rego.resolve.findings import Findings
from webhook.rego.resolve.shapes import SCALARS
from webhook.rego.resolve.text import term_text
from webhook.rego.resolve.types import FunctionType, keys_of

_NAMES_OF_A_RULE: Final = 2
"""The shortest path of a rule, its package's name and its own; both are strings."""


class _Unify(Protocol):
    def __call__(self, term: Term, type_: Type, /) -> bool: ...


class ReferenceCheck:
    """Checks the references of statements in one environment."""

    def __init__(self, environment: Environment, findings: Findings, unify: _Unify) -> None:
        self._environment = environment
        self._findings = findings
        self._unify = unify

    def statement(self, expr: Expr) -> None:
        """Check every reference of a statement, those in closures left out."""
        terms = expr.terms
        if isinstance(terms, Call):
            for argument in terms.args:
                self._term(argument)
        elif isinstance(terms, Every):
            self._term(terms.domain)
        else:
            self._term(terms)

    def _term(self, term: object) -> None:
        if type(term) in SCALARS or isinstance(term, Var):
            return
        if isinstance(term, Ref):
            self._reference(term)
            for part in term.path:
                if type(part) is not String:
                    self._term(part)
        elif isinstance(term, (Array, Set)):
            for item in term.items:
                self._term(item)
        elif isinstance(term, Object):
            for key, value in term.items:
                self._term(key)
                self._term(value)

    def _reference(self, ref: Ref) -> None:
        head = ref.head.name if isinstance(ref.head, Var) else ""
        if head == "input":
            self._leaf(ANY, ref, 0)
        elif head == "data":
            self._data(ref)
        else:
            known = self._environment.variable(head)
            if known is None:
                known = ANY
                self._environment.note(head, ANY)
            self._leaf(known, ref, 0)

    def _data(self, ref: Ref) -> None:
        whole = self._environment.reference(ref)
        if isinstance(whole, FunctionType):
            self._unsupported(ref, len(ref.path) - 1, whole)
            return
        node = self._environment.rules
        for index, part in enumerate(ref.path):
            if node.type is not None and not node.children:
                self._leaf(ANY if isinstance(node.type, FunctionType) else node.type, ref, index)
                return
            if not isinstance(part, String):
                self._dynamic_step(node, part, ref, index)
                return
            child = node.children.get(part.value)
            if child is None:
                self._leaf(ANY, ref, index + 1)
                return
            node = child

    def _dynamic_step(self, node: TypeNode, part: Term, ref: Ref, index: int) -> None:
        """Check a step within packages that is no constant name."""
        # Base documents may stand beside the rules, so nothing is certain below an unknown package.
        package = ObjectOf(properties=dict.fromkeys(node.children, ANY))
        if isinstance(part, (Var, Ref)):
            extent = node.extent()
            keys = ANY if isinstance(extent, FunctionType) else keys_of(extent) or ANY
            if self._key(part, keys, ref, index, package):
                self._leaf(ANY, ref, index + 1)
        elif node.children and index < _NAMES_OF_A_RULE:
            self._invalid(ref, index, self._environment.type_of(part), STRING, package)

    def _leaf(self, type_: Type, ref: Ref, start: int) -> None:
        current: Type | None = type_
        for index in range(start, len(ref.path)):
            keys = keys_of(current)
            if current is None or keys is None:
                self._unsupported(ref, index - 1, current)
                return
            part = ref.path[index]
            if not self._key(part, keys, ref, index, current):
                return
            following = self._environment.step(current, part)
            if following is None and type(part) in SCALARS:
                self._invalid(ref, index, None, keys, current)
                return
            current = following

    def _key(self, part: Term, keys: Type, ref: Ref, index: int, container: Type | None) -> bool:
        """Match one segment with the keys that exist; a new variable takes their type."""
        if isinstance(part, Var):
            known = self._environment.variable(part.name)
            if known is None:
                self._environment.note(part.name, keys)
            elif not unifies(known, keys):
                self._invalid(ref, index, known, keys, container)
                return False
        elif isinstance(part, Ref):
            known = self._environment.type_of(part)
            if known is not None and not unifies(known, keys):
                self._invalid(ref, index, known, keys, container)
                return False
        elif isinstance(part, (Array, Object, Set)) and not self._unify(part, keys):
            self._invalid(ref, index, self._environment.type_of(part), keys, None)
            return False
        return True

    # -- Messages --

    def _unsupported(self, ref: Ref, index: int, have: object) -> None:
        text = term_text(ref)
        marked = "^" * len(term_text(Ref(ref.head, ref.path[: index + 1])))
        shown = "???" if have is None else have
        self._findings.mistype(f"undefined ref: {text}\n\t{text}\n\t{marked}\n\thave: {shown}", ref.location)

    def _invalid(self, ref: Ref, index: int, have: Type | None, want: Type, container: Type | None) -> None:
        text = term_text(ref)
        pad = " " * (len(term_text(Ref(ref.head, ref.path[:index]))) + 1)
        given = f"have: {term_text(ref.path[index])}" if have is None else f"have (type): {have}"
        names = _property_names(container)
        wanted = f"want (one of): [{' '.join(names)}]" if names else f"want (type): {want}"
        details = f"\n\t{text}\n\t{pad}^\n\t{pad}{given}\n\t{pad}{wanted}"
        self._findings.mistype(f"undefined ref: {text}{details}", ref.location)


def _property_names(container: Type | None) -> list[str]:
    if isinstance(container, ObjectOf):
        return sorted(f'"{name}"' for name in container.properties)
    if isinstance(container, OneOf):
        return sorted({name for member in container.members for name in _property_names(member)})
    return []
