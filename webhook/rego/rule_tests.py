"""Unit tests written in Rego: which rules are tests, and what has to be done to modules before they run.

Owns OPA's conventions: the prefixes `test_` and `todo_test_`, rules of one name as tests of their own, and named cases
(`test_x[name] if { some name, case in … }`). Must not know how tests are run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from webhook.rego.ast import (
    Array,
    Body,
    Boolean,
    Call,
    Expr,
    Module,
    Null,
    Number,
    Object,
    Ref,
    Rule,
    Set,
    String,
    Term,
    Var,
    variable_names,
)
from webhook.rego.errors import Location
from webhook.rego.resolve.shapes import path_text
from webhook.rego.values import RegoSet, Value, ordered_items

TEST_PREFIX: Final = "test_"
SKIPPED_PREFIX: Final = "todo_"

_NOTE_CASE: Final = Ref(Var("internal"), (String("test_case"),))


class RuleTest(msgspec.Struct, frozen=True):
    """One test rule, in the modules that `prepare` gives."""

    package: str
    """Reference of its package, such as `data.authz_test`."""
    name: str
    """Its name in the package; the second rule of a name has `#01` behind it."""
    location: Location
    skipped: bool
    """Whether it is still to be written (`todo_`)."""
    has_cases: bool
    """Whether its value is an object of named cases."""
    module: int
    """Position of its module."""
    rule: int
    """Position of its rule in the module."""

    segments: tuple[str, ...]
    """Its path below `data`."""

    @property
    def path(self) -> str:
        """The reference that evaluates it."""
        return path_text(self.segments)


def prepare(modules: Sequence[Module]) -> tuple[list[Module], list[RuleTest]]:
    """Find the tests of some modules; give the modules so changed that each test can be run on its own.

    A rule with a name that its package has used already gets a name of its own, and rules with named cases note each
    case that they come to, so that cases that fail are known.
    """
    tests: list[RuleTest] = []
    counts: dict[tuple[str, ...], int] = {}
    prepared = []
    for module_index, module in enumerate(modules):
        package = module.package.segments
        rules = []
        for rule_index, rule in enumerate(module.rules):
            segments = _test_segments(rule)
            if segments is None or rule.default:
                rules.append(rule)
                continue
            number = counts.get((*package, *segments), 0)
            counts[(*package, *segments)] = number + 1
            if number:
                segments = (*segments[:-1], f"{segments[-1]}#{number:02}")
            skipped = segments[-1].startswith(SKIPPED_PREFIX)
            cases = rule.head.ref.path[len(segments) - 1 :]
            tests.append(
                RuleTest(
                    package=path_text(package),
                    name=".".join(segments),
                    location=rule.location,
                    skipped=skipped,
                    has_cases=bool(cases),
                    module=module_index,
                    rule=rule_index,
                    segments=(*package, *segments),
                )
            )
            renamed = _with_name(rule, segments) if number else rule
            rules.append(_noting_cases(renamed, cases) if cases and not skipped else renamed)
        prepared.append(msgspec.structs.replace(module, rules=tuple(rules)))
    return prepared, tests


def _test_segments(rule: Rule) -> tuple[str, ...] | None:
    """Give the constant names of a rule up to the one that makes it a test."""
    segments: list[str] = []
    for segment in (rule.head.ref.head, *rule.head.ref.path):
        if isinstance(segment, Var) and not segments:
            name = segment.name
        elif isinstance(segment, String):
            name = segment.value
        else:
            return None
        segments.append(name)
        if name.startswith((TEST_PREFIX, SKIPPED_PREFIX + TEST_PREFIX)):
            return tuple(segments)
    return None


def _with_name(rule: Rule, segments: Sequence[str]) -> Rule:
    """Give the rule with other constant names in front."""
    ref = rule.head.ref
    head = Var(segments[0], location=ref.head.location)
    names = tuple(
        String(segment, location=old.location)
        for segment, old in zip(segments[1:], ref.path[: len(segments) - 1], strict=True)
    )
    renamed = Ref(head, names + ref.path[len(segments) - 1 :], location=ref.location)
    return msgspec.structs.replace(rule, head=msgspec.structs.replace(rule.head, ref=renamed))


def _noting_cases(rule: Rule, cases: tuple[Term, ...]) -> Rule:
    """Let a rule note the name of a case as soon as it is known, before anything can fail."""
    position = case_known_at(rule.body, cases)
    note = Expr(Call(_NOTE_CASE, (Array(cases),)))
    return msgspec.structs.replace(rule, body=(*rule.body[:position], note, *rule.body[position:]))


def case_known_at(body: Body, cases: tuple[Term, ...]) -> int:
    """Give the position in a body behind the first mention of every variable of the name of a case."""
    position = 0
    for name in set().union(*map(variable_names, cases)):
        mentions = (index for index, expr in enumerate(body) if name in variable_names(expr))
        position = max(position, next(mentions, -1) + 1)
    return position


def only_case(module: Module, test: RuleTest, name: Sequence[Value]) -> Module:
    """Give a prepared module whose test comes to no case but the one of this name."""
    rule = module.rules[test.rule]
    note = next(index for index, expr in enumerate(rule.body) if _is_note(expr))
    known: Term = rule.body[note].terms.args[0]  # type: ignore[union-attr]
    wanted = Expr(Call(Ref(Var("equal")), (known, term_of(list(name)))))
    body = (*rule.body[: note + 1], wanted, *rule.body[note + 1 :])
    narrowed = msgspec.structs.replace(rule, body=body)
    rules = (*module.rules[: test.rule], narrowed, *module.rules[test.rule + 1 :])
    return msgspec.structs.replace(module, rules=rules)


def _is_note(expr: Expr) -> bool:
    return isinstance(expr.terms, Call) and expr.terms.operator == _NOTE_CASE


def term_of(value: Value) -> Term:
    """Give the constant term that evaluates to a value."""
    if value is None:
        return Null()
    if isinstance(value, bool):
        return Boolean(value)
    if isinstance(value, int | float):
        return Number(repr(value))
    if isinstance(value, str):
        return String(value)
    if isinstance(value, dict):
        return Object(tuple((term_of(key), term_of(item)) for key, item in ordered_items(value)))
    if isinstance(value, RegoSet):
        return Set(tuple(map(term_of, value.ordered())))
    return Array(tuple(map(term_of, value)))
