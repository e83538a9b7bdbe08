"""Walking: `graph.reachable`, `graph.reachable_paths` and the relation `walk`."""

from typing import Any

from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import MAX_ITEMS, LimitError, limit_items, wrong_type
from webhook.rego.builtins.signatures import ANY, ARRAY, SET, ArrayOf, ObjectOf, OneOf, SetOf, Type
from webhook.rego.values import RegoObject, RegoSet, key_of, scan

_REACHED_BETWEEN_CHECKS = 1_000
"""Vertices that are reached between two looks at the clock."""
_COPIED_BETWEEN_CHECKS = 10_000
"""Values that `walk` lists, and steps of their paths, between two looks at the clock: paths may be long."""


def walk(context: EvaluationContext, document: Any) -> list[list[Any]]:
    """List every value within a document as [path, value], from the outside in, in OPA's order."""
    answers: list[list[Any]] = []
    pending: list[tuple[list[Any], Any]] = [([], document)]
    copied = 0
    while pending:
        path, value = pending.pop()
        answers.append([path, value])
        children = [([*path, key], child) for key, child in scan(value)]
        copied += 1 + len(children) * len(path)
        if copied > _COPIED_BETWEEN_CHECKS:
            copied = 0
            context.check()
        limit_items(2 * (len(answers) + len(pending) + len(children)))
        pending.extend(reversed(children))
    return answers


def reachable(context: EvaluationContext, graph: Any, initial: Any) -> RegoSet:
    """Give the vertices of a graph, an object from vertex to neighbours, that can be reached from the initial ones."""
    _check(graph, initial)
    found: dict[Any, Any] = {}
    pending = [(key_of(vertex), vertex) for vertex in initial]
    while pending:
        key, vertex = pending.pop()
        if key in found or key not in graph:
            continue
        found[key] = vertex
        if len(found) % _REACHED_BETWEEN_CHECKS == 0:
            context.check()
        pending.extend((key_of(neighbour), neighbour) for neighbour in _vertices(graph[key]))
    return RegoSet(found.values())


def reachable_paths(graph: Any, initial: Any) -> RegoSet:
    """Give the paths through a graph from the initial vertices to where nothing new follows."""
    _check(graph, initial)
    paths = _Paths(graph)
    for vertex in initial:
        paths.begin(vertex)
    return RegoSet(paths.found)


class _Paths:
    """The paths through a graph found so far; their number can grow with the factorial of the graph's size."""

    __slots__ = ("_graph", "_work", "found")

    def __init__(self, graph: RegoObject) -> None:
        self._graph = graph
        self._work = 0
        self.found: list[list[Any]] = []
        """Some of them several times."""

    def begin(self, vertex: Any) -> None:
        """Find the paths from an initial vertex."""
        key = key_of(vertex)
        if key not in self._graph:
            return
        neighbours = _vertices(self._graph[key])
        if not neighbours:
            self._add([vertex])
        for neighbour in neighbours:
            self._extend(neighbour, [vertex], {key})

    def _extend(self, vertex: Any, path: list[Any], passed: set[Any]) -> None:
        """Find the paths that go on from `path` through `vertex`; a vertex outside the graph ends one.

        As in OPA 1.10, what one path has `passed` cuts short those found after it.
        """
        key = key_of(vertex)
        if key not in self._graph:
            self._add(path)
            return
        path = [*path, vertex]
        neighbours = _vertices(self._graph[key])
        self._charge(len(path) + len(neighbours))
        passed.add(key)
        ends = not neighbours
        for neighbour in neighbours:
            if key_of(neighbour) in passed:
                ends = True
            else:
                self._extend(neighbour, path, passed)
        if ends:
            self._add(path)

    def _add(self, path: list[Any]) -> None:
        self._charge(len(path))
        self.found.append(path)

    def _charge(self, work: int) -> None:
        self._work += work
        if self._work > MAX_ITEMS:
            raise LimitError("graph.reachable_paths: too many or too long paths")


def _check(graph: Any, initial: Any) -> None:
    if type(graph) is not dict:
        raise wrong_type(1, graph, "object")
    if type(initial) is not list and type(initial) is not RegoSet:
        raise wrong_type(2, initial, "{array, set}")


def _vertices(edges: Any) -> list[Any]:
    return list(edges) if type(edges) is list or type(edges) is RegoSet else []


_VERTICES = OneOf((SET, ARRAY))
_ARGUMENTS: dict[str, Type] = {"graph": ObjectOf(ANY, _VERTICES), "initial": _VERTICES}

BUILTINS: tuple[Builtin, ...] = (
    declare(
        "walk", {"x": ANY}, {"output": ArrayOf(None, (ARRAY, ANY))}, walk, needs_context=True, relation=True
    ),
    declare("graph.reachable", _ARGUMENTS, {"output": SET}, reachable, needs_context=True),
    declare("graph.reachable_paths", _ARGUMENTS, {"output": SetOf(ARRAY)}, reachable_paths),
)
