"""Places inside an object: parsed from what policies write, rendered as Kubernetes does.

Must not know which fields exist.
"""

from typing import TypeAlias

FieldPath: TypeAlias = tuple[str | int, ...]
"""Keys and list indices from the root of an object; empty for the object itself."""


def parse_path(value: object) -> FieldPath | None:
    """Read a path from a list of keys and indices, a JSON pointer or a dotted string; None for anything else."""
    raise NotImplementedError


def render_path(path: FieldPath) -> str:
    """Write a path as Kubernetes does: `spec.containers[0].env[3]`, `metadata.annotations[a.b/c]`."""
    raise NotImplementedError


def render_pointer(path: FieldPath) -> str:
    """Write a path as a JSON pointer (RFC 6901)."""
    raise NotImplementedError
