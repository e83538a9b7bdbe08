"""Text: searching, cutting, joining, replacing, case. Positions and lengths count characters, as in OPA."""

import re
from collections.abc import Callable
from typing import Any

from webhook.rego.builtins.arithmetic import decimal_of, is_number
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import (
    MAX_ITEMS,
    BuiltinError,
    LimitError,
    OperandError,
    limit_items,
    limit_string,
    machine_integer,
    wrong_element,
    wrong_strings,
    wrong_type,
)
from webhook.rego.builtins.signatures import (
    ARRAY,
    BOOLEAN,
    NUMBER,
    STRING,
    STRINGS,
    ObjectOf,
    OneOf,
    SetOf,
    Type,
)
from webhook.rego.values import RegoSet, ordered_items

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_MAX_COMPARISONS = 200_000_000
"""Most comparisons of a pattern with a place in text, about a second of work."""
_FEW = 16
"""Up to this many prefixes, trying each one is quicker than looking up slices."""


def contains(haystack: Any, needle: Any) -> bool:
    """Say whether text occurs in other text."""
    if type(haystack) is not str or type(needle) is not str:
        wrong_strings(haystack, needle)
    return needle in haystack


def startswith(search: Any, base: Any) -> bool:
    """Say whether text begins with other text."""
    if type(search) is not str or type(base) is not str:
        wrong_strings(search, base)
    return search.startswith(base)


def endswith(search: Any, base: Any) -> bool:
    """Say whether text ends with other text."""
    if type(search) is not str or type(base) is not str:
        wrong_strings(search, base)
    return search.endswith(base)


def lower(text: Any) -> str:
    """Give text in lower case, letter by letter as Go does: nothing depends on what is beside it."""
    if type(text) is not str:
        wrong_strings(text)
    if text.isascii():
        return text.lower()
    return "".join("i" if character == "\u0130" else character.lower() for character in text)


def upper(text: Any) -> str:
    """Give text in upper case, letter by letter as Go does: no letter becomes two."""
    if type(text) is not str:
        wrong_strings(text)
    return text.upper() if text.isascii() else "".join(map(_upper, text))


def _upper(character: str) -> str:
    for cased in (character.upper(), character.title()):
        if len(cased) == 1:
            return cased
    return character


def split(text: Any, delimiter: Any) -> list[str]:
    """Cut text at each delimiter; an empty one cuts between all characters."""
    if type(text) is not str or type(delimiter) is not str:
        wrong_strings(text, delimiter)
    if len(text) >= MAX_ITEMS:
        limit_items(text.count(delimiter))
    return text.split(delimiter) if delimiter else list(text)


def concat(delimiter: Any, collection: Any) -> str:
    """Join the strings of an array or of a set in order."""
    if type(delimiter) is not str:
        raise wrong_type(1, delimiter, "string")
    kind = type(collection)
    if kind is RegoSet:
        strings = collection.ordered()
    elif kind is list:
        strings = collection
    else:
        raise wrong_type(2, collection, "set", "array")
    try:
        limit_string(sum(map(len, strings)) + len(delimiter) * len(strings))
        return delimiter.join(strings)
    except TypeError:
        for element in strings:
            if type(element) is not str:
                raise wrong_element(2, collection, element, "string") from None
        raise


def indexof(haystack: Any, needle: Any) -> int:
    """Give the position where text first occurs in other text, -1 when it does not."""
    if type(haystack) is not str or type(needle) is not str:
        wrong_strings(haystack, needle)
    if not needle:
        raise BuiltinError("empty search character")
    return haystack.find(needle)


def indexof_n(haystack: Any, needle: Any) -> list[int]:
    """Give every position where text occurs in other text, overlaps included."""
    if type(haystack) is not str or type(needle) is not str:
        wrong_strings(haystack, needle)
    if not needle:
        raise BuiltinError("empty search character")
    positions = []
    found = haystack.find(needle)
    while found >= 0:
        positions.append(found)
        limit_items(len(positions))
        found = haystack.find(needle, found + 1)
    return positions


def substring(text: Any, start: Any, length: Any) -> str:
    """Give `length` characters from `start` on, all of them when `length` is negative."""
    if type(text) is not str:
        raise wrong_type(1, text, "string")
    first, width = machine_integer(2, start), machine_integer(3, length)
    if first < 0:
        raise BuiltinError("negative offset")
    return text[first:] if width < 0 else text[first : first + width]


def count(search: Any, text: Any) -> int:
    """Count how often text occurs in other text, without overlaps."""
    if type(search) is not str or type(text) is not str:
        wrong_strings(search, text)
    return search.count(text)


def reverse(text: Any) -> str:
    """Turn text around."""
    if type(text) is not str:
        wrong_strings(text)
    return text[::-1]


def replace(text: Any, old: Any, new: Any) -> str:
    """Put `new` wherever `old` occurs."""
    if type(text) is not str or type(old) is not str or type(new) is not str:
        wrong_strings(text, old, new)
    if len(new) > len(old):
        limit_string(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def replace_n(patterns: Any, text: Any) -> str:
    """Replace several texts at once; where more than one fits, the first in order wins."""
    if type(patterns) is not dict:
        raise wrong_type(1, patterns, "object")
    if type(text) is not str:
        raise wrong_type(2, text, "string")
    pairs = ordered_items(patterns)
    for key, value in pairs:
        if type(key) is not str:
            raise OperandError("operand 1 non-string key found in pattern object")
        if type(value) is not str:
            raise OperandError("operand 1 non-string value found in pattern object")
    if not pairs:
        return text
    if len(pairs) * len(text) > _MAX_COMPARISONS:
        raise LimitError(f"strings.replace_n: more than {_MAX_COMPARISONS} comparisons")
    pieces = []
    length = position = 0
    for found in re.finditer("|".join(re.escape(key) for key, _ in pairs), text):
        pieces += [text[position : found.start()], patterns[found.group()]]
        position = found.end()
        length += len(pieces[-2]) + len(pieces[-1])
        limit_string(length)
    pieces.append(text[position:])
    return "".join(pieces)


def trim(text: Any, characters: Any) -> str:
    """Drop the given characters from both ends."""
    if type(text) is not str or type(characters) is not str:
        wrong_strings(text, characters)
    return text.strip(characters)


def trim_left(text: Any, characters: Any) -> str:
    """Drop the given characters from the beginning."""
    if type(text) is not str or type(characters) is not str:
        wrong_strings(text, characters)
    return text.lstrip(characters)


def trim_right(text: Any, characters: Any) -> str:
    """Drop the given characters from the end."""
    if type(text) is not str or type(characters) is not str:
        wrong_strings(text, characters)
    return text.rstrip(characters)


def trim_prefix(text: Any, prefix: Any) -> str:
    """Drop a beginning, where text has it."""
    if type(text) is not str or type(prefix) is not str:
        wrong_strings(text, prefix)
    return text.removeprefix(prefix)


def trim_suffix(text: Any, suffix: Any) -> str:
    """Drop an ending, where text has it."""
    if type(text) is not str or type(suffix) is not str:
        wrong_strings(text, suffix)
    return text.removesuffix(suffix)


def trim_space(text: Any) -> str:
    """Drop white space, as Unicode has it, from both ends."""
    if type(text) is not str:
        wrong_strings(text)
    return text.strip(_SPACE)


def format_int(number: Any, base: Any) -> str:
    """Write a number, its fraction dropped, in base 2, 8, 10 or 16."""
    if not is_number(number):
        raise wrong_type(1, number, "number")
    if not is_number(base):
        raise wrong_type(2, base, "number")
    form = {2: "b", 8: "o", 10: "d", 16: "x"}.get(base) if type(base) is int else None
    if form is None:
        raise OperandError("operand 2 must be one of {2, 8, 10, 16}")
    return format(number if type(number) is int else int(decimal_of(number)), form)


def any_prefix_match(search: Any, base: Any) -> bool:
    """Say whether one of the strings begins with one of the prefixes; either may be a single string."""
    strings, prefixes = _strings(1, search), _strings(2, base)
    if len(prefixes) <= _FEW:
        return any(map(_starts_with(tuple(prefixes)), strings))
    known = set(prefixes)
    widths = sorted(set(map(len, known)))
    return any(text[:width] in known for text in strings for width in widths if width <= len(text))


def any_suffix_match(search: Any, base: Any) -> bool:
    """Say whether one of the strings ends with one of the suffixes; either may be a single string."""
    strings, suffixes = _strings(1, search), _strings(2, base)
    return any_prefix_match([text[::-1] for text in strings], [text[::-1] for text in suffixes])


def _starts_with(prefixes: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda text: text.startswith(prefixes)


def _strings(position: int, value: Any) -> list[str]:
    kind = type(value)
    if kind is str:
        return [value]
    if kind is not list and kind is not RegoSet:
        raise wrong_type(position, value, "string", "set", "array")
    strings = list(value)
    for element in strings:
        if type(element) is not str:
            raise wrong_element(position, value, element, "string")
    return strings


def _trim(name: str, function: Callable[[Any, Any], str], cut: str) -> Builtin:
    return declare(name, {"value": STRING, cut: STRING}, {"output": STRING}, function)


_SET_OF_STRINGS = SetOf(STRING)
_ONE_OR_MORE: Type = OneOf((STRING, _SET_OF_STRINGS, STRINGS))
_MATCH: dict[str, Type] = {"search": _ONE_OR_MORE, "base": _ONE_OR_MORE}
_NEEDLE: dict[str, Type] = {"haystack": STRING, "needle": STRING}
_RESULT = {"result": BOOLEAN}

BUILTINS: tuple[Builtin, ...] = (
    declare("contains", _NEEDLE, _RESULT, contains),
    declare("startswith", {"search": STRING, "base": STRING}, _RESULT, startswith),
    declare("endswith", {"search": STRING, "base": STRING}, _RESULT, endswith),
    declare("lower", {"x": STRING}, {"y": STRING}, lower),
    declare("upper", {"x": STRING}, {"y": STRING}, upper),
    declare("split", {"x": STRING, "delimiter": STRING}, {"ys": STRINGS}, split),
    declare(
        "concat",
        {"delimiter": STRING, "collection": OneOf((_SET_OF_STRINGS, STRINGS))},
        {"output": STRING},
        concat,
    ),
    declare("indexof", _NEEDLE, {"output": NUMBER}, indexof),
    declare("indexof_n", _NEEDLE, {"output": ARRAY}, indexof_n),
    declare(
        "substring", {"value": STRING, "offset": NUMBER, "length": NUMBER}, {"output": STRING}, substring
    ),
    declare("strings.count", {"search": STRING, "substring": STRING}, {"output": NUMBER}, count),
    declare("strings.reverse", {"x": STRING}, {"y": STRING}, reverse),
    declare("replace", {"x": STRING, "old": STRING, "new": STRING}, {"y": STRING}, replace),
    declare(
        "strings.replace_n",
        {"patterns": ObjectOf(STRING, STRING), "value": STRING},
        {"output": STRING},
        replace_n,
    ),
    _trim("trim", trim, "cutset"),
    _trim("trim_left", trim_left, "cutset"),
    _trim("trim_right", trim_right, "cutset"),
    _trim("trim_prefix", trim_prefix, "prefix"),
    _trim("trim_suffix", trim_suffix, "suffix"),
    declare("trim_space", {"value": STRING}, {"output": STRING}, trim_space),
    declare("format_int", {"number": NUMBER, "base": NUMBER}, {"output": STRING}, format_int),
    declare("strings.any_prefix_match", _MATCH, _RESULT, any_prefix_match),
    declare("strings.any_suffix_match", _MATCH, _RESULT, any_suffix_match),
)
