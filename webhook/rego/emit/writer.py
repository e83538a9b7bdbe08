"""Lines of Python source with their indentation and the policy statement each one comes from.

Knows nothing of statements.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from webhook.rego.errors import Location

_INDENT = "    "


class Writer:
    """Collects source lines."""

    __slots__ = ("depth", "lines", "location", "locations")

    def __init__(self, depth: int = 0) -> None:
        self.lines: list[str] = []
        self.locations: list[Location | None] = []
        """For each line, the place in the policy that it was generated from."""
        self.location: Location | None = None
        """The place that the next lines are generated from."""
        self.depth = depth

    def line(self, text: str) -> None:
        """Add one line at the current depth."""
        self.lines.append(_INDENT * self.depth + text)
        self.locations.append(self.location)

    @contextlib.contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Add a compound statement's header; what is added within the context is its suite."""
        depth = self.depth
        self.line(header)
        self.depth += 1
        yield
        self.close(depth)

    def close(self, depth: int) -> None:
        """Return to a depth, after completing a compound statement that has no suite yet."""
        if self.depth > depth and self.lines[-1].endswith(":"):
            self.line("pass")
        self.depth = depth

    def extend(self, other: Writer) -> None:
        """Add the lines of another writer as they are."""
        self.lines += other.lines
        self.locations += other.locations
