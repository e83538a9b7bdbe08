"""Which variables become bound when two terms are unified.

Owns the propagation of bindings through patterns whose parts depend on one another. Must not know statements.
"""

from __future__ import annotations

from webhook.rego.ast import Array, Object, Ref, Term, Var
from webhook.rego.resolve.shapes import ROOTS


def bound_by_unifying(safe: set[str], left: Term, right: Term) -> set[str]:
    """Give the variables that `left = right` binds once those in `safe` are bound."""
    binding = _Binding(safe)
    binding.unify(left, right)
    return binding.bound


class _Binding:
    def __init__(self, safe: set[str]) -> None:
        self._safe = safe
        self.bound: set[str] = set()
        self._waiting: dict[str, set[str]] = {}
        """Variables that become bound when all those they wait for are."""

    def unify(self, left: Term, right: Term) -> None:
        if isinstance(left, Var):
            self._unify_variable(left, right)
        elif isinstance(right, Var):
            self._unify_variable(right, left)
        elif isinstance(left, Array) and isinstance(right, Array):
            if len(left.items) == len(right.items):
                for one, other in zip(left.items, right.items, strict=True):
                    self.unify(one, other)
        elif isinstance(left, Object) and isinstance(right, Object):
            self._unify_objects(left, right)
        elif isinstance(left, (Array, Object)):
            if self._has_value(right):
                self._bind_all(left)
        elif isinstance(right, (Array, Object)) and self._has_value(left):
            self._bind_all(right)

    def _unify_objects(self, left: Object, right: Object) -> None:
        if len(left.items) != len(right.items):
            return
        for key, value in left.items:
            for other_key, other_value in right.items:
                if key == other_key:
                    self.unify(value, other_value)

    def _unify_variable(self, variable: Var, other: Term) -> None:
        name = variable.name
        if isinstance(other, Var):
            if self._is_bound(other.name):
                self._bind(name)
            elif self._is_bound(name):
                self._bind(other.name)
            else:
                self._waiting.setdefault(name, set()).add(other.name)
                self._waiting.setdefault(other.name, set()).add(name)
        elif isinstance(other, (Array, Object)):
            if self._is_bound(name):
                self._bind_all(other)
                return
            needed = pattern_variables(other) - self._safe - self.bound
            if needed:
                self._waiting.setdefault(name, set()).update(needed)
            else:
                self._bind(name)
        elif self._has_value(other):
            self._bind(name)

    def _has_value(self, term: Term) -> bool:
        if isinstance(term, Ref):
            return isinstance(term.head, Var) and (term.head.name in ROOTS or self._is_bound(term.head.name))
        return True

    def _is_bound(self, name: str) -> bool:
        return name in self._safe or name in self.bound

    def _bind_all(self, term: Term) -> None:
        for name in pattern_variables(term):
            self._bind(name)

    def _bind(self, name: str) -> None:
        pending = [name]
        while pending:
            bound = pending.pop()
            if bound in self.bound:
                continue
            self.bound.add(bound)
            # Whatever it waited for is a part of it, and so is bound with it.
            pending.extend(self._waiting.pop(bound, ()))
            for waiting, needed in list(self._waiting.items()):
                needed.discard(bound)
                if not needed:
                    del self._waiting[waiting]
                    pending.append(waiting)


def pattern_variables(term: Term) -> set[str]:
    """Give the variables of a pattern: not in object keys, closures, or heads of references."""
    if isinstance(term, Var):
        return {term.name}
    if isinstance(term, Array):
        return set().union(*map(pattern_variables, term.items))
    if isinstance(term, Object):
        return set().union(*(pattern_variables(value) for _, value in term.items))
    if isinstance(term, Ref):
        return set().union(*map(pattern_variables, term.path))
    return set()
