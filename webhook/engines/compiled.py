"""The compiled evaluator: Rego turned into Python, evaluated in process on the decoded document."""

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from webhook.decision.finding import MOST_FINDINGS
from webhook.policy.errors import PolicySyntaxError
from webhook.policy.version import PolicyVersion
from webhook.ports.evaluator import Evaluation, EvaluationFailure, Purpose
from webhook.rego.budget import CANCELLED, Budget
from webhook.rego.builtins.failures import limit_size
from webhook.rego.compiler import load_modules, plan_entry_points, resolve_modules
from webhook.rego.errors import CompileError, EvaluationError
from webhook.rego.failures import INTERNAL, internal_failure
from webhook.rego.program import Program
from webhook.rego.resolve.resolution import Resolution
from webhook.rego.texts import to_json
from webhook.rego.values import UNDEFINED, RegoSet

RULES = {Purpose.VALIDATE: ("deny", "warn", "violation"), Purpose.MUTATE: ("patch",)}
"""Which rules each purpose asks for."""

_NOTHING = Evaluation()
_WARM_UP_STEPS = 10_000
_WARM_UP_NS = 1_000_000_000


class CompiledEvaluator:
    """One policy version, compiled once for each purpose; microseconds an evaluation."""

    engine = "gradate"
    in_process = True

    def __init__(self, programs: Mapping[Purpose, tuple[tuple[str, ...], Program]], step_budget: int) -> None:
        self._programs = programs
        self._step_budget = step_budget
        self.mutates = Purpose.MUTATE in programs

    async def evaluate(
        self, document: Mapping[str, object], purpose: Purpose, deadline_ns: int
    ) -> Evaluation:
        """Judge `document` without yielding to the loop; over its budget or deadline it fails."""
        found = self._programs.get(purpose)
        if found is None:
            return _NOTHING
        rules, program = found
        try:
            values = program.evaluate(document, budget=Budget(self._step_budget, deadline_ns))
            outputs = _outputs(rules, values, MOST_FINDINGS if purpose is Purpose.VALIDATE else None)
        except EvaluationError as error:
            code = "deadline_exceeded" if error.code == CANCELLED else error.code
            return Evaluation(failure=EvaluationFailure(code, f"{error.location}: {error.message}"))
        return Evaluation(outputs) if outputs else _NOTHING

    async def aclose(self) -> None:
        """Hold nothing that needs closing."""


def compile_policy(version: PolicyVersion, step_budget: int) -> CompiledEvaluator:
    """Compile a policy version for every purpose that it has rules for.

    Raises:
        PolicySyntaxError: the policy does not compile; the message holds every finding with its place.

    """
    try:
        resolution = resolve_modules(version.modules) if version.modules else load_modules(version.sources)
        programs = {}
        for purpose, candidates in RULES.items():
            rules = tuple(rule for rule in candidates if rule in version.rules)
            if rules:
                entrypoints = [version.entrypoint(rule) for rule in rules]
                program = _program(resolution, entrypoints)
                _warm(version, program)
                programs[purpose] = (rules, program)
    except CompileError as error:
        raise PolicySyntaxError(str(error)) from error
    return CompiledEvaluator(programs, step_budget)


def _program(resolution: Resolution, entrypoints: Sequence[str]) -> Program:
    try:
        return Program(plan_entry_points(resolution, entrypoints), entrypoints)
    except CompileError as error:
        raise error.quoting(resolution.texts) from None


def _warm(version: PolicyVersion, program: Program) -> None:
    """Evaluate once on next to nothing, so that the first request finds everything in place.

    Raises:
        PolicySyntaxError: the compiled code is broken; better found here than by a request.

    """
    budget = Budget(_WARM_UP_STEPS, time.monotonic_ns() + _WARM_UP_NS)
    try:
        program.evaluate({"request": {}, "parameters": version.parameters}, budget=budget)
    except EvaluationError as error:
        if error.code == INTERNAL:
            raise PolicySyntaxError(f"{version.path}: cannot be evaluated: {error}") from error


def _outputs(rules: Sequence[str], values: Sequence[Any], most: int | None) -> dict[str, Sequence[object]]:
    """Give what rules found, at most so many of each, by rule; those that found nothing are absent.

    Raises:
        EvaluationError: it is too large, or nested too deeply, to be written down.

    """
    try:
        return {
            rule: to_json(items)
            for rule, value in zip(rules, values, strict=True)
            if value is not UNDEFINED and (items := _items(value, most))
        }
    except RecursionError as error:
        raise internal_failure(error, None) from error


def _items(value: Any, most: int | None) -> Sequence[object]:
    """Give the members of a set or array; a rule with one value has one member, `false` has none."""
    if type(value) is RegoSet:
        if not len(value):
            return ()
        # Ordering them all may take longer than finding them did.
        cut = most is not None and len(value) > most
        found = list(islice(value, most)) if cut else value.ordered()
    elif value is False:
        return ()
    else:
        found = value if type(value) is list else [value]
    limit_size(found)
    return found
