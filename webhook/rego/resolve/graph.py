"""Which rules use which, in what order they can be checked, and which use themselves.

Owns OPA's message on recursion. Must not know what rules compute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from webhook.rego.ast import Ref
from webhook.rego.errors import Location
from webhook.rego.resolve.findings import Findings
from webhook.rego.resolve.shapes import Clause, ResolvedRule, path_text
from webhook.rego.resolve.text import segment_text
from webhook.rego.resolve.tree import RuleNode
from webhook.rego.resolve.usage import Usage

_Node: TypeAlias = RuleNode[ResolvedRule]


class _User(msgspec.Struct, frozen=True, gc=False):
    """A body, and the paths with rules that it uses."""

    location: Location
    used: tuple[_Node, ...]


class RuleGraph:
    """The dependencies between paths with rules."""

    def __init__(self, tree: _Node) -> None:
        self._tree = tree
        self._nodes = [node for node in tree.descend() if node.rules]
        self._users: dict[int, list[_User]] = {}
        self._edges: dict[int, list[_Node]] = {}
        self._reached: dict[tuple[object, ...], list[_Node]] = {}
        for node in self._nodes:
            users = [self._user(clause) for rule in node.rules for clause in rule.clauses]
            self._users[id(node)] = users
            found = {id(used): used for user in users for used in user.used}
            self._edges[id(node)] = list(found.values())

    def _user(self, clause: Clause) -> _User:
        found = {id(used): used for ref in Usage((clause,)).refs for used in self._reachable(ref)}
        return _User(clause.location, tuple(found.values()))

    def _reachable(self, ref: Ref) -> list[_Node]:
        key = tuple(part.value if hasattr(part, "value") else None for part in ref.path)
        found = self._reached.get(key)
        if found is None:
            found = self._reached[key] = list(self._tree.reachable(ref))
        return found

    def ordered(self) -> list[_Node]:
        """Give the paths with rules, each after those it uses."""
        result: list[_Node] = []
        done: set[int] = set()
        for start in self._nodes:
            pending = [(start, iter(self._edges[id(start)]))]
            if id(start) in done:
                continue
            done.add(id(start))
            while pending:
                node, edges = pending[-1]
                following = next((used for used in edges if id(used) not in done), None)
                if following is None:
                    result.append(node)
                    pending.pop()
                else:
                    done.add(id(following))
                    pending.append((following, iter(self._edges[id(following)])))
        return result

    def check_recursion(self, findings: Findings) -> None:
        """Note every body through which a rule uses itself, however indirectly."""
        suspects = self._cyclic()
        for node in self._nodes:
            if id(node) not in suspects:
                continue
            for user in self._users[id(node)]:
                path = self._path_back(node, user)
                if path:
                    steps = " -> ".join(map(_rule_text, path))
                    message = f"rule {_rule_text(node)} is recursive: {steps}"
                    findings.recursion(message, user.location)

    def _cyclic(self) -> set[int]:
        """Give the nodes left when all that lead nowhere are taken away, repeatedly."""
        users: dict[int, list[int]] = {identity: [] for identity in self._edges}
        open_edges = {}
        for identity, edges in self._edges.items():
            open_edges[identity] = len(edges)
            for used in edges:
                users[id(used)].append(identity)
        free = [identity for identity, count in open_edges.items() if not count]
        while free:
            for user in users[free.pop()]:
                open_edges[user] -= 1
                if not open_edges[user]:
                    free.append(user)
        return {identity for identity, count in open_edges.items() if count}

    def _path_back(self, start: _Node, user: _User) -> list[_Node]:
        """Give the shortest way from one body of a node back to it, both ends included; empty without one."""
        came_from: dict[int, _Node] = {}
        pending: deque[tuple[_Node, Iterable[_Node]]] = deque([(start, user.used)])
        while pending:
            node, edges = pending.popleft()
            for used in edges:
                if used is start:
                    path = [start]
                    while node is not start:
                        path.append(node)
                        node = came_from[id(node)]
                    return [*path[:1], *reversed(path[1:]), start]
                if id(used) not in came_from:
                    came_from[id(used)] = node
                    pending.append((used, self._edges[id(used)]))
        return []


def _rule_text(node: _Node) -> str:
    return path_text(node.path) + "".join(map(segment_text, node.rules[0].keys))
