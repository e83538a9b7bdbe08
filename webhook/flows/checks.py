"""Checks: the unit tests and must-deny probes that a candidate must pass before its rollout begins."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from webhook.flows.policy_files import PolicyFiles
from webhook.flows.policy_tests import Outcome, RunOptions, RunReport, run_policy_tests
from webhook.flows.probe_errors import InvalidProbe
from webhook.flows.probes import ProbeReport, Probes
from webhook.policy.errors import PolicyError
from webhook.policy.module import PolicyModule, read_module
from webhook.policy.version import PolicyVersion
from webhook.ports.clock import Clock
from webhook.ports.source import PolicySource, SourceError
from webhook.rego.ast import Source
from webhook.rego.errors import CompileError

_SHOWN_FAILURES = 3


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a candidate's checks went."""

    passed: bool
    message: str


class Checks:
    """Runs the unit tests that refer to a policy, and asks its probes."""

    def __init__(self, tests: PolicySource | None, clock: Clock, probes: Probes | None = None) -> None:
        """Take the place of test modules and the probes, None where there are none."""
        self._tests = tests
        self._clock = clock
        self._probes = probes

    async def run(self, version: PolicyVersion, beside: Sequence[Source]) -> CheckResult:
        """Run a candidate's tests: those among `beside`, the files' own test modules, and those of the test folder.

        Whatever keeps them from running is a failure: a candidate that cannot be tested does not start.
        """
        try:
            apart = () if self._tests is None else await self._tests.read()
        except SourceError as error:
            return CheckResult(passed=False, message=str(error))
        tested = await asyncio.to_thread(self._run, version, (*beside, *apart))
        if self._probes is None or not tested.passed:
            return tested
        try:
            probed = await self._probes.ask(version)
        except (SourceError, InvalidProbe, PolicyError) as error:
            return CheckResult(passed=False, message=f"the must-deny probes cannot be asked: {error}")
        return _add_probes(tested, probed)

    def _run(self, version: PolicyVersion, candidates: Sequence[Source]) -> CheckResult:
        try:
            tests, others = _find_tests(version, candidates)
            if not tests:
                return CheckResult(True, "no unit tests refer to this policy" + _leave_out(others))
            files = PolicyFiles((*version.sources, *tests), {})
            report = run_policy_tests(files, RunOptions(), self._clock)
        except (PolicyError, CompileError) as error:
            return CheckResult(passed=False, message=f"the unit tests do not compile: {error}")
        return CheckResult(report.passed, _summarise(report) + _leave_out(others))


def _find_tests(version: PolicyVersion, candidates: Sequence[Source]) -> tuple[list[Source], list[str]]:
    """Give the modules that refer to a policy, and the paths of those that cannot be read and do not name it.

    Raises:
        PolicyError, CompileError: one cannot be read, and names the policy's package somewhere.

    """
    tests: list[Source] = []
    unreadable: list[str] = []
    for source in candidates:
        try:
            if _tests_policy(read_module(source), version):
                tests.append(source)
        except (PolicyError, CompileError):
            if version.package.rpartition(".")[2] in source.text:
                raise
            unreadable.append(source.path)
    return tests, unreadable


def _leave_out(unreadable: Sequence[str]) -> str:
    if not unreadable:
        return ""
    return f"; left out, since it does not compile and does not name this policy: {', '.join(unreadable)}"


def _tests_policy(module: PolicyModule, version: PolicyVersion) -> bool:
    package = tuple(version.package.split("."))
    return module.package == package or any(
        reference[: len(package)] == package for reference in module.references
    )


def _add_probes(tested: CheckResult, probed: ProbeReport) -> CheckResult:
    through, count = probed.let_through, probed.denied + len(probed.let_through)
    if through:
        more = f" and {len(through) - _SHOWN_FAILURES} more" if len(through) > _SHOWN_FAILURES else ""
        names = "; ".join(through[:_SHOWN_FAILURES])
        message = f"{len(through)} of {count} must-deny probes are not denied: {names}{more}"
        return CheckResult(passed=False, message=message)
    if not count:
        return tested
    probes = f"{count} must-deny probe{'' if count == 1 else 's'} denied"
    return CheckResult(passed=True, message=f"{tested.message}, {probes}")


def _summarise(report: RunReport) -> str:
    passed = report.count(Outcome.PASS)
    if report.passed:
        return f"{passed} unit test{'' if passed == 1 else 's'} passed"
    failed = [test.name for test in report.results if test.outcome in (Outcome.FAIL, Outcome.ERROR)]
    names = ", ".join(failed[:_SHOWN_FAILURES])
    more = f" and {len(failed) - _SHOWN_FAILURES} more" if len(failed) > _SHOWN_FAILURES else ""
    return f"{len(failed)} of {passed + len(failed)} unit tests fail: {names}{more}"
