"""The algebra of types that the checker infers with: union, keys, values and selection.

Owns OPA's rules on these over the types that builtins declare. Must not know terms or rules. `None` stands for a type
that is not known, or that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from webhook.rego.builtins.signatures import (
    ANY,
    BOOLEAN,
    NULL,
    NUMBER,
    STRING,
    ArrayOf,
    ObjectOf,
    OneOf,
    Parameter,
    Scalar,
    SetOf,
    Type,
    unifies,
)

WIDEST_UNION: Final = 40
"""A union of more members becomes `any`: exact types of large generated rules are worth nothing to anyone."""
LARGEST_TYPE: Final = 10_000
"""A type written with more types becomes `any`: rules that double each other's values have types without end."""
_SCALAR_ORDER: Final = {NULL: 0, BOOLEAN: 1, NUMBER: 2, STRING: 3}
_COMPOSITE_ORDER: Final = {ArrayOf: 4, ObjectOf: 5, SetOf: 6}


@dataclass(frozen=True, slots=True)
class FunctionType:
    """What a function of a policy takes and gives."""

    arguments: tuple[Type, ...]
    result: Type

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.arguments))}) => {self.result}"


RuleType: TypeAlias = Type | FunctionType


def union(one: Type | None, other: Type | None) -> Type | None:
    """Give the type of a value that has either type; an unknown one adds nothing."""
    if one is None:
        return other
    if other is None or one is other:
        return one
    members = [*_members(one)]
    if isinstance(one, OneOf) and not members:
        return ANY
    if isinstance(other, OneOf) and not other.members:
        return ANY
    for member in _members(other):
        if member not in members:
            members.append(member)
    if len(members) == 1:
        return members[0]
    return OneOf(tuple(sorted(members, key=_order))) if len(members) <= WIDEST_UNION else ANY


def bounded(type_: Type) -> Type:
    """Give the type of a composite, or `any` when it is too large to be of use."""
    return type_ if type_.size <= LARGEST_TYPE else ANY


def _members(type_: Type) -> tuple[Type, ...]:
    return type_.members if isinstance(type_, OneOf) else (type_,)


def _order(type_: Type) -> tuple[int, str]:
    if isinstance(type_, Scalar):
        return _SCALAR_ORDER[type_], ""
    return _COMPOSITE_ORDER.get(type(type_), 7), str(type_)


def parameter_text(parameter: Parameter) -> str:
    """Write a declared argument as OPA does."""
    return str(Parameter(parameter.name, in_order(parameter.type)))


def in_order(type_: Type) -> Type:
    """Give a declared type with the members of a union in OPA's order."""
    return OneOf(tuple(sorted(type_.members, key=_order))) if isinstance(type_, OneOf) else type_


def keys_of(type_: Type | None) -> Type | None:
    """Give the type of the keys that can be enumerated; `None` for a scalar."""
    if isinstance(type_, ArrayOf):
        return NUMBER
    if isinstance(type_, ObjectOf):
        named = STRING if type_.properties else None
        return union(named, type_.keys)
    if isinstance(type_, SetOf):
        return type_.items
    if isinstance(type_, OneOf):
        return _over_members(type_, keys_of)
    return None


def values_of(type_: Type | None) -> Type | None:
    """Give the type of the values that can be enumerated; `None` for a scalar."""
    if isinstance(type_, ArrayOf):
        found = type_.items
        for item in type_.leading:
            found = union(found, item)
        return found
    if isinstance(type_, ObjectOf):
        found = type_.values
        for value in type_.properties.values():
            found = union(found, value)
        return found
    if isinstance(type_, SetOf):
        return type_.items
    if isinstance(type_, OneOf):
        return _over_members(type_, values_of)
    return None


def _over_members(type_: OneOf, question: object) -> Type | None:
    if not type_.members:
        return ANY
    found: Type | None = None
    for member in type_.members:
        found = union(found, question(member))  # type: ignore[operator]  # one of the two functions above
    return found


def select(type_: Type | None, key: object, key_type: Type) -> Type | None:
    """Give the type at a constant key; `None` when there is nothing there."""
    if isinstance(type_, ArrayOf):
        return type_.at(key) if type(key) is int and key >= 0 else None
    if isinstance(type_, ObjectOf):
        if isinstance(key, str) and key in type_.properties:
            return type_.properties[key]
        return type_.values if unifies(type_.keys, key_type) else None
    if isinstance(type_, SetOf):
        return key_type if unifies(type_.items, key_type) else None
    if isinstance(type_, OneOf):
        if not type_.members:
            return ANY
        found: Type | None = None
        for member in type_.members:
            found = union(found, select(member, key, key_type))
        return found
    return None


def merge(one: RuleType | None, other: RuleType) -> RuleType:
    """Give the type of a document that several rules contribute to."""
    if one is None:
        return other
    if isinstance(one, FunctionType) or isinstance(other, FunctionType):
        return _merge_functions(one, other)
    if isinstance(one, SetOf) and isinstance(other, SetOf):
        return SetOf(union(one.items, other.items) or ANY)
    if (
        isinstance(one, ObjectOf)
        and isinstance(other, ObjectOf)
        and not one.properties
        and not other.properties
    ):
        merged = merge(one.values or ANY, other.values or ANY)
        return ObjectOf(union(one.keys, other.keys), ANY if isinstance(merged, FunctionType) else merged)
    return union(one, other) or ANY


def _merge_functions(one: RuleType, other: RuleType) -> RuleType:
    if not isinstance(one, FunctionType) or not isinstance(other, FunctionType):
        return ANY
    if len(one.arguments) != len(other.arguments):
        return ANY
    pairs = zip(one.arguments, other.arguments, strict=True)
    arguments = tuple(union(first, second) or ANY for first, second in pairs)
    return FunctionType(arguments, union(one.result, other.result) or ANY)
