"""Which rules use which, in what order they can be checked, and which use themselves.

Owns OPA's message on recursion. Must not know what rules compute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from webhook.rego.ast import Body, Call, Every, Expr, Ref, Term, children
from webhook.rego.resolve.findings import Findings
from webhook.rego.resolve.shapes import SCALARS, ResolvedRule, is_data
from webhook.rego.resolve.text import path_text
from webhook.rego.resolve.tree import RuleNode

_Node: TypeAlias = RuleNode[ResolvedRule]


class RuleGraph:
    """The dependencies between paths with rules."""

    def __init__(self, tree: _Node) -> None:
        self._tree = tree
        self._nodes = [node for node in tree.descend() if node.rules]
        self._edges: dict[int, list[_Node]] = {}
        self._reached: dict[tuple[object, ...], list[_Node]] = {}
        for node in self._nodes:
            found: dict[int, _Node] = {}
            for rule in node.rules:
                for used in self._used(rule):
                    found[id(used)] = used
            self._edges[id(node)] = list(found.values())

    def _used(self, rule: ResolvedRule) -> Iterator[_Node]:
        for clause in rule.clauses:
            for term in (clause.value, *clause.keys):
                yield from self._in_term(term)
            yield from self._in_body(clause.body)

    def _in_body(self, body: Body) -> Iterator[_Node]:
        for expr in body:
            yield from self._in_expression(expr)

    def _in_expression(self, expr: Expr) -> Iterator[_Node]:
        terms = expr.terms
        if isinstance(terms, Call):
            if terms.operator.path:
                yield from self._reachable(terms.operator)
            for argument in terms.args:
                yield from self._in_term(argument)
        elif isinstance(terms, Every):
            yield from self._in_body(terms.body)
        else:
            yield from self._in_term(terms)
        for replacement in expr.replacements:
            yield from self._in_term(replacement.target)
            yield from self._in_term(replacement.value)

    def _in_term(self, term: object) -> Iterator[_Node]:
        if type(term) in SCALARS:
            return
        if isinstance(term, Expr):
            yield from self._in_expression(term)
            return
        if isinstance(term, Ref) and is_data(term):
            yield from self._reachable(term)
        if isinstance(term, Term):
            for child in children(term):
                yield from self._in_term(child)

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
        """Note every path whose rules use themselves, however indirectly."""
        suspects = self._cyclic()
        for node in self._nodes:
            if id(node) not in suspects:
                continue
            path = self._path_to_itself(node)
            if path:
                name = path_text(node.path)
                steps = " -> ".join(path_text(step.path) for step in path)
                findings.recursion(f"rule {name} is recursive: {steps}", node.rules[0].location)

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

    def _path_to_itself(self, start: _Node) -> list[_Node]:
        """Give the shortest way from a node back to it, both ends included; empty when there is none."""
        came_from: dict[int, _Node] = {}
        pending = deque([start])
        while pending:
            node = pending.popleft()
            for used in self._edges[id(node)]:
                if used is start:
                    path = [start]
                    step = node
                    while step is not start:
                        path.append(step)
                        step = came_from[id(step)]
                    return [start, *reversed(path[1:]), start]
                if id(used) not in came_from:
                    came_from[id(used)] = node
                    pending.append(used)
        return []
