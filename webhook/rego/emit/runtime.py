"""What generated code calls: the slow paths of lookups, loops and budgets, and the layout of a frame.

A frame is a list that lives as long as one evaluation, or as one `with`: the documents, what is left of the
budget, and one slot for each memoised rule and each shared path of the input.
Knows nothing of how code is generated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Final, Protocol, TypeAlias

from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.errors import Location
from webhook.rego.failures import key_conflict
from webhook.rego.values import UNDEFINED, Key, RegoSet, Value, equal, key_of, ordered_items, value_of

FREE_SIZE: Final = 1_000
"""Characters or elements that a builtin's result may have without being charged."""
LONG_LOOP: Final = 1_000
"""Rounds beyond which a loop looks at the clock and the memory as it goes."""
_ROUNDS_BETWEEN_CHECKS: Final = 16
FREE_ROUNDS: Final = 15
"""A loop that is in no other loop and makes no more rounds than this costs no steps."""
SIZE_OF_STEP: Final = 100
"""Characters or elements of a larger result that cost a step."""

Frame: TypeAlias = list[Any]


class Items(Sized, Iterable[Value], Protocol):
    """What a loop goes through."""


INPUT_SLOT: Final = 0
DATA_SLOT: Final = 1
STEPS_SLOT: Final = 2
"""Steps left of the current slice of the budget."""
BUDGET_SLOT: Final = 3
CONTEXT_SLOT: Final = 4
"""The `EvaluationContext` of builtins that need one."""
HITS_SLOT: Final = 5
"""A byte for each statement, set when it runs; only in instrumented code."""
FIRST_FREE_SLOT: Final = 6


class NotComputed:
    """The type of `NOT_COMPUTED`, which a memo slot holds at first."""

    __slots__ = ()


NOT_COMPUTED: Final = NotComputed()

EMPTY_SET: Final = RegoSet()
"""The set that a rule starts from; replaced by a new one before the first element is added."""


def refill(frame: Frame) -> None:
    """Take the next slice of the budget when the current one is overspent."""
    frame[STEPS_SLOT] = frame[BUDGET_SLOT].take(-frame[STEPS_SLOT])


def charge(frame: Frame, steps: int) -> None:
    """Pay for some steps."""
    frame[STEPS_SLOT] -= steps
    if frame[STEPS_SLOT] < 0:
        refill(frame)


def charge_size(frame: Frame, value: Value) -> None:
    """Pay for the large text or collection that a builtin made."""
    charge(frame, len(value) // SIZE_OF_STEP)


def watched(frame: Frame, source: Iterable[Value]) -> Iterator[Value]:
    """Give the elements of a long collection; what is done with them is stopped at the deadline."""
    check = frame[BUDGET_SLOT].check
    for index, element in enumerate(source):
        if index % _ROUNDS_BETWEEN_CHECKS == 0:
            check()
        yield element


class _Watched:
    """The items of a long loop as `watched` gives them, and their number."""

    __slots__ = ("_frame", "_items")

    def __init__(self, frame: Frame, items: Items) -> None:
        self._frame = frame
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Value]:
        return watched(self._frame, self._items)


class _Numbered:
    """The elements of an array with their places, and their number."""

    __slots__ = ("_array",)

    def __init__(self, array: list[Value]) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[tuple[int, Value]]:
        return enumerate(self._array)


def rounds(frame: Frame, items: Items) -> Iterable[Value]:
    """Pay for a loop that is in no other loop, and give what it goes through."""
    count = len(items)
    if count > FREE_ROUNDS:
        charge(frame, count)
    return items if count <= LONG_LOOP else watched(frame, items)


def inner_rounds(frame: Frame, items: Items) -> Items:
    """Give what a loop within another goes through; that one pays for it."""
    return items if len(items) <= LONG_LOOP else _Watched(frame, items)


def forgiving(builtin: Callable[..., Value]) -> Callable[..., Value]:
    """Give a builtin that has no value where it fails."""

    def call(*arguments: Value) -> Value:
        try:
            return builtin(*arguments)
        except BuiltinError:
            return UNDEFINED

    return call


def tick(frame: Frame) -> None:
    """Look at the clock before what may take long."""
    frame[BUDGET_SLOT].check_deadline()


def elements(source: Value) -> Items:
    """Give the elements of a collection in any order; a scalar has none."""
    kind = type(source)
    if kind is dict:
        values: Items = source.values()
        return values
    if kind is RegoSet:
        return list(source)
    return source if kind is list else ()


def ordered_elements(frame: Frame, source: Value) -> Items:
    """Give the elements of a collection in OPA's order; a scalar has none."""
    kind = type(source)
    if kind is dict:
        return [element for _, element in ordered_items(source, frame[BUDGET_SLOT].check)]
    if kind is RegoSet:
        result: Items = source.ordered(frame[BUDGET_SLOT].check)
        return result
    return source if kind is list else ()


def pairs(source: Value) -> Items:
    """Give the (key, element) pairs of a collection in any order; a scalar has none."""
    kind = type(source)
    if kind is dict:
        if Key not in map(type, source):
            items: Items = source.items()
            return items
        return [(value_of(key), element) for key, element in source.items()]
    if kind is RegoSet:
        return [(element, element) for element in source]
    return _Numbered(source) if kind is list else ()


def ordered_pairs(frame: Frame, source: Value) -> Items:
    """Give the (key, element) pairs of a collection in OPA's order; a scalar has none."""
    kind = type(source)
    if kind is dict:
        return ordered_items(source, frame[BUDGET_SLOT].check)
    if kind is RegoSet:
        return [(element, element) for element in source.ordered(frame[BUDGET_SLOT].check)]
    return _Numbered(source) if kind is list else ()


def size(source: Value) -> int:
    """Give the number of elements of a collection; a scalar has none."""
    return len(source) if type(source) in COLLECTIONS else 0


COLLECTIONS: Final = frozenset({list, dict, RegoSet})
"""Types of values that have elements."""
SIZED: Final = COLLECTIONS | {str}
"""Types of values that have a length."""
PLAIN: Final = frozenset({str, int})
"""Types of values that Python writes as Rego does."""


def common_kind(source: Value) -> type | None:
    """Give the type that all elements of a collection have, if they have one in common."""
    kinds = {type(element) for element in elements(source)}
    return kinds.pop() if len(kinds) == 1 else None


def length(source: Value) -> Value:
    """Give the number of elements or characters, or `UNDEFINED` for another scalar."""
    return len(source) if type(source) in COLLECTIONS or type(source) is str else UNDEFINED


def insert_once(target: dict[Any, Value], key: Value, value: Value, location: Location | None) -> None:
    """Set a key of an object under construction.

    Raises:
        EvaluationError: the key has a different value.

    """
    stored = key_of(key)
    present = target.get(stored, UNDEFINED)
    if present is UNDEFINED:
        target[stored] = value
    elif not equal(present, value):
        raise key_conflict(location)
