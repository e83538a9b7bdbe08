"""OPA's conformance cases from their sources: compiled, planned, and run by every evaluator of plans."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.conformance import SKIP_REASON, Case, cases, same_results
from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.compiler import QUERY_PLAN, compile_query, load_modules
from webhook.rego.errors import CompileError, EvaluationError
from webhook.rego.interpret import Interpreter
from webhook.rego.program import Program
from webhook.rego.resolve.resolution import Options
from webhook.rego.values import Value

SHARE_WANTED = 0.98
TABLE = Path(__file__).parent / "known_differences.toml"

Run = Callable[[ir.Policy, bool, Value, Value], list[Value]]


def interpreted(policy: ir.Policy, strict: bool, document: Value, data: Value) -> list[Value]:
    return Interpreter(policy, strict_builtin_errors=strict).query(QUERY_PLAN, document, data=data)


def compiled(policy: ir.Policy, strict: bool, document: Value, data: Value) -> list[Value]:
    return Program(policy, strict_builtin_errors=strict).query(QUERY_PLAN, document, data=data)


def compiled_as_planned(policy: ir.Policy, strict: bool, document: Value, data: Value) -> list[Value]:
    program = Program(policy, strict_builtin_errors=strict, optimise=False)
    return program.query(QUERY_PLAN, document, data=data)


ENGINES: Mapping[str, Run] = {
    "interpreted": interpreted,
    "compiled as planned": compiled_as_planned,
    "compiled": compiled,
}


def by_family() -> dict[str, list[Case]]:
    families: dict[str, list[Case]] = {}
    for case in cases():
        families.setdefault(case.family, []).append(case)
    return families


FAMILIES = by_family()
REASONS: dict[str, str] = tomllib.loads(TABLE.read_text())["differences"]

pytestmark = pytest.mark.skipif(not FAMILIES, reason=SKIP_REASON)


def disagreement(case: Case) -> str | None:
    """Say how Gradate's answer to a case differs from OPA's, or nothing."""
    sources = [Source(f"module{index}.rego", text) for index, text in enumerate(case.modules or ())]
    try:
        policy = compile_query(load_modules(sources, options=Options(for_tests=True)), case.query).policy
    except CompileError as error:
        return None if error.diagnostics[0].code == case.want_error_code else f"does not compile: {error}"
    for name, run in ENGINES.items():
        problem = wrong_answer(case, policy, run)
        if problem:
            return f"{name}: {problem}"
    return None


def wrong_answer(case: Case, policy: ir.Policy, run: Run) -> str | None:
    data = {} if case.data is None else case.data
    fails = case.want_error_code is not None or case.want_error is not None
    if fails:
        try:
            solutions = run(policy, case.strict_error, case.document, data)
        except EvaluationError as error:
            if case.want_error_code not in {None, error.code}:
                return f"failed with {error.code} instead of {case.want_error_code}"
        else:
            return f"gave {solutions!r} instead of failing with {case.want_error_code}"
    if case.want_result is None:
        return None
    try:
        got = [solution["bindings"] for solution in run(policy, False, case.document, data)]
    except EvaluationError as error:
        return f"failed with {error}"
    if case.ignore_generated_vars:
        got = [
            {name: row[name] for name in want if name in row}
            for row, want in zip(got, case.want_result, strict=False)
        ]
    if same_results(got, case.want_result, sort_bindings=case.sort_bindings):
        return None
    return f"gave {got!r} instead of {case.want_result!r}"


@pytest.mark.parametrize("family", FAMILIES)
def test_cases_give_what_opa_gives_except_the_known_differences(family: str) -> None:
    disagreements = {case.id: problem for case in FAMILIES[family] if (problem := disagreement(case))}
    listed = {case.id for case in FAMILIES[family] if case.id in REASONS}

    assert disagreements.keys() - listed == set(), disagreements
    assert listed - disagreements.keys() == set(), "listed as different, and yet the same"


def test_every_known_difference_is_a_case_and_has_a_reason() -> None:
    known = {case.id for cases in FAMILIES.values() for case in cases}

    assert REASONS.keys() <= known
    assert all(reason.strip() for reason in REASONS.values())


def test_at_least_98_in_100_cases_agree() -> None:
    count = sum(map(len, FAMILIES.values()))

    assert count - len(REASONS) >= SHARE_WANTED * count
