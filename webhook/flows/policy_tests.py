"""The verb `test`: runs the unit tests among some policy files.

Owns what a test's outcome is, the time it may take, and the search for the statement that failed. Must not know how
results are printed.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.flows.policy_files import PolicyFiles, parse_sources
from webhook.ports.clock import Clock
from webhook.rego.ast import Module
from webhook.rego.budget import DEFAULT_STEPS, Budget
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.compiler import plan_entry_points, resolve_modules
from webhook.rego.cover import Coverage, measure, result_location
from webhook.rego.errors import CompileError, EvaluationError, Location
from webhook.rego.parser import VersionChoice
from webhook.rego.program import Program
from webhook.rego.resolve.resolution import Options, Resolution
from webhook.rego.rule_tests import RuleTest, only_case, prepare
from webhook.rego.texts import dump_json
from webhook.rego.values import UNDEFINED, RegoSet, Value, ordered_items
from webhook.rego.witnesses import Witness, stopping_place, text_at, with_witnesses, witnesses

MAX_EXPLAINED: Final = 50
"""Failures whose statement is searched for; each costs a compilation."""
_SECOND_NS: Final = 1_000_000_000
_OPTIONS: Final = Options(print_enabled=True)


class Outcome(enum.Enum):
    """How a test ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class WitnessedValue:
    """A part of the failed statement and the values it had."""

    text: str
    values: tuple[Value, ...]
    """Empty when it was undefined."""


@dataclass(frozen=True, slots=True)
class FailedStatement:
    """Where a test stopped."""

    location: Location
    text: str
    values: tuple[WitnessedValue, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One named case of a test."""

    name: tuple[str, ...]
    passed: bool
    failed_at: FailedStatement | None = None


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """What one test gave."""

    package: str
    name: str
    location: Location
    outcome: Outcome
    duration_ns: int = 0
    output: tuple[str, ...] = ()
    """Lines that `print` wrote."""
    error: str | None = None
    """Why the evaluation gave no answer."""
    failed_at: FailedStatement | None = None
    cases: tuple[CaseResult, ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """What all tests gave."""

    results: tuple[RuleTestResult, ...]
    duration_ns: int
    coverage: Coverage | None = None

    def count(self, outcome: Outcome) -> int:
        """Count the tests that ended so."""
        return sum(result.outcome is outcome for result in self.results)

    @property
    def passed(self) -> bool:
        """Whether no test failed or gave an error."""
        return not self.count(Outcome.FAIL) and not self.count(Outcome.ERROR)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How tests are chosen and run."""

    select: re.Pattern[str] | None = None
    """Only tests whose reference matches somewhere are run."""
    coverage: bool = False
    version: VersionChoice = "auto"
    strict_builtin_errors: bool = False
    timeout_seconds: float = 5.0
    """Longest time of one test."""


def run_policy_tests(files: PolicyFiles, options: RunOptions, clock: Clock) -> RunReport:
    """Run the tests among some files, in file order.

    Raises:
        CompileError: the modules do not compile.

    """
    started_ns = clock.monotonic_ns()
    modules, tests = prepare(parse_sources(files.sources, options.version))
    chosen = [test for test in tests if options.select is None or options.select.search(test.path)]
    run = _Run(modules, chosen, files.data, options, clock)
    results = tuple(run.result(test) for test in chosen)
    return RunReport(results, clock.monotonic_ns() - started_ns, run.coverage())


@dataclass(slots=True)
class _Evaluated:
    """What one evaluation left behind."""

    value: Value = UNDEFINED
    output: list[str] = field(default_factory=list)
    cases: list[list[Value]] = field(default_factory=list)
    """Names of the cases that were begun, in order."""
    error: str | None = None
    duration_ns: int = 0


class _Run:
    """One run of some tests of some modules."""

    def __init__(
        self,
        modules: list[Module],
        tests: Sequence[RuleTest],
        data: dict[str, Any],
        options: RunOptions,
        clock: Clock,
    ) -> None:
        self._modules = modules
        self._data = data
        self._options = options
        self._clock = clock
        self._now_ns = int(clock.now().timestamp() * _SECOND_NS)
        self._explained = 0
        self._resolution = self._resolve(modules)
        self._program = self._compile(
            self._resolution, [test.path for test in tests if not test.skipped], instrument=options.coverage
        )
        self._hits = bytearray(len(self._program.statements))

    def coverage(self) -> Coverage | None:
        """Report what the tests so far have covered, if that was asked for."""
        if not self._options.coverage:
            return None
        return measure(self._modules, _ran(self._program, self._hits))

    def result(self, test: RuleTest) -> RuleTestResult:
        """Run one test."""
        if test.skipped:
            return RuleTestResult(test.package, test.name, test.location, Outcome.SKIPPED)
        found = self._evaluate(self._program, test.path, self._hits if self._options.coverage else None)
        cases = self._cases(test, found) if test.has_cases and found.error is None else ()
        outcome = _outcome(test, found, cases)
        failed_at = None
        if outcome is Outcome.FAIL and not cases:
            failed_at = self._explain(test, self._modules, self._resolution)
        return RuleTestResult(
            test.package,
            test.name,
            test.location,
            outcome,
            found.duration_ns,
            tuple(found.output),
            found.error,
            failed_at,
            cases,
        )

    def _resolve(self, modules: list[Module]) -> Resolution:
        return resolve_modules(modules, options=_OPTIONS, data=self._data)

    def _compile(self, resolution: Resolution, paths: Sequence[str], *, instrument: bool = False) -> Program:
        return Program(
            plan_entry_points(resolution, paths),
            data=self._data,
            strict_builtin_errors=self._options.strict_builtin_errors,
            instrument=instrument,
        )

    def _evaluate(self, program: Program, path: str, hits: bytearray | None = None) -> _Evaluated:
        found = _Evaluated()
        context = EvaluationContext(self._now_ns, print_sink=found.output.append)
        started_ns = self._clock.monotonic_ns()
        deadline_ns = started_ns + int(self._options.timeout_seconds * _SECOND_NS)
        try:
            budget = Budget(DEFAULT_STEPS, deadline_ns, self._clock.monotonic_ns)
            results = program.query(path, budget=budget, context=context, hits=hits)
            found.value = results[0]["result"] if results else UNDEFINED
        except EvaluationError as error:
            found.error = str(error)
        found.duration_ns = self._clock.monotonic_ns() - started_ns
        found.cases = context.test_cases
        return found

    # -- Named cases --

    def _cases(self, test: RuleTest, found: _Evaluated) -> tuple[CaseResult, ...]:
        """Give every case: those that the value names, and those that were begun and are not in it."""
        results = {_case_name(keys): (keys, value is True) for keys, value in _leaves(found.value)}
        for keys in found.cases:
            name = _case_name(keys)
            if not any(known[: len(name)] == name for known in results):
                results[name] = (keys, False)
        return tuple(
            CaseResult(name, passed, None if passed else self._explain_case(test, keys))
            for name, (keys, passed) in results.items()
        )

    def _explain_case(self, test: RuleTest, name: list[Value]) -> FailedStatement | None:
        modules = self._modules.copy()
        modules[test.module] = only_case(modules[test.module], test, name)
        try:
            return self._explain(test, modules, self._resolve(modules))
        except CompileError:
            return None

    # -- The statement that failed --

    def _explain(
        self, test: RuleTest, modules: list[Module], resolution: Resolution
    ) -> FailedStatement | None:
        if self._explained >= MAX_EXPLAINED:
            return None
        self._explained += 1
        module = modules[test.module]
        rule = module.rules[test.rule]
        program = self._compile(resolution, [test.path], instrument=True)
        hits = bytearray(len(program.statements))
        self._evaluate(program, test.path, hits)
        ran = _ran(program, hits)
        if not rule.body or result_location(rule.head) in ran:
            # The body held, so it is the value that is not true.
            place = rule.head.location
            return FailedStatement(place, text_at(module, place), ())
        stop = stopping_place(rule, ran)
        place = stop.statement.location
        return FailedStatement(
            place, text_at(module, place), self._witnessed(test, modules, witnesses(module, stop))
        )

    def _witnessed(
        self, test: RuleTest, modules: list[Module], made: list[Witness]
    ) -> tuple[WitnessedValue, ...]:
        """Ask for the values of all witnesses, or of each one that compiles when not all do."""
        try:
            return self._ask(test, modules, made)
        except CompileError:
            pass
        values: list[WitnessedValue] = []
        for witness in made:
            try:
                values += self._ask(test, modules, [witness])
            except CompileError:
                continue
        return tuple(values)

    def _ask(self, test: RuleTest, modules: list[Module], made: list[Witness]) -> tuple[WitnessedValue, ...]:
        witnessed = with_witnesses(modules[test.module], made)
        resolution = self._resolve([*modules[: test.module], witnessed, *modules[test.module + 1 :]])
        paths = [f"{test.package}.{witness.name}" for witness in made]
        program = self._compile(resolution, paths)
        values = []
        for witness, path in zip(made, paths, strict=True):
            found = self._evaluate(program, path)
            if found.error is None:
                known = tuple(found.value.ordered()) if isinstance(found.value, RegoSet) else ()
                values.append(WitnessedValue(witness.text, known))
        return tuple(values)


def _outcome(test: RuleTest, found: _Evaluated, cases: tuple[CaseResult, ...]) -> Outcome:
    if found.error is not None:
        return Outcome.ERROR
    if test.has_cases:
        passed = found.value is not UNDEFINED and all(case.passed for case in cases)
    else:
        passed = found.value is True
    return Outcome.PASS if passed else Outcome.FAIL


def _leaves(value: Value, prefix: tuple[Value, ...] = ()) -> Iterator[tuple[list[Value], Value]]:
    """Yield what nested objects hold, each with its keys."""
    if not isinstance(value, dict):
        return
    for key, inner in ordered_items(value):
        if isinstance(inner, dict):
            yield from _leaves(inner, (*prefix, key))
        else:
            yield [*prefix, key], inner


def _case_name(keys: Sequence[Value]) -> tuple[str, ...]:
    return tuple(key if isinstance(key, str) else dump_json(key) for key in keys)


def _ran(program: Program, hits: bytearray) -> set[Location]:
    return {location for location, hit in zip(program.statements, hits, strict=True) if hit}
