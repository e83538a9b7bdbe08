"""Which functions a policy's plan consists of, each planned once per record of mocks.

Owns names of functions and the queue of those still to be planned. Must not know what is in them.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TypeAlias

import msgspec

from webhook.rego.plan.mocks import NO_MOCKS, Mocks
from webhook.rego.resolve.shapes import Path, ResolvedRule
from webhook.rego.resolve.tree import RuleNode

Node: TypeAlias = RuleNode[ResolvedRule]
Pattern: TypeAlias = tuple[str | None, ...]
"""Segments that the rest of a reference goes through; `None` stands for any."""


class Purpose(Enum):
    """What a planned function computes."""

    RULES = "rules"
    """The document or function that the rules at one path define."""
    EXTENT = "extent"
    """A package's document: its rules and base documents, as far as a pattern reaches."""


class Request(msgspec.Struct, frozen=True):
    """A function that something calls."""

    name: str
    purpose: Purpose
    node: Node
    pattern: Pattern
    mocks: Mocks
    path: Path
    """How `CallDynamic` finds it; empty when it cannot."""


class FunctionTable:
    """The functions asked for so far."""

    def __init__(self) -> None:
        self._names: dict[tuple[Purpose, Path, Pattern, Mocks], str] = {}
        self._generations: dict[Mocks, int] = {NO_MOCKS: 0}
        self.pending: deque[Request] = deque()
        """Functions that are called and not yet planned."""

    def generation(self, mocks: Mocks) -> str:
        """Give the prefix of functions planned under a record: `g0` without mocks."""
        return f"g{self._generations.setdefault(mocks, len(self._generations))}"

    def rules(self, node: Node, mocks: Mocks) -> str:
        """Give the name of the function for the rules at a node."""
        return self._request(Purpose.RULES, node, (), mocks)

    def extent(self, node: Node, pattern: Pattern, mocks: Mocks) -> str:
        """Give the name of the function for a package's document."""
        return self._request(Purpose.EXTENT, node, pattern, mocks)

    def _request(self, purpose: Purpose, node: Node, pattern: Pattern, mocks: Mocks) -> str:
        key = (purpose, node.path, pattern, mocks)
        name = self._names.get(key)
        if name is None:
            generation = self.generation(mocks)
            name = ".".join((generation, "data", *node.path))
            path: Path = (generation, *node.path)
            if purpose is Purpose.EXTENT:
                name += "".join(f".{segment or '*'}" for segment in pattern) + "[]"
                path = ()
            self._names[key] = name
            self.pending.append(Request(name, purpose, node, pattern, mocks, path))
        return name
