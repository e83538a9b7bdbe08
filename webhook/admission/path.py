"""Places inside an object: parsed from what policies write, rendered as Kubernetes does.

Must not know which fields exist.
"""

import re
from collections.abc import Iterable
from typing import TypeAlias

FieldPath: TypeAlias = tuple[str | int, ...]
"""Keys and list indices from the root of an object; empty for the object itself."""

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_DOTTED_SEGMENT = re.compile(
    r"""\.?(?P<key>[^.\[\]]+)            # spec
      | \[(?P<index>\d+)\]               # [0]
      | \[(?P<quote>["'])(?P<quoted>.*?)(?P=quote)\]   # ["a.b/c"]
      | \[(?P<bare>[^\]]*)\]             # [a.b/c], as Kubernetes writes it
    """,
    re.VERBOSE,
)


def parse_path(value: object) -> FieldPath | None:
    """Read a path from a list of keys and indices, a JSON pointer or a dotted string; None for anything else."""
    if isinstance(value, str):
        return parse_pointer(value) if value.startswith("/") else _parse_dotted(value)
    if isinstance(value, list | tuple):
        return _parse_segments(value)
    return None


def parse_pointer(pointer: str) -> FieldPath:
    """Read a JSON pointer (RFC 6901); segments that are numbers become indices."""
    return tuple(
        int(segment) if _is_index(segment) else unescape_segment(segment)
        for segment in pointer.split("/")[1:]
    )


def render_path(path: FieldPath) -> str:
    """Write a path as Kubernetes does: `spec.containers[0].env[3]`, `metadata.annotations[a.b/c]`."""
    parts: list[str] = []
    for segment in path:
        if isinstance(segment, str) and _PLAIN_KEY.fullmatch(segment):
            parts.append(f".{segment}" if parts else segment)
        else:
            parts.append(f"[{segment}]")
    return "".join(parts)


def render_pointer(path: FieldPath) -> str:
    """Write a path as a JSON pointer (RFC 6901)."""
    return "".join(f"/{escape_segment(str(segment))}" for segment in path)


def escape_segment(segment: str) -> str:
    """Escape one segment of a JSON pointer."""
    return segment.replace("~", "~0").replace("/", "~1")


def unescape_segment(segment: str) -> str:
    """Undo `escape_segment`."""
    return segment.replace("~1", "/").replace("~0", "~")


def _is_index(segment: str) -> bool:
    """Tell whether a pointer's segment is an index: leading zeros are not allowed there."""
    return segment.isascii() and segment.isdigit() and (segment == "0" or segment[0] != "0")


def _parse_segments(segments: Iterable[object]) -> FieldPath | None:
    path: list[str | int] = []
    for segment in segments:
        if isinstance(segment, float) and segment.is_integer():
            path.append(int(segment))  # an engine that knows floats only
        elif isinstance(segment, str | int) and not isinstance(segment, bool):
            path.append(segment)
        else:
            return None
    return tuple(path)


def _parse_dotted(text: str) -> FieldPath | None:
    path: list[str | int] = []
    position = 0
    while position < len(text):
        found = _DOTTED_SEGMENT.match(text, position)
        if found is None:
            return None
        if found["index"] is not None:
            path.append(int(found["index"]))
        else:
            path.append(
                next(part for part in (found["key"], found["quoted"], found["bare"]) if part is not None)
            )
        position = found.end()
    return tuple(path)
