"""Coverage: which statements, rules and lines of some modules ran.

Owns what counts as coverable, as in OPA: every statement of a body but declarations, and the head of every rule and
`else`, which counts when its body has held. Must not know how the places that ran were noted, nor how a report is
printed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from webhook.rego.ast import Expr, Head, Module, Node, Rule, SomeDecl, String, Term, Var, children
from webhook.rego.errors import Location


class LineRange(msgspec.Struct, frozen=True):
    """Adjacent lines; both ends belong to it."""

    start: int
    end: int


class RuleCoverage(msgspec.Struct, frozen=True):
    """One rule of a file."""

    name: str
    location: Location
    covered: bool
    """Whether it gave a value at least once."""
    statements: int
    """Count of its coverable parts: heads and statements."""
    covered_statements: int


class FileCoverage(msgspec.Struct, frozen=True):
    """One file; a line is covered when any part that begins on it is."""

    path: str
    covered: tuple[LineRange, ...]
    not_covered: tuple[LineRange, ...]
    rules: tuple[RuleCoverage, ...]

    @property
    def covered_lines(self) -> int:
        """Count of the covered lines."""
        return _count(self.covered)

    @property
    def not_covered_lines(self) -> int:
        """Count of the coverable lines that are not covered."""
        return _count(self.not_covered)

    @property
    def percent(self) -> float:
        """Share of covered lines among the coverable ones; 0 when there are none."""
        return _percent(self.covered_lines, self.not_covered_lines)


class Coverage(msgspec.Struct, frozen=True):
    """All files, by path."""

    files: tuple[FileCoverage, ...]

    @property
    def covered_lines(self) -> int:
        """Count of the covered lines."""
        return sum(file.covered_lines for file in self.files)

    @property
    def not_covered_lines(self) -> int:
        """Count of the coverable lines that are not covered."""
        return sum(file.not_covered_lines for file in self.files)

    @property
    def percent(self) -> float:
        """Share of covered lines among the coverable ones; 0 when there are none."""
        return _percent(self.covered_lines, self.not_covered_lines)


def measure(modules: Sequence[Module], ran: Iterable[Location]) -> Coverage:
    """Report on modules, given the place of everything that ran at least once."""
    places: dict[str, set[Location]] = {}
    for location in ran:
        places.setdefault(location.file, set()).add(location)
    files = [_measure_file(module, places.get(module.source.path, set())) for module in modules]
    return Coverage(tuple(sorted(files, key=lambda file: file.path)))


def _measure_file(module: Module, ran: set[Location]) -> FileCoverage:
    offsets = sorted(location.offset for location in ran)
    covered: set[int] = set()
    coverable: set[int] = set()
    rules = []
    for rule in module.rules:
        parts = [(head.row, head in ran) for head in _results(rule)]
        gave_value = any(hit for _, hit in parts)
        for place in _statements(rule):
            position = bisect_left(offsets, place.offset)
            parts.append((place.row, position < len(offsets) and offsets[position] < place.end))
        coverable.update(row for row, _ in parts)
        covered.update(row for row, hit in parts if hit)
        hits = sum(hit for _, hit in parts)
        rules.append(RuleCoverage(rule_name(rule.head), rule.location, gave_value, len(parts), hits))
    return FileCoverage(module.source.path, _ranges(covered), _ranges(coverable - covered), tuple(rules))


def _results(rule: Rule) -> Iterator[Location]:
    """Give the places of what the rule and its branches yield."""
    yield result_location(rule.head)
    for branch in rule.otherwise:
        yield branch.value.location


def result_location(head: Head) -> Location:
    """Give the place of the value or element that a head yields: of the head itself when none is written."""
    result: Term | None = head.key if head.key is not None else head.value
    return head.location if result is None else result.location


def _statements(rule: Rule) -> Iterator[Location]:
    """Give the place of every statement of a rule, those within comprehensions and `every` included."""
    pending: list[Node] = [rule]
    while pending:
        node = pending.pop()
        # A statement without a place was put in by a tool.
        if isinstance(node, Expr) and not isinstance(node.terms, SomeDecl) and node.location.row:
            yield node.location
        pending.extend(children(node))


def rule_name(head: Head) -> str:
    """Give a rule's reference as text, with `[…]` for what is no constant name."""
    parts = [head.name]
    for segment in head.ref.path:
        if isinstance(segment, String):
            parts.append(f".{segment.value}" if segment.value.isidentifier() else f'["{segment.value}"]')
        else:
            parts.append(f"[{segment.name}]" if isinstance(segment, Var) else "[…]")
    return "".join(parts)


def _ranges(rows: set[int]) -> tuple[LineRange, ...]:
    ranges: list[LineRange] = []
    for row in sorted(rows):
        if ranges and ranges[-1].end == row - 1:
            ranges[-1] = LineRange(ranges[-1].start, row)
        else:
            ranges.append(LineRange(row, row))
    return tuple(ranges)


def _count(ranges: Iterable[LineRange]) -> int:
    return sum(found.end - found.start + 1 for found in ranges)


def _percent(covered: int, not_covered: int) -> float:
    total = covered + not_covered
    return 100 * covered / total if total else 0.0
