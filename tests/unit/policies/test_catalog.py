import re

import pytest

from tests.support.core_policies import CORE, ROOT, compile_texts, core_catalog, core_policy
from webhook.compose.clock import SystemClock
from webhook.engines.factory import EngineFactory
from webhook.flows.judging import DecisionRules
from webhook.flows.probes import PROBE_SUFFIX, Probes
from webhook.policy.metadata import EnforcementAction
from webhook.sources.folder import FolderSource

TESTS = {source.path: source for source in core_catalog().tests}


def test_the_folder_holds_the_three_policies_and_nothing_else() -> None:
    assert sorted(version.name for version in core_catalog().policies) == list(CORE)
    assert core_catalog().libraries == ()


@pytest.mark.parametrize("name", CORE)
def test_the_header_tells_a_developer_what_to_do(name: str) -> None:
    metadata = core_policy(name).version.metadata
    assert metadata.title
    assert metadata.description
    assert metadata.remediation
    assert metadata.related_resources
    assert metadata.action is EnforcementAction.DENY


@pytest.mark.parametrize("path", sorted(TESTS))
def test_its_unit_tests_pass(path: str) -> None:
    text = TESTS[path].text
    package = re.search(r"^package (\S+)$", text, re.MULTILINE)
    assert package is not None
    names = re.findall(r"^(test_\w+) if", text, re.MULTILINE)
    assert names
    tested = (ROOT / "policies" / path.removeprefix("policy-tests/").replace("_test", "")).read_text(
        encoding="utf-8"
    )
    program = compile_texts([tested, text], [f"data.{package[1]}.{name}" for name in names])
    assert dict(zip(names, program.evaluate({}), strict=True)) == dict.fromkeys(names, True)


@pytest.mark.parametrize("name", CORE)
async def test_it_denies_what_it_must_deny(name: str) -> None:
    clock = SystemClock()
    folder = FolderSource(ROOT / "policy-tests", suffix=PROBE_SUFFIX)
    probes = Probes(folder, EngineFactory(clock, 100_000), DecisionRules(), clock)
    report = await probes.ask(core_policy(name).version)
    assert (report.denied > 0, report.let_through) == (True, ())
