"""The types of values: `is_*`, `type_name`, `to_number` and the old casts."""

import math
import re
from collections.abc import Callable
from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import BuiltinError, LimitError, wrong_type
from webhook.rego.builtins.signatures import (
    ANY,
    ARRAY,
    BOOLEAN,
    NULL,
    NUMBER,
    OBJECT,
    SET,
    STRING,
    OneOf,
    Type,
)
from webhook.rego.texts import parse_number
from webhook.rego.values import RegoSet, ordered, type_name

_NUMBER_TEXT = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NO_NUMBERS = frozenset(("inf", "infinity", "nan"))


def is_number(value: Any) -> bool:
    """Say whether a value is a number."""
    return type(value) is int or type(value) is float


def is_string(value: Any) -> bool:
    """Say whether a value is a string."""
    return type(value) is str


def is_boolean(value: Any) -> bool:
    """Say whether a value is a boolean."""
    return type(value) is bool


def is_array(value: Any) -> bool:
    """Say whether a value is an array."""
    return type(value) is list


def is_set(value: Any) -> bool:
    """Say whether a value is a set."""
    return type(value) is RegoSet


def is_object(value: Any) -> bool:
    """Say whether a value is an object."""
    return type(value) is dict


def is_null(value: Any) -> bool:
    """Say whether a value is null."""
    return value is None


def to_number(value: Any) -> int | float:
    """Turn null and booleans into 0 or 1, and text into the number it writes."""
    kind = type(value)
    if kind is int or kind is float:
        number: int | float = value
        return number
    if value is None or kind is bool:
        return 1 if value else 0
    if kind is not str:
        raise wrong_type(1, value, "null", "boolean", "number", "string")
    if value.lstrip("+-").lower() in _NO_NUMBERS:
        raise wrong_type(1, value, "valid number string")
    if _NUMBER_TEXT.fullmatch(value) is None:
        raise BuiltinError(f'strconv.ParseFloat: parsing "{value}": invalid syntax')
    if math.isinf(float(value)):
        raise BuiltinError(f'strconv.ParseFloat: parsing "{value}": value out of range')
    try:
        return parse_number(value)
    except ValueError as error:
        raise LimitError("a number has more digits than the limit") from error


def cast_array(value: Any) -> list[Any]:
    """Give an array as it is and a set's elements in order."""
    if type(value) is RegoSet:
        return ordered(value)
    if type(value) is not list:
        raise wrong_type(1, value, "array", "set")
    return value


def cast_set(value: Any) -> RegoSet:
    """Give a set as it is and an array's elements as a set."""
    if type(value) is list:
        return RegoSet(value)
    if type(value) is not RegoSet:
        raise wrong_type(1, value, "array", "set")
    return value


def _cast(wanted: str) -> Callable[[Any], Any]:
    def cast(value: Any) -> Any:
        if type_name(value) != wanted:
            raise wrong_type(1, value, wanted)
        return value

    return cast


def _check(name: str, function: Callable[[Any], bool]) -> Builtin:
    return declare(name, {"x": ANY}, {"result": BOOLEAN}, function)


def _old_cast(name: str, result: Type, function: Callable[[Any], Any]) -> Builtin:
    return declare(name, (ANY,), result, function, deprecated=True)


BUILTINS: tuple[Builtin, ...] = (
    _check("is_number", is_number),
    _check("is_string", is_string),
    _check("is_boolean", is_boolean),
    _check("is_array", is_array),
    _check("is_set", is_set),
    _check("is_object", is_object),
    _check("is_null", is_null),
    declare("type_name", {"x": ANY}, {"type": STRING}, type_name),
    declare("to_number", {"x": OneOf((NUMBER, STRING, BOOLEAN, NULL))}, {"num": NUMBER}, to_number),
    _old_cast("cast_array", ARRAY, cast_array),
    _old_cast("cast_set", SET, cast_set),
    _old_cast("cast_string", STRING, _cast("string")),
    _old_cast("cast_boolean", BOOLEAN, _cast("boolean")),
    _old_cast("cast_null", NULL, _cast("null")),
    _old_cast("cast_object", OBJECT, _cast("object")),
)
