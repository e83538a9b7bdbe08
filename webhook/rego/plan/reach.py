"""What the rules at a path depend on, directly or through other rules.

Owns the answer to whether a replacement can make a difference to them. Must not know replacements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from webhook.rego.ast import Ref
from webhook.rego.resolve.shapes import Path, ResolvedRule, path_of, path_text
from webhook.rego.resolve.tree import RuleNode
from webhook.rego.resolve.usage import Usage

_Node: TypeAlias = RuleNode[ResolvedRule]


class Reach(msgspec.Struct, frozen=True):
    """Functions that may be called, and parts of `data` that may be read."""

    functions: frozenset[str]
    paths: frozenset[Path]
    """Constant beginnings of the references; nothing is known of what comes after."""

    def touches(self, path: Path) -> bool:
        """Tell whether a part of `data`, or something in it or around it, may be read."""
        return any(read[: len(path)] == path or path[: len(read)] == read for read in self.paths)


class Reaches:
    """The reach of every path of a tree, found when it is asked for."""

    def __init__(self, tree: _Node) -> None:
        self._tree = tree
        self._known: dict[Path, Reach] = {}

    def of(self, node: _Node) -> Reach:
        """Give the reach of the rules at a node and below it."""
        known = self._known.get(node.path)
        if known is None:
            known = self._known[node.path] = _gather(self._around(node))
        return known

    def _around(self, start: _Node) -> Iterator[_Node]:
        """Give a node, those below it, and those that these use, each once."""
        pending = [node for node in start.descend() if node.rules]
        seen = {id(node) for node in pending}
        while pending:
            node = pending.pop()
            yield node
            for ref in _usage(node).refs:
                for used in self._tree.reachable(ref):
                    if id(used) not in seen:
                        seen.add(id(used))
                        pending.append(used)


def _usage(node: _Node) -> Usage:
    return Usage(clause for rule in node.rules for clause in rule.clauses)


def _gather(nodes: Iterable[_Node]) -> Reach:
    functions: set[str] = set()
    refs: list[Ref] = []
    paths: set[Path] = set()
    for node in nodes:
        usage = _usage(node)
        functions |= usage.builtins
        refs += usage.refs
        paths.add(node.path)
    for ref in refs:
        path = path_of(ref)
        paths.add(path)
        if len(path) == len(ref.path):
            functions.add(path_text(path))
    return Reach(frozenset(functions), frozenset(paths))
