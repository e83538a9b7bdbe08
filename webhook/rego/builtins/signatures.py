"""The types a builtin declares for its arguments and result, and which types fit each other.

Knows nothing of values' representation or of policies: a checker brings the types that it inferred.
The rules and the notation are OPA's, so that a type error reads as it does there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


def _size(*parts: "Type | None") -> int:
    return 1 + sum([part.size for part in parts if part is not None])


@dataclass(frozen=True, slots=True)
class Scalar:
    """One of Rego's scalar types: null, boolean, number or string."""

    name: str

    @property
    def size(self) -> int:
        """Count of the types that it is written with."""
        return 1

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """An array: positions of known type first, then any number of elements of one type."""

    items: "Type | None"
    """Type of the elements after the leading ones; None when there are none."""
    leading: tuple["Type", ...] = ()
    """Types of the first positions, in order."""
    size: int = field(init=False, compare=False, repr=False)
    """Count of the types that it is written with, one that occurs twice counted twice."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _size(self.items, *self.leading))

    def at(self, index: int) -> "Type | None":
        """Give the type of one position, None where the array has no such position."""
        return self.leading[index] if index < len(self.leading) else self.items

    def __str__(self) -> str:
        return _composite(
            "array", ", ".join(map(str, self.leading)), None if self.items is None else str(self.items)
        )


@dataclass(frozen=True, slots=True)
class SetOf:
    """A set with elements of one type."""

    items: "Type"
    """Type of the elements."""
    size: int = field(init=False, compare=False, repr=False)
    """Count of the types that it is written with, one that occurs twice counted twice."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _size(self.items))

    def __str__(self) -> str:
        return f"set[{self.items}]"


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object: properties of known name and type, and further keys of one type with values of one type."""

    keys: "Type | None" = None
    """Type of further keys; None when there are no further ones."""
    values: "Type | None" = None
    """Type of the further keys' values."""
    properties: Mapping[str, "Type"] = field(default_factory=dict)
    """Types of the named keys' values."""
    size: int = field(init=False, compare=False, repr=False)
    """Count of the types that it is written with, one that occurs twice counted twice."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _size(self.keys, self.values, *self.properties.values()))

    def at(self, key: str) -> "Type | None":
        """Give the type of one key's value, None where the object has no such key."""
        return self.properties.get(key, self.values)

    def __str__(self) -> str:
        named = ", ".join(f"{key}: {value}" for key, value in sorted(self.properties.items()))
        return _composite("object", named, None if self.keys is None else f"{self.keys}: {self.values}")


@dataclass(frozen=True, slots=True)
class OneOf:
    """A union of types; without members, every type."""

    members: tuple["Type", ...] = ()

    size: int = field(init=False, compare=False, repr=False)
    """Count of the types that it is written with, one that occurs twice counted twice."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _size(*self.members))

    def __str__(self) -> str:
        return f"any<{', '.join(map(str, self.members))}>" if self.members else "any"


Type = Scalar | ArrayOf | SetOf | ObjectOf | OneOf
"""Any declared or inferred type."""

NULL = Scalar("null")
BOOLEAN = Scalar("boolean")
NUMBER = Scalar("number")
STRING = Scalar("string")
ANY = OneOf()
ARRAY = ArrayOf(ANY)
SET = SetOf(ANY)
OBJECT = ObjectOf(ANY, ANY)
RECORD = ObjectOf(STRING, ANY)
STRINGS = ArrayOf(STRING)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named argument, or the named result, of a builtin."""

    name: str
    type: Type

    def __str__(self) -> str:
        return f"{self.name}: {self.type}" if self.name else str(self.type)


def unifies(one: Type | None, other: Type | None) -> bool:
    """Tell whether a value could have both types; None, an absent position, fits nothing."""
    if one is None or other is None:
        return False
    if isinstance(one, OneOf):
        return not one.members or any(unifies(member, other) for member in one.members)
    if isinstance(other, OneOf):
        return unifies(other, one)
    if isinstance(one, Scalar):
        return one == other
    if isinstance(one, ArrayOf):
        return isinstance(other, ArrayOf) and _arrays_unify(one, other)
    if isinstance(one, SetOf):
        return isinstance(other, SetOf) and unifies(one.items, other.items)
    return isinstance(other, ObjectOf) and _objects_unify(one, other)


def _arrays_unify(one: ArrayOf, other: ArrayOf) -> bool:
    positions = range(max(len(one.leading), len(other.leading)))
    if not all(unifies(one.at(index), other.at(index)) for index in positions):
        return False
    return one.items is None or other.items is None or unifies(one.items, other.items)


def _objects_unify(one: ObjectOf, other: ObjectOf) -> bool:
    if not all(unifies(one.at(key), other.at(key)) for key in {*one.properties, *other.properties}):
        return False
    return one.values is None or other.values is None or unifies(one.values, other.values)


def _composite(name: str, known: str, further: str | None) -> str:
    text = name
    if known:
        text += f"<{known}>"
    if further is not None:
        text += f"[{further}]"
    elif not known:
        text += "[]" if name == "object" else "<>"
    return text
