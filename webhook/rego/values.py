"""Rego values on plain Python objects: equality, order, sets and object keys.

A Rego value is `None`, a `bool`, an `int`, a `float`, a `str`, a `list` (array), a `dict` (object) or a
`RegoSet`. JSON decoded by any JSON library is therefore already a Rego value, and nothing is copied on
the way in. Three things differ from Python and are owned here:

* `UNDEFINED` is the absence of a value. It is never stored inside a collection.
* `True` is not `1`, yet `1` is `1.0`; and values of different types have an order
  (null < boolean < number < string < array < object < set).
* Objects and sets hold values that Python cannot hash. Such a value, and a boolean, is stored as a `Key`;
  `None`, numbers and strings are their own keys. The mapping is `key_of` and `value_of`.

Values are immutable once they are visible to more than one expression; only the code that builds one
mutates it. This module knows nothing of policies, plans or builtins, nor of how a value is written.
Source of the rules:
https://www.openpolicyagent.org/docs/policy-reference and OPA's `ast.Compare`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias, final

Value: TypeAlias = Any
"""Any Rego value. The union is recursive and open at the JSON edge, so `Any` is what mypy can use."""

RegoObject: TypeAlias = dict[Any, Any]
"""A Rego object: its keys are in the form that `key_of` gives."""


@final
class Undefined:
    """The type of `UNDEFINED`, the result of a lookup or a rule that has no value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        raise TypeError("undefined is neither true nor false")


UNDEFINED: Final = Undefined()


def _go_on() -> None:
    """Stop nothing."""


@final
class Key:
    """A boolean, array, object or set in the place of an object key or a set element.

    Equal Rego values give equal keys, and only they do.
    """

    __slots__ = ("_hash", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self._hash = hash_of(value)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return type(other) is Key and self._hash == other._hash and equal(self.value, other.value)

    def __repr__(self) -> str:
        return f"Key({self.value!r})"


_FEW: Final = 8
"""Up to this many composite elements, or ones that look alike, are compared one by one."""
_MANY_ENTRIES: Final = 32
"""An object with more entries looks like all others of its size."""


def _look(value: Value) -> int:
    """Hash the surface of an array, object or set: cheap, and equal for equal values."""
    kind = type(value)
    if kind is dict and len(value) <= _MANY_ENTRIES:
        return hash(
            frozenset([(key, element if type(element) is str else None) for key, element in value.items()])
        )
    if kind is list and value and len(value) <= _MANY_ENTRIES:
        return hash(("array", *[element if type(element) is str else None for element in value]))
    return len(value)


@final
class _Composites:
    """The arrays, objects and sets of one large set, found by how they look.

    Most sets hold objects that differ on their surface, and hashing a whole Pod to tell it from another would be
    waste. Where many look alike, all are hashed in full after all, so that no input can make a set slow.
    """

    __slots__ = ("_exact", "_looks")

    def __init__(self, elements: Iterable[Value]) -> None:
        self._exact: set[Key] | None = None
        self._looks: dict[int, list[Value]] = {}
        for element in elements:
            self.insert(element)

    def __contains__(self, value: Value) -> bool:
        if self._exact is not None:
            return Key(value) in self._exact
        return any(equal(element, value) for element in self._looks.get(_look(value), ()))

    def insert(self, value: Value) -> bool:
        """Insert a value unless an equal one is there, and say whether it was inserted."""
        if self._exact is not None:
            count = len(self._exact)
            self._exact.add(Key(value))
            return len(self._exact) > count
        alike = self._looks.setdefault(_look(value), [])
        if any(equal(element, value) for element in alike):
            return False
        alike.append(value)
        if len(alike) > _FEW:
            self._exact = {Key(element) for elements in self._looks.values() for element in elements}
            self._looks = {}
        return True


@final
class RegoSet:
    """A Rego set: distinct values, iterated in insertion order (use `ordered` where order is observable).

    `scalars` maps the key of each scalar element to the element. `composites` lists the arrays, objects and
    sets; it stays unindexed while short, because most sets of messages hold one or two objects.
    """

    __slots__ = ("_index", "composites", "scalars")

    def __init__(self, elements: Iterable[Value] = ()) -> None:
        self.scalars: dict[Any, Value] = {}
        self.composites: list[Value] = []
        self._index: _Composites | None = None
        for element in elements:
            self.add(element)

    def add(self, value: Value) -> None:
        """Insert `value` unless an equal element is there."""
        kind = type(value)
        if kind is str or kind is int or kind is float or value is None:
            if value not in self.scalars:
                self.scalars[value] = value
        elif kind is bool:
            self.scalars[TRUE_KEY if value else FALSE_KEY] = value
        elif len(self.composites) < _FEW:
            if not any(equal(element, value) for element in self.composites):
                self.composites.append(value)
        elif self._indexed().insert(value):
            self.composites.append(value)

    def _indexed(self) -> _Composites:
        if self._index is None:
            self._index = _Composites(self.composites)
        return self._index

    def __contains__(self, value: Value) -> bool:
        kind = type(value)
        if kind is str or kind is int or kind is float or value is None:
            return value in self.scalars
        if kind is bool:
            return (TRUE_KEY if value else FALSE_KEY) in self.scalars
        if len(self.composites) <= _FEW:
            return any(equal(element, value) for element in self.composites)
        return value in self._indexed()

    def get(self, text: str, absent: Value) -> Value:
        """Give a text if it is an element, else `absent`: what an object gives for its keys."""
        return self.scalars.get(text, absent)

    def __len__(self) -> int:
        return len(self.scalars) + len(self.composites)

    def __iter__(self) -> Iterator[Value]:
        yield from self.scalars.values()
        yield from self.composites

    def ordered(self, check: Callable[[], None] = _go_on) -> list[Value]:
        """Give the elements in OPA's order; `check` as in the function `ordered`."""
        if not self.composites:
            return ordered(self.scalars.values(), check)
        return ordered([*self.scalars.values(), *self.composites], check)

    def __eq__(self, other: object) -> bool:
        if (
            type(other) is not RegoSet
            or len(self) != len(other)
            or self.scalars.keys() != other.scalars.keys()
        ):
            return False
        return all(element in other for element in self.composites)

    __hash__ = None  # type: ignore[assignment]  # mutable while it is built; `Key` hashes it

    def __repr__(self) -> str:
        return f"RegoSet({list(self)!r})"


def hash_of(value: Value) -> int:
    """Hash any value consistently with `equal`; what occurs in it several times is hashed once.

    Raises: TypeError for something that is not a Rego value; RecursionError for one nested too deeply.
    """
    return _hash_of(value, {})


def _hash_of(value: Value, known: dict[int, int]) -> int:
    kind = type(value)
    if kind is str or kind is int or kind is float or value is None:
        return hash(value)
    if kind is bool:
        return 0x5EED1 if value else 0x5EED0
    found = known.get(id(value))
    if found is not None:
        return found
    if kind is list:
        result = hash(("array", *[_hash_of(element, known) for element in value]))
    elif kind is dict:
        pairs = [(key, _hash_of(element, known)) for key, element in value.items()]
        result = hash(("object", frozenset(pairs)))
    elif kind is RegoSet:
        result = hash(("set", frozenset([_hash_of(element, known) for element in value])))
    else:
        raise TypeError(f"not a Rego value: {kind.__name__}")
    known[id(value)] = result
    return result


def equal(left: Value, right: Value) -> bool:
    """Say whether two values are equal in Rego.

    Raises: RecursionError when both are nested too deeply.
    """
    if left is right:
        return True
    kind = type(left)
    if kind is not type(right):
        if kind is bool or type(right) is bool:
            return False
        return bool(left == right)
    if kind is list or kind is dict or kind is RegoSet:
        if len(left) != len(right):
            return False
        if not _is_little(left):
            return _equal_parts(left, right, set())
        if kind is RegoSet:
            return bool(left == right)
        # Python's equality is the coarser one (it takes True for 1) but runs in C: ask it first.
        return bool(left == right) and _same_types(left, right)
    return bool(left == right)


_LITTLE: Final = 1_000


def _is_little(value: Value) -> bool:
    """Say whether a value has few values within it, counting one that occurs twice twice.

    A large one may hold the same part many times over: two of those must not be compared part by part.
    """
    pending, seen = [value], 0
    while pending:
        part = pending.pop()
        seen += len(part)
        if seen > _LITTLE:
            return False
        for child in part.values() if type(part) is dict else part:
            kind = type(child)
            if kind is list or kind is dict or kind is RegoSet:
                pending.append(child)
    return True


def _equal_parts(left: Value, right: Value, known: set[tuple[int, int]]) -> bool:
    """Compare, each pair of parts once: `known` holds those found equal, for a difference ends it all."""
    kind = type(left)
    if left is right or kind is not type(right) or not (kind is list or kind is dict or kind is RegoSet):
        return equal(left, right)
    pair = (id(left), id(right))
    if pair in known:
        return True
    known.add(pair)
    if len(left) != len(right):
        return False
    if kind is not dict:
        pairs = (
            zip(left, right, strict=True)
            if kind is list
            else zip(left.ordered(), right.ordered(), strict=True)
        )
        return all(_equal_parts(one, other, known) for one, other in pairs)
    return all(key in right and _equal_parts(element, right[key], known) for key, element in left.items())


def _same_types(left: Value, right: Value) -> bool:
    """Refine to Rego's equality of two values what Python has found equal."""
    kind = type(left)
    if kind is list:
        return all(map(_same_types, left, right))
    if kind is dict:
        return all(_same_types(element, right[key]) for key, element in left.items())
    return (kind is bool) is (type(right) is bool)


_TYPE_ORDER: Final[dict[type, int]] = {
    type(None): 0,
    bool: 1,
    int: 2,
    float: 2,
    str: 3,
    list: 4,
    dict: 5,
    RegoSet: 6,
}

_TYPE_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    RegoSet: "set",
}


def type_name(value: Value) -> str:
    """Name the type of a value as `type_name` of Rego does."""
    return _TYPE_NAMES[type(value)]


def compare(left: Value, right: Value) -> int:
    """Order two values as OPA does; the result is negative, zero or positive.

    Raises: RecursionError when both are nested too deeply.
    """
    return _compare(left, right, set())


def _compare(left: Value, right: Value, known: set[tuple[int, int]]) -> int:
    """Order two values; `known` holds the pairs of parts found equal, for a difference ends it all."""
    if left is right:
        return 0
    order = _TYPE_ORDER[type(left)]
    other = _TYPE_ORDER[type(right)]
    if order != other:
        return -1 if order < other else 1
    if order <= _TYPE_ORDER[str]:
        return 0 if left == right else -1 if left < right else 1
    pair = (id(left), id(right))
    if pair in known:
        return 0
    known.add(pair)
    if order == _TYPE_ORDER[list]:
        return _compare_sequences(left, right, known)
    if order == _TYPE_ORDER[RegoSet]:
        return _compare_sequences(left.ordered(), right.ordered(), known)
    return _compare_objects(left, right, known)


def _compare_sequences(left: Sequence[Value], right: Sequence[Value], known: set[tuple[int, int]]) -> int:
    for first, second in zip(left, right, strict=False):
        result = _compare(first, second, known)
        if result:
            return result
    return len(left) - len(right)


def _compare_objects(left: RegoObject, right: RegoObject, known: set[tuple[int, int]]) -> int:
    """Compare key by key in order, each key before its value."""
    for (key, element), (other_key, other_element) in zip(
        ordered_items(left), ordered_items(right), strict=False
    ):
        result = _compare(key, other_key, known) or _compare(element, other_element, known)
        if result:
            return result
    return len(left) - len(right)


_compare_key: Final[Callable[[Value], Any]] = functools.cmp_to_key(compare)
_FEW_TO_SORT: Final = 4
"""Up to this many values are sorted faster by comparing them than by making keys."""
_PART: Final = 4_096
"""Values that are sorted at once, or that keys are made of, between two calls of `check`."""
_PART_OF_SCALARS: Final = 16 * _PART
_KEY_WIDTH: Final = 8
"""Elements of a collection that a sort key shows; what comes behind seldom decides."""
_KEY_DEPTH: Final = 2
"""Collections within one another that a sort key shows."""


def ordered(values: Iterable[Value], check: Callable[[], None] = _go_on) -> list[Value]:
    """Sort values in OPA's order into a new list; `check` is called now and then and may end it by raising."""
    result = list(values)
    kinds = set(map(type, result))
    if kinds <= {str} or kinds <= {int, float}:
        if len(result) > _PART_OF_SCALARS:
            return _sorted_in_parts(result, result, _PART_OF_SCALARS, check)
        result.sort()
    elif len(result) <= _FEW_TO_SORT:
        result.sort(key=_compare_key)
    else:
        return _sorted_in_parts(result, _SortKeys(check).of_all(result), _PART, check)
    return result


def _sorted_in_parts(
    values: list[Value], keys: list[Any], part_size: int, check: Callable[[], None]
) -> list[Value]:
    """Sort values by their keys, many of them part by part: Python's sort itself cannot be interrupted."""
    indexes = list(range(len(values)))
    parts = [indexes[start : start + part_size] for start in range(0, len(values), part_size)]
    for part in parts:
        part.sort(key=keys.__getitem__)
        check()
    while len(parts) > 1:
        parts = [one + other for one, other in zip(parts[::2], [*parts[1::2], []], strict=False)]
        for part in parts:
            check()
            part.sort(key=keys.__getitem__)  # finds the two runs, and merges them
    return [values[index] for index in parts[0]]


@final
class _SortKeys:
    """Makes the keys of one sort: what Python orders as OPA orders values, mostly without running Python code."""

    __slots__ = ("_check", "_work")

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._work = 0

    def of_all(self, values: Sequence[Value]) -> list[Any]:
        keys: list[Any] = []
        for value in values:
            self._note(1)
            keys.append(self._of(value, _KEY_DEPTH))
        return keys

    def _of(self, value: Value, depth: int) -> tuple[int, Any]:
        rank = _TYPE_ORDER[type(value)]
        if rank <= _TYPE_ORDER[str]:
            return rank, value
        if not depth:
            return rank, _Rest(value, self)
        if rank == _TYPE_ORDER[dict]:
            parts = [part for pair in ordered_items(value)[:_KEY_WIDTH] for part in pair]
        else:
            parts = (value if rank == _TYPE_ORDER[list] else value.ordered())[:_KEY_WIDTH]
        key: list[Any] = [self._of(part, depth - 1) for part in parts]
        if len(value) > _KEY_WIDTH:
            key.append(_Rest(value, self))
        return rank, key

    def compare(self, left: Value, right: Value) -> int:
        """Compare two collections that look alike so far."""
        self._note(1 + len(left))
        return compare(left, right)

    def _note(self, work: int) -> None:
        self._work += work
        if self._work > _PART:
            self._work = 0
            self._check()


@final
class _Rest:
    """The part of a sort key that is looked at when two keys differ in nothing before it."""

    __slots__ = ("_compared_with", "_keys", "_order", "value")

    def __init__(self, value: Value, keys: _SortKeys) -> None:
        self.value = value
        self._keys = keys
        self._compared_with: object = None
        self._order = 0

    def __eq__(self, other: object) -> bool:
        return self._order_to(other) == 0

    def __lt__(self, other: object) -> bool:
        return self._order_to(other) < 0

    __hash__ = None  # type: ignore[assignment]  # part of a sort key, and nothing else

    def _order_to(self, other: object) -> int:
        """Compare once: Python asks whether two are equal, and then which one is less."""
        if other is not self._compared_with:
            assert isinstance(other, _Rest)
            self._order, self._compared_with = self._keys.compare(self.value, other.value), other
        return self._order


def ordered_items(source: RegoObject, check: Callable[[], None] = _go_on) -> list[tuple[Value, Value]]:
    """Give the (key, value) pairs of an object in the order of its keys, the keys as values; `check` as above."""
    if all(type(key) is str for key in source):
        return sorted(source.items(), key=_first)
    return [(key, source[key_of(key)]) for key in ordered(map(value_of, source), check)]


def _first(pair: tuple[Value, Value]) -> Value:
    return pair[0]


TRUE_KEY: Final = Key(True)
FALSE_KEY: Final = Key(False)


def key_of(value: Value) -> Any:
    """Give the form in which `value` is an object key."""
    kind = type(value)
    if kind is str or kind is int or kind is float or value is None:
        return value
    if kind is bool:
        return TRUE_KEY if value else FALSE_KEY
    return Key(value)


def value_of(key: Any) -> Value:
    """Give the value that an object key stands for; the inverse of `key_of`."""
    return key.value if type(key) is Key else key


def make_object(pairs: Iterable[tuple[Value, Value]]) -> RegoObject:
    """Build an object from (key value, value) pairs; a later pair wins."""
    return {key_of(key): value for key, value in pairs}


def lookup(source: Value, key: Value) -> Value:
    """Give `source[key]`, or `UNDEFINED`: an object's value, an array's element, a set's member."""
    kind = type(source)
    if kind is dict:
        return source.get(key if type(key) is str else key_of(key), UNDEFINED)
    if kind is list:
        if type(key) is float and key.is_integer():
            key = int(key)
        return source[key] if type(key) is int and 0 <= key < len(source) else UNDEFINED
    if kind is RegoSet:
        return key if key in source else UNDEFINED
    return UNDEFINED


def scan(source: Value) -> Iterable[tuple[Value, Value]]:
    """Give the (key, value) pairs of a collection in OPA's order; a scalar or `UNDEFINED` has none.

    The key of an array element is its index, the key of a set element is the element itself.
    """
    kind = type(source)
    if kind is list:
        return enumerate(source)
    if kind is dict:
        return ordered_items(source)
    if kind is RegoSet:
        return [(element, element) for element in source.ordered()]
    return ()
