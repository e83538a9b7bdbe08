"""Regular expressions in RE2's syntax: `regex.*`. Matching takes time linear in the text, whatever the pattern.

The library's own wrapper builds match objects and translates offsets, which costs several times the match itself;
so its compiled expressions are used directly, on UTF-8. Compiled patterns are kept in a bounded cache, and a caller
with a constant pattern can keep one itself: `matcher`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from re2 import Options, _re2

from webhook.rego.builtins.caches import cached_by_text
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import (
    BuiltinError,
    LimitError,
    limit_items,
    limit_string,
    machine_integer,
    wrong_strings,
    wrong_type,
)
from webhook.rego.builtins.signatures import BOOLEAN, NUMBER, STRING, STRINGS, ArrayOf

UNANCHORED = _re2.RE2.Anchor.UNANCHORED
WHOLE = _re2.RE2.Anchor.ANCHOR_BOTH
_CACHED = 256
_REFERENCE = re.compile(r"\$(?:\$|(?P<plain>\w+)|\{(?P<braced>\w+)\})?")
_GROUP_DIGITS = 9
SHORT = 1_000
"""Octets of a text that may be searched with any pattern."""
_MOST_STEPS = 200_000_000
"""Octets times steps of a pattern: at worst some nanoseconds each, where the pattern has too many states to keep."""
_SEARCHES_BETWEEN_CHECKS = 16
"""Searches of a text between two looks at the clock; each may read the whole text."""

Span = tuple[int, int]
"""Begin and end of a match or group, in octets; (-1, -1) where a group took no part."""


@cached_by_text(_CACHED)
def compile_pattern(pattern: str, *, capture: bool = True) -> Any:
    """Compile a pattern; without `capture`, only whether and where the whole matches can be asked.

    Raises:
        BuiltinError: the pattern is not valid.

    """
    options = Options()
    options.log_errors = False
    options.never_capture = not capture
    compiled = _re2.RE2(octets(pattern), options)
    if not compiled.ok():
        reason = compiled.error().decode(errors="replace")
        raise BuiltinError(f"error parsing regexp: {reason}")
    return compiled


def limit_search(compiled: Any, text: bytes) -> None:
    """Refuse to search a long text with a large pattern: at worst each step of one reads all of the other.

    Raises:
        LimitError: it could take seconds, which nothing could interrupt.

    """
    steps = compiled.ProgramSize() * len(text)
    if steps > _MOST_STEPS:
        raise LimitError(
            f"a search of {len(text)} octets with a pattern of {compiled.ProgramSize()} steps takes too long"
        )


def octets(text: str) -> bytes:
    """Give text in UTF-8, with a question mark for what has no such form."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace")


def matcher(pattern: str) -> Callable[[Any], bool]:
    """Compile a constant pattern into a function from a value to whether the pattern occurs in it.

    Raises:
        BuiltinError: the pattern is not valid.

    """
    compiled = compile_pattern(pattern, capture=False)
    find = compiled.Match

    def matches(value: Any) -> bool:
        if type(value) is not str:
            raise wrong_type(2, value, "string")
        text = octets(value)
        if len(text) > SHORT:
            limit_search(compiled, text)
        found: bool = find(UNANCHORED, text, 0, len(text))[0][0] >= 0
        return found

    return matches


def match(pattern: Any, value: Any) -> bool:
    """Say whether a pattern occurs in text."""
    if type(pattern) is not str or type(value) is not str:
        wrong_strings(pattern, value)
    text, compiled = octets(value), compile_pattern(pattern, capture=False)
    if len(text) > SHORT:
        limit_search(compiled, text)
    found: bool = compiled.Match(UNANCHORED, text, 0, len(text))[0][0] >= 0
    return found


def is_valid(pattern: Any) -> bool:
    """Say whether a value is a pattern."""
    if type(pattern) is not str:
        return False
    try:
        compile_pattern(pattern, capture=False)
    except BuiltinError:
        return False
    return True


def find_n(context: EvaluationContext, pattern: Any, value: Any, limit: Any) -> list[str]:
    """Give the first `limit` matches, all of them when it is negative."""
    if type(pattern) is not str or type(value) is not str:
        wrong_strings(pattern, value)
    text = octets(value)
    spans = _matches(context, compile_pattern(pattern), text, machine_integer(3, limit))
    return [text[begin:end].decode() for (begin, end), *_ in spans]


def find_all_string_submatch_n(
    context: EvaluationContext, pattern: Any, value: Any, limit: Any
) -> list[list[str]]:
    """Give the first `limit` matches, each followed by its groups; a group without part in it is empty."""
    if type(pattern) is not str or type(value) is not str:
        wrong_strings(pattern, value)
    text = octets(value)
    found = []
    for spans in _matches(context, compile_pattern(pattern), text, machine_integer(3, limit)):
        found.append([text[begin:end].decode() if begin >= 0 else "" for begin, end in spans])
        limit_items(len(found) * len(spans))
    return found


def split(context: EvaluationContext, pattern: Any, value: Any) -> list[str]:
    """Cut text at each match."""
    if type(pattern) is not str or type(value) is not str:
        wrong_strings(pattern, value)
    text = octets(value)
    compiled = compile_pattern(pattern)
    if pattern and not text:
        return [""]
    pieces = []
    begin = end = 0
    for (first, last), *_ in _matches(context, compiled, text, -1):
        end = first
        if last != 0:
            pieces.append(text[begin:end].decode())
        begin = last
    if end != len(text):
        pieces.append(text[begin:].decode())
    return pieces


def replace(context: EvaluationContext, text: Any, pattern: Any, template: Any) -> str:
    """Put a template in the place of each match; `$1` and `${name}` in it stand for groups."""
    if type(text) is not str or type(pattern) is not str or type(template) is not str:
        wrong_strings(text, pattern, template)
    compiled, source = compile_pattern(pattern), octets(text)
    limit_search(compiled, source)
    names = {name.decode(): index for name, index in compiled.NamedCapturingGroups()}
    parts = _template(template, names)
    pieces: list[bytes] = []
    length = begin = position = searches = 0
    while position <= len(source):
        searches += 1
        if searches % _SEARCHES_BETWEEN_CHECKS == 0:
            context.check()
        spans = compiled.Match(UNANCHORED, source, position, len(source))
        first, last = spans[0]
        if first < 0:
            break
        pieces.append(source[begin:first])
        if last > begin or first == 0:
            pieces.append(b"".join(_expanded(parts, spans, source)))
            length += len(pieces[-1])
        length += first - begin
        limit_string(length)
        begin = last
        position = max(last, position + _width(source, position))
    pieces.append(source[begin:])
    return b"".join(pieces).decode()


def _template(template: str, names: dict[str, int]) -> list[bytes | int]:
    """Split a template into text and numbers of groups, -1 for a group that does not exist."""
    parts: list[bytes | int] = []
    position = 0
    for found in _REFERENCE.finditer(template):
        parts.append(octets(template[position : found.start()]))
        position = found.end()
        name = found["plain"] or found["braced"]
        if name is None:
            parts.append(b"$")
        elif (
            name.isascii()
            and name.isdigit()
            and (name == "0" or name[0] != "0")
            and len(name) < _GROUP_DIGITS
        ):
            parts.append(int(name))
        else:
            parts.append(names.get(name, -1))
    parts.append(octets(template[position:]))
    return parts


def _expanded(parts: list[bytes | int], spans: list[Span], source: bytes) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
        elif 0 <= part < len(spans) and spans[part][0] >= 0:
            yield source[slice(*spans[part])]


def _matches(context: EvaluationContext, compiled: Any, text: bytes, limit: int) -> Iterator[list[Span]]:
    """Give the spans of successive matches; an empty one right behind a match does not count."""
    limit_search(compiled, text)
    position, previous, found = 0, -1, 0
    searches = 0
    while position <= len(text) and (limit < 0 or found < limit):
        searches += 1
        if searches % _SEARCHES_BETWEEN_CHECKS == 0:
            context.check()
        spans = compiled.Match(UNANCHORED, text, position, len(text))
        begin, end = spans[0]
        if begin < 0:
            return
        counts = end != position or begin != previous
        position = position + _width(text, position) if end == position else end
        previous = end
        if counts:
            found += 1
            limit_items(found)
            yield spans


def _width(text: bytes, position: int) -> int:
    """Give the octets of the character at a position, 1 at the end."""
    width = 1
    while position + width < len(text) and text[position + width] & 0xC0 == 0x80:
        width += 1
    return width


def template_match(template: Any, value: Any, opening: Any, closing: Any) -> bool:
    """Match text with a template in which the parts between two delimiters are patterns."""
    if (
        type(template) is not str
        or type(value) is not str
        or type(opening) is not str
        or type(closing) is not str
    ):
        wrong_strings(template, value, opening, closing)
    if len(octets(opening)) != 1:
        raise BuiltinError(f"start delimiter has to be exactly one character long but is {len(opening)} long")
    if len(octets(closing)) != 1:
        raise BuiltinError(f"end delimiter has to be exactly one character long but is {len(opening)} long")
    return match(_template_pattern(template, opening, closing), value)


@cached_by_text(_CACHED)
def _template_pattern(template: str, opening: str, closing: str) -> str:
    pattern = "^"
    level = begin = end = 0
    for position, character in enumerate(template):
        if character == opening:
            level += 1
            if level == 1:
                begin = position
        elif character == closing:
            level -= 1
            if level < 0:
                break
            if level == 0:
                part = template[begin + 1 : position]
                compile_pattern(f"^{part}$", capture=False)
                pattern += f"{_quoted(template[end:begin])}({part})"
                end = position + 1
    if level != 0:
        raise BuiltinError(f'unbalanced braces in "{template}"')
    return f"{pattern}{_quoted(template[end:])}$"


def _quoted(text: str) -> str:
    quoted: str = _re2.RE2.QuoteMeta(octets(text)).decode()
    return quoted


_MATCH = {"pattern": STRING, "value": STRING}
_RESULT = {"result": BOOLEAN}

BUILTINS: tuple[Builtin, ...] = (
    declare("regex.match", _MATCH, _RESULT, match),
    declare("re_match", (STRING, STRING), BOOLEAN, match, deprecated=True),
    declare("regex.is_valid", {"pattern": STRING}, _RESULT, is_valid),
    declare("regex.find_n", _MATCH | {"number": NUMBER}, {"output": STRINGS}, find_n, needs_context=True),
    declare(
        "regex.find_all_string_submatch_n",
        _MATCH | {"number": NUMBER},
        {"output": ArrayOf(STRINGS)},
        find_all_string_submatch_n,
        needs_context=True,
    ),
    declare("regex.split", _MATCH, {"output": STRINGS}, split, needs_context=True),
    declare(
        "regex.replace",
        {"s": STRING, "pattern": STRING, "value": STRING},
        {"output": STRING},
        replace,
        needs_context=True,
    ),
    declare(
        "regex.template_match",
        {"template": STRING, "value": STRING, "delimiter_start": STRING, "delimiter_end": STRING},
        _RESULT,
        template_match,
    ),
)
