"""How large a value is when it is written out.

Parts of a value are shared, not copied, so forty lines of a policy can make a value that is written as a million
million elements. What writes a value, or copies it whole, asks here first. Knows nothing of limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from webhook.rego.values import RegoObject, RegoSet, Value, value_of

EACH: Final = 16
"""Characters that every value counts besides those of its text: an empty array takes memory and time too."""
ORDERING: Final = 8
"""How many times arrays, objects and sets within a set count: they are put in order before they are written."""


def written_size(value: Value) -> int:
    """Give about how many characters a value takes in JSON, a part that occurs twice counted twice.

    Each part is looked at once, so the time does not grow with the answer. Raises: RecursionError for a value nested
    too deeply.
    """
    return _size_of((value,), {})


def _size_of(children: Iterable[Value], known: dict[int, int]) -> int:
    size = EACH
    for child in children:
        kind = type(child)
        size += EACH
        if kind is str:
            size += len(child)
        elif kind is list or kind is dict or kind is RegoSet:
            found = known.get(id(child))
            if found is None:
                if kind is list:
                    found = _size_of(child, known)
                elif kind is RegoSet:
                    found = _size_of(child.scalars.values(), known)
                    if child.composites:
                        found += ORDERING * _size_of(child.composites, known)
                else:
                    found = _size_of(child.values(), known) + _size_of_keys(child, known)
                known[id(child)] = found
            size += found
    return size


def _size_of_keys(source: RegoObject, known: dict[int, int]) -> int:
    try:
        return sum(map(len, source))
    except TypeError:  # a key that is no string
        return _size_of(map(value_of, source), known)
