"""Must-deny probes: what a version has to deny before its rollout begins."""

from textwrap import dedent

import pytest

from tests.support.flows import MemorySource
from tests.support.policies import read_policy
from webhook.compose.clock import SystemClock
from webhook.engines.factory import EngineFactory
from webhook.flows.checks import CheckResult, Checks
from webhook.flows.judging import DecisionRules
from webhook.flows.probe_errors import InvalidProbe
from webhook.flows.probes import Probes, read_probes
from webhook.policy.version import PolicyVersion
from webhook.ports.source import SourceError
from webhook.rego.ast import Source

LATEST = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: app, image: "web:latest"}]}
"""
INSIDE_A_CRONJOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: app, image: "web:latest"}]}}}}}
"""
RELEASE = LATEST.replace("latest", "1.0").replace("name: web,", "name: release,")


def version(rule: str = 'endswith(image, ":latest")', header: str = "") -> PolicyVersion:
    rules = (
        f'deny contains "no" if {{\n\timage := input.request.object.spec.containers[_].image\n\t{rule}\n}}'
    )
    return read_policy(
        "custom:\n  name: images\n" + header, package="gradate.images", rules="import rego.v1\n" + rules
    )


async def check(asked: PolicyVersion, *documents: str, name: str = "images") -> CheckResult:
    source = MemorySource()
    source.files[f"policy-tests/{name}.must-deny.yaml"] = "---\n".join(documents)
    clock = SystemClock()
    probes = Probes(source, EngineFactory(clock, 100_000), DecisionRules(), clock)
    return await Checks(None, clock, probes).run(asked, ())


async def test_a_version_that_denies_all_its_probes_passes_in_every_kind_of_workload() -> None:
    result = await check(version(), LATEST, INSIDE_A_CRONJOB)
    assert result == CheckResult(
        passed=True, message="no unit tests refer to this policy, 2 must-deny probes denied"
    )


async def test_a_probe_that_is_let_through_keeps_the_version_from_beginning_and_is_named() -> None:
    result = await check(version(), LATEST, RELEASE)
    assert result == CheckResult(
        passed=False,
        message="1 of 2 must-deny probes are not denied: policy-tests/images.must-deny.yaml: Pod shop/release: allow",
    )


@pytest.mark.parametrize(
    ("rule", "header", "answer"),
    [
        ("true", "  action: warn\n", "Pod shop/web: warn"),
        ("true", "  match: {kinds: [ConfigMap]}\n", "Pod shop/web: not judged: the policy matches no such object"),
        ("true", "  match: {namespaces: {exclude: [shop]}}\n", "not judged: the policy matches no such object"),
        ("not endswith(image, image)", "", "Pod shop/web: allow"),
    ],
)  # fmt: skip
async def test_whatever_is_no_denial_is_told(rule: str, header: str, answer: str) -> None:
    result = await check(version(rule, header), LATEST)
    assert not result.passed
    assert answer in result.message


async def test_an_evaluation_that_fails_is_no_denial() -> None:
    failing = version('{"a": value | some value in [1, 2]}.a')
    result = await check(failing, LATEST)
    assert not result.passed
    assert "error, " in result.message


async def test_the_probes_of_another_policy_are_not_asked() -> None:
    result = await check(version("false"), LATEST, name="other")
    assert result == CheckResult(passed=True, message="no unit tests refer to this policy")


async def test_a_list_holds_several_probes_and_a_namespace_that_is_not_named_is_the_default() -> None:
    listed = "apiVersion: v1\nkind: List\nitems:\n" + "".join(
        "- " + dedent(one).replace("\n", "\n  ").rstrip() + "\n" for one in (LATEST, INSIDE_A_CRONJOB)
    )
    probes = read_probes([Source("images.must-deny.yaml", listed + "---\n")], "images")
    assert [(one.review.request.namespace, one.review.request.resource.resource) for one in probes] == [
        ("shop", "pods"),
        ("default", "cronjobs"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: b: c", "is no YAML"),
        ("- a", "each document is an object with apiVersion and kind"),
        ("kind: Pod", "each document is an object with apiVersion and kind"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: !!binary x}", "is no"),
    ],
)
async def test_a_file_that_holds_no_objects_keeps_the_version_from_beginning(text: str, reason: str) -> None:
    with pytest.raises(InvalidProbe, match=reason):
        read_probes([Source("images.must-deny.yaml", text)], "images")
    result = await check(version(), text)
    assert not result.passed
    assert result.message.startswith(
        "the must-deny probes cannot be asked: policy-tests/images.must-deny.yaml: "
    )


async def test_probes_that_cannot_be_read_keep_the_version_from_beginning() -> None:
    source = MemorySource()
    source.failure = SourceError("policy-tests: no such policy folder")
    clock = SystemClock()
    probes = Probes(source, EngineFactory(clock, 100_000), DecisionRules(), clock)
    result = await Checks(None, clock, probes).run(version(), ())
    assert result == CheckResult(
        passed=False, message="the must-deny probes cannot be asked: policy-tests: no such policy folder"
    )
