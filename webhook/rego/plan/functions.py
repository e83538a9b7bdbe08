"""Which functions a policy's plan consists of, each planned once per record of mocks.

Owns names of functions and the queue of those still to be planned. Must not know what is in them.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TypeAlias

import msgspec

from webhook.rego import ir
from webhook.rego.plan.mocks import NO_MOCKS, Mocks
from webhook.rego.plan.reach import Reaches
from webhook.rego.resolve.shapes import Path, ResolvedRule, path_text
from webhook.rego.resolve.tree import RuleNode
from webhook.rego.texts import quote

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

    def arguments(self, values: tuple[ir.Operand, ...]) -> tuple[ir.Operand, ...]:
        """Give what comes before a call's own arguments: the documents, and the mocked `values` if it takes them."""
        return (ir.INPUT, ir.DATA, *values) if self.mocks.variables else (ir.INPUT, ir.DATA)


class FunctionTable:
    """The functions asked for so far."""

    def __init__(self, tree: Node) -> None:
        self._reaches = Reaches(tree)
        self._requests: dict[tuple[Purpose, Path, Pattern, Mocks], Request] = {}
        self._generations: dict[Mocks, int] = {NO_MOCKS: 0}
        self.pending: deque[Request] = deque()
        """Functions that are called and not yet planned."""

    def generation(self, mocks: Mocks) -> str:
        """Give the prefix of functions planned under a record: `g0` without mocks."""
        return f"g{self._generations.setdefault(mocks, len(self._generations))}"

    def rules(self, node: Node, mocks: Mocks, *, exactly: bool = False) -> Request:
        """Ask for the function for the rules at a node, under all mocks if `exactly`, else those that matter to it."""
        return self._request(Purpose.RULES, node, (), mocks, exactly=exactly)

    def extent(self, node: Node, pattern: Pattern, mocks: Mocks) -> Request:
        """Ask for the function for a package's document."""
        return self._request(Purpose.EXTENT, node, pattern, mocks)

    def _request(
        self, purpose: Purpose, node: Node, pattern: Pattern, mocks: Mocks, *, exactly: bool = False
    ) -> Request:
        if not exactly and mocks is not NO_MOCKS:
            mocks = mocks.within(self._reaches.of(node))
        key = (purpose, node.path, pattern, mocks)
        request = self._requests.get(key)
        if request is None:
            generation = self.generation(mocks)
            name = f"{generation}.{path_text(node.path)}"
            path: Path = (generation, *node.path)
            if purpose is Purpose.EXTENT:
                name += (
                    "".join(f"[{quote(segment) if segment is not None else '_'}]" for segment in pattern)
                    + "[]"
                )
                path = ()
            request = self._requests[key] = Request(name, purpose, node, pattern, mocks, path)
            self.pending.append(request)
        return request
