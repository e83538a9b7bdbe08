"""The tree of packages and rules: what stands at each path below `data`.

Owns lookup, exact and by a reference with unknown segments. Must not know how rules are written or evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from webhook.rego.ast import Ref, String
from webhook.rego.resolve.shapes import SCALARS, Path

RuleT = TypeVar("RuleT")


@dataclass(slots=True, eq=False)
class RuleNode(Generic[RuleT]):
    """One path of the tree, with the rules whose ground prefix it is."""

    path: Path
    rules: list[RuleT] = field(default_factory=list)
    children: dict[str, RuleNode[RuleT]] = field(default_factory=dict)

    def descend(self) -> Iterator[RuleNode[RuleT]]:
        """Give this node and every one below it."""
        pending = [self]
        while pending:
            node = pending.pop()
            yield node
            pending.extend(reversed(node.children.values()))

    def find(self, path: Path) -> RuleNode[RuleT] | None:
        """Find the node at a path relative to this one."""
        node = self
        for segment in path:
            child = node.children.get(segment)
            if child is None:
                return None
            node = child
        return node

    def make(self, path: Path) -> RuleNode[RuleT]:
        """Find the node at a path relative to this one, adding what is missing."""
        node = self
        for segment in path:
            child = node.children.get(segment)
            if child is None:
                child = node.children[segment] = RuleNode((*node.path, segment))
            node = child
        return node

    def reachable(self, ref: Ref) -> Iterator[RuleNode[RuleT]]:
        """Give the nodes with rules that a reference below `data` may read, whatever its variables hold."""
        level = [self]
        for segment in ref.path:
            if type(segment) is String:
                level = [node.children[segment.value] for node in level if segment.value in node.children]
            elif type(segment) in SCALARS:
                level = []
            else:
                level = [child for node in level for child in node.children.values()]
            yield from (node for node in level if node.rules)
        for node in level:
            yield from (below for below in node.descend() if below.rules and below is not node)
