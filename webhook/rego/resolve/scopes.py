"""The variables a rule declares, scope within scope, and the rules of declaring them.

Owns unique names and OPA's messages about declarations. Must not know terms or modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from webhook.rego.errors import Location
from webhook.rego.resolve.shapes import OWN_NAME_MARK


class Occurrence(Enum):
    """How a name came into a scope; the value completes OPA's message when it is declared again."""

    ARGUMENT = "arg {} redeclared"
    SEEN = "var {} referenced above"
    ASSIGNED = "var {} assigned above"
    DECLARED = "var {} declared above"


@dataclass(slots=True)
class Declaration:
    """One name in one scope."""

    unique: str
    """What the name is called from here on; a name that was only seen keeps its own."""
    occurrence: Occurrence
    location: Location
    uses: int = 0


class NameSource:
    """Makes names that no other variable of the compilation has."""

    def __init__(self, mark: str = "") -> None:
        self._next = 0
        self._mark = mark

    def unique(self, name: str = "") -> str:
        """Give a new name; without `name` it is the compiler's own and never shown."""
        self._next += 1
        return f"{name}{OWN_NAME_MARK}{self._mark}{self._next}"


class Scopes:
    """The stack of scopes at one place of a rule."""

    def __init__(self, names: NameSource) -> None:
        self._names = names
        self._frames: list[dict[str, Declaration]] = [{}]

    def fork(self) -> Scopes:
        """Give an independent copy, for the next `else` of a rule."""
        copy = Scopes(self._names)
        copy._frames = [dict(frame) for frame in self._frames]
        return copy

    def push(self) -> None:
        """Enter a body that is a scope of its own."""
        self._frames.append({})

    def pop(self) -> None:
        """Leave the innermost scope."""
        self._frames.pop()

    def declare(self, name: str, occurrence: Occurrence, location: Location) -> str | Occurrence:
        """Give the unique name of a newly declared variable, or how the scope has known the name before."""
        frame = self._frames[-1]
        known = frame.get(name)
        if known is not None:
            return known.occurrence
        unique = self._names.unique(name)
        frame[name] = Declaration(unique, occurrence, location)
        return unique

    def declared(self, name: str) -> Declaration | None:
        """Find a name that was declared, not merely seen."""
        for frame in reversed(self._frames):
            found = frame.get(name)
            if found is not None:
                return None if found.occurrence is Occurrence.SEEN else found
        return None

    def use(self, name: str, location: Location) -> str:
        """Give what a name stands for, noting that it was used; an unknown one is seen for the first time."""
        for frame in reversed(self._frames):
            found = frame.get(name)
            if found is not None:
                found.uses += 1
                return found.unique
        self._frames[-1][name] = Declaration(name, Occurrence.SEEN, location, 1)
        return name

    def unused(self, occurrence: Occurrence) -> Iterator[tuple[str, Location]]:
        """Give the variables of the innermost scope that came in one way and were never used."""
        for name, declaration in self._frames[-1].items():
            if declaration.occurrence is occurrence and not declaration.uses:
                yield name, declaration.location
