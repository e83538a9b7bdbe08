"""Arrays as wholes: `array.*`."""

from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import limit_items, machine_integer, wrong_type
from webhook.rego.builtins.signatures import ARRAY, NUMBER


def concatenate(first: Any, second: Any) -> list[Any]:
    """Put one array after another."""
    if type(first) is not list:
        raise wrong_type(1, first, "array")
    if type(second) is not list:
        raise wrong_type(2, second, "array")
    limit_items(len(first) + len(second))
    return first + second


def part(array: Any, start: Any, stop: Any) -> list[Any]:
    """Give the elements from `start` up to, not including, `stop`; both are held to the array's bounds."""
    if type(array) is not list:
        raise wrong_type(1, array, "array")
    first, end = machine_integer(2, start), machine_integer(3, stop)
    return array[max(first, 0) : max(end, 0)]


def reverse(array: Any) -> list[Any]:
    """Turn an array around."""
    if type(array) is not list:
        raise wrong_type(1, array, "array")
    return array[::-1]


def flatten(array: Any) -> list[Any]:
    """Replace each array in an array by its elements, one level deep."""
    if type(array) is not list:
        raise wrong_type(1, array, "array")
    limit_items(sum(len(element) if type(element) is list else 1 for element in array))
    result: list[Any] = []
    for element in array:
        if type(element) is list:
            result.extend(element)
        else:
            result.append(element)
    return result


BUILTINS: tuple[Builtin, ...] = (
    declare("array.concat", {"x": ARRAY, "y": ARRAY}, {"z": ARRAY}, concatenate),
    declare("array.slice", {"arr": ARRAY, "start": NUMBER, "stop": NUMBER}, {"slice": ARRAY}, part),
    declare("array.reverse", {"arr": ARRAY}, {"rev": ARRAY}, reverse),
    declare("array.flatten", {"arr": ARRAY}, {"flattened": ARRAY}, flatten),
)
