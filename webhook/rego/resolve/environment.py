"""What is known of the types of rules and variables at one place.

Owns the tree of rules' types and the scopes of variables' types. Must not know statements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from webhook.rego.ast import Array, Boolean, Null, Number, Object, Ref, Set, String, Term, Var
from webhook.rego.builtins.signatures import (
    ANY,
    BOOLEAN,
    NULL,
    NUMBER,
    STRING,
    ArrayOf,
    ObjectOf,
    SetOf,
    Type,
)
from webhook.rego.resolve.shapes import Path
from webhook.rego.resolve.types import FunctionType, RuleType, bounded, merge, select, union, values_of

_PACKAGE = ObjectOf(STRING, ANY)
_SCALAR_TYPES = {Null: NULL, Boolean: BOOLEAN, Number: NUMBER, String: STRING}


@dataclass(slots=True)
class TypeNode:
    """One path below `data`: the type of the rules there, and what is below."""

    type: RuleType | None = None
    children: dict[str, TypeNode] = field(default_factory=dict)

    def insert(self, path: Path, type_: RuleType) -> None:
        """Add what one rule contributes to the document at a path."""
        node = self
        for segment in path:
            node = node.children.setdefault(segment, TypeNode())
        node.type = merge(node.type, type_)

    def extent(self) -> RuleType:
        """Give the type of the whole document here.

        In a package any rule may be undefined and base documents may stand beside rules, so nothing is known of it.
        """
        if self.type is not None and not self.children:
            return self.type
        return _PACKAGE if self.type is None else ANY


class Environment:
    """The types of variables, scope in scope, above the types of rules."""

    def __init__(self, rules: TypeNode) -> None:
        self.rules = rules
        self._scopes: list[dict[str, Type]] = [{}]
        self.closures: dict[int, Type | None] = {}
        """Types of comprehensions that were checked, by the identity of their terms."""

    def push(self) -> None:
        """Enter a closure."""
        self._scopes.append({})

    def pop(self) -> None:
        """Leave a closure, forgetting its variables."""
        self._scopes.pop()

    def variable(self, name: str) -> Type | None:
        """Give the type of a variable, if it is known."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def note(self, name: str, type_: Type | None) -> None:
        """Remember the type of a variable."""
        if type_ is not None:
            self._scopes[-1][name] = type_

    def widen(self, name: str, type_: Type | None) -> None:
        """Remember one more type that a variable may have."""
        self.note(name, union(self.variable(name), type_))

    def type_of(self, term: Term) -> Type | None:
        """Infer the type of a term; `None` when a variable in it has none yet."""
        scalar = _SCALAR_TYPES.get(type(term))
        if scalar is not None:
            return scalar
        if isinstance(term, Var):
            return self.variable(term.name)
        if isinstance(term, Ref):
            found = self.reference(term)
            return None if isinstance(found, FunctionType) else found
        if isinstance(term, Array):
            items = [self.type_of(item) for item in term.items]
            known = tuple(item for item in items if item is not None)
            if len(known) < len(items):
                return None
            return bounded(ArrayOf(None, known)) if items else ArrayOf(ANY)
        if isinstance(term, Object):
            return self._object(term)
        if isinstance(term, Set):
            found_items: Type | None = None
            for item in term.items:
                found_items = union(found_items, self.type_of(item))
            return bounded(SetOf(found_items or ANY))
        return self.closures.get(id(term))

    def _object(self, term: Object) -> Type | None:
        properties: dict[str, Type] = {}
        keys: Type | None = None
        values: Type | None = None
        for key, value in term.items:
            value_type = self.type_of(value)
            if value_type is None:
                return None
            if isinstance(key, String):
                properties[key.value] = value_type
                continue
            key_type = self.type_of(key)
            if key_type is None:
                return None
            keys = union(keys, key_type)
            values = union(values, value_type)
        if not term.items:
            return ObjectOf(ANY, ANY)
        return bounded(ObjectOf(keys, values, properties))

    def reference(self, ref: Ref) -> RuleType | None:
        """Infer the type of a reference; `None` when nothing can be there."""
        head = ref.head.name if isinstance(ref.head, Var) else ""
        if head == "input":
            return ANY
        if head != "data":
            return self._select(self.variable(head), ref.path)
        node = self.rules
        for index, part in enumerate(ref.path):
            if node.type is not None and not node.children:
                return (
                    node.type
                    if isinstance(node.type, FunctionType)
                    else self._select(node.type, ref.path[index:])
                )
            if type(part) in _SCALAR_TYPES and not isinstance(part, String):
                return ANY
            if not isinstance(part, String):
                extent = node.extent()
                return extent if isinstance(extent, FunctionType) else self._select(extent, ref.path[index:])
            child = node.children.get(part.value)
            if child is None:
                return ANY
            node = child
        return node.extent()

    def _select(self, type_: Type | None, path: tuple[Term, ...]) -> Type | None:
        for part in path:
            if type_ is None:
                return None
            type_ = self.step(type_, part)
        return type_

    def step(self, type_: Type, part: Term) -> Type | None:
        """Give the type of what one more segment of a reference leads to."""
        scalar = _SCALAR_TYPES.get(type(part))
        if scalar is None:
            return values_of(type_)
        key = part.value if isinstance(part, (String, Number, Boolean)) else None
        return select(type_, key, scalar)
