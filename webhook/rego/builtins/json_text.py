"""JSON text: `json.marshal`, `json.unmarshal` and their kin, written as Go's encoder writes it."""

import json
import re
from typing import Any

import msgspec

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import (
    BuiltinError,
    OperandError,
    limit_size,
    limit_string,
    wrong_strings,
    wrong_type,
)
from webhook.rego.builtins.signatures import ANY, BOOLEAN, STRING, ObjectOf
from webhook.rego.texts import format_value, to_json
from webhook.rego.values import ordered_items, type_name

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def marshal(value: Any) -> str:
    """Write a value as JSON, keys sorted, without spaces."""
    limit_size(value)
    return _checked(json.dumps(to_json(value), separators=(",", ":"), ensure_ascii=False, sort_keys=True))


def marshal_with_options(value: Any, options: Any) -> str:
    """Write a value as JSON, over lines with a prefix and indents where the options ask for it."""
    if type(options) is not dict:
        raise wrong_type(2, options, "object")
    indent, prefix, pretty = _layout(options)
    if not pretty:
        return marshal(value)
    limit_size(value)
    text = json.dumps(to_json(value), indent=indent, ensure_ascii=False, sort_keys=True)
    limit_string(len(text) + text.count("\n") * len(prefix))
    return prefix + _checked(text).replace("\n", "\n" + prefix)


def _layout(options: Any) -> tuple[str, str, bool]:
    """Read indent, prefix and whether to use lines at all; giving one of the former asks for them."""
    texts = {"indent": "\t", "prefix": ""}
    pretty: bool | None = None
    for position, (key, value) in enumerate(ordered_items(options)):
        if type(key) is not str:
            raise OperandError(f"operand 2 failed to stringify key {format_value(key)} at index {position}")
        if key in texts:
            if type(value) is not str:
                mistake = f"operand {position} must be string but got {type_name(value)}"
                raise OperandError(f'operand 2 key "{key}" failed cast to string: {mistake}')
            texts[key] = value
        elif key == "pretty":
            if type(value) is not bool:
                raise OperandError(f'operand 2 key "{key}" failed cast to bool')
            pretty = value
        else:
            raise OperandError(f'operand 2 object contained unknown key "{key}"')
    asked = "indent" in options or "prefix" in options
    return texts["indent"], texts["prefix"], asked if pretty is None else pretty


def _checked(text: str) -> str:
    limit_string(len(text))
    return text.translate(_ESCAPES) if any(character in text for character in "<>&\u2028\u2029") else text


def unmarshal(text: Any) -> Any:
    """Read JSON."""
    if type(text) is not str:
        wrong_strings(text)
    return read_json(text)


def read_json(text: str) -> Any:
    """Read JSON text; of equal keys the last one counts.

    Raises:
        BuiltinError: it is not JSON.

    """
    try:
        return msgspec.json.decode(_without_lone_surrogates(text) if "\\u" in text else text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise BuiltinError(str(error)) from error
    except RecursionError as error:
        raise BuiltinError("exceeded max depth") from error


def _without_lone_surrogates(text: str) -> str:
    """Give JSON text with the replacement character for every escaped half of a pair that stands alone, as in Go."""
    return _ESCAPE.sub(lambda found: r"\ufffd" if found["lone"] else found[0], text)


def is_valid(text: Any) -> bool:
    """Say whether a value is JSON text."""
    if type(text) is not str:
        return False
    try:
        read_json(text)
    except BuiltinError:
        return False
    return True


_OPTIONS = ObjectOf(STRING, ANY, {"indent": STRING, "prefix": STRING, "pretty": BOOLEAN})

BUILTINS: tuple[Builtin, ...] = (
    declare("json.marshal", {"x": ANY}, {"y": STRING}, marshal),
    declare("json.marshal_with_options", {"x": ANY, "opts": _OPTIONS}, {"y": STRING}, marshal_with_options),
    declare("json.unmarshal", {"x": STRING}, {"y": ANY}, unmarshal),
    declare("json.is_valid", {"x": STRING}, {"result": BOOLEAN}, is_valid),
)
