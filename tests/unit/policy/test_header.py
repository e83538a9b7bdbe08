import pytest

from tests.support.policies import read_policy
from webhook.admission.review import Operation
from webhook.policy.errors import MetadataError
from webhook.policy.header import name_of_package
from webhook.policy.metadata import (
    EnforcementAction,
    Engine,
    FailureAction,
    Match,
    PolicyMetadata,
    RelatedResource,
    Severity,
)
from webhook.policy.selector import KindSelector, NamespaceSelector

FULL = """\
title: Credentials in environment variables
description: A literal credential is readable by anyone.
related_resources:
- https://kubernetes.io/docs/concepts/configuration/secret/
- ref: https://example.com/why
  description: Why
custom:
  name: credential-env
  version: 1.2.0-rc.1
  severity: high
  action: warn
  match:
    kinds: [Pod, apps/Deployment, core/Secret, "*"]
    operations: [CREATE]
    namespaces: {include: ["team-*"], exclude: [team-x]}
  parameters: {allowed_names: [A], limit: 3}
  remediation: Use secretKeyRef.
  failure_action: allow
  engine: regopy
  owner: platform-team
"""


def test_every_field_of_a_header_is_read() -> None:
    assert read_policy(FULL).metadata == PolicyMetadata(
        name="credential-env",
        title="Credentials in environment variables",
        description="A literal credential is readable by anyone.",
        version="1.2.0-rc.1",
        severity=Severity.HIGH,
        action=EnforcementAction.WARN,
        match=Match(
            kinds=(
                KindSelector(None, "Pod"),
                KindSelector("apps", "Deployment"),
                KindSelector("", "Secret"),
                KindSelector(None, "*"),
            ),
            operations=frozenset({Operation.CREATE}),
            namespaces=NamespaceSelector(("team-*",), ("team-x",)),
        ),
        parameters={"allowed_names": ["A"], "limit": 3},
        remediation="Use secretKeyRef.",
        related_resources=(
            RelatedResource("https://kubernetes.io/docs/concepts/configuration/secret/"),
            RelatedResource("https://example.com/why", "Why"),
        ),
        failure_action=FailureAction.ALLOW,
        engine=Engine.REGOPY,
    )


def test_a_file_without_a_header_is_named_after_its_package_and_has_defaults() -> None:
    metadata = read_policy(package="k8s.admission", rules="deny[msg] { msg := input.x }").metadata

    assert metadata == PolicyMetadata("k8s-admission")
    assert metadata.version == "0.0.0"
    assert metadata.action is EnforcementAction.DENY
    assert metadata.match.kinds == (KindSelector(None, "Pod"),)
    assert metadata.match.operations == {Operation.CREATE, Operation.UPDATE}


@pytest.mark.parametrize(
    ("package", "name"),
    [
        (("k8s", "admission"), "k8s-admission"),
        (("gradate", "credential_env"), "credential-env"),
        (("gradate",), "gradate"),
        (("Main", "x y__z"), "main-x-y-z"),
    ],
)
def test_a_package_implies_a_name(package: tuple[str, ...], name: str) -> None:
    assert name_of_package(package) == name


def test_one_kind_one_operation_and_one_pattern_need_no_list() -> None:
    match = read_policy(
        "custom: {match: {kinds: Secret, operations: UPDATE, namespaces: {include: team-a}}}"
    ).metadata.match

    assert match == Match(
        (KindSelector(None, "Secret"),), frozenset({Operation.UPDATE}), NamespaceSelector(("team-a",))
    )


def test_all_operations_means_those_that_are_judged() -> None:
    match = read_policy('custom: {match: {operations: ["*"]}}').metadata.match

    assert match.operations == {Operation.CREATE, Operation.UPDATE}


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ("actoin: deny", "3: METADATA custom.actoin: unknown key; did you mean 'action'?"),
        (
            "failureAction: deny",
            "3: METADATA custom.failureAction: unknown key; did you mean 'failure_action'?",
        ),
        (
            "action: denny",
            "3: METADATA custom.action: 'denny' is not one of deny, warn, audit; did you mean 'deny'?",
        ),
        ("severity: 3", "3: METADATA custom.severity: expected str, got int"),
        (
            "severity: urgent",
            "3: METADATA custom.severity: 'urgent' is not one of low, medium, high, critical",
        ),
        ("engine: opa", "3: METADATA custom.engine: 'opa' is not one of gradate, regopy"),
        ("failure_action: no", "3: METADATA custom.failure_action: 'no' is not one of deny, allow, warn"),
        ("version: 1.0", '3: METADATA custom.version: expected str, got float (quote it: "1.0.0")'),
        ("version: v1", "3: METADATA custom.version: 'v1' is no semantic version such as 1.0.0"),
        ("name: Credential_Env", "3: METADATA custom.name: 'Credential_Env' is no policy name"),
        (f"name: {'x' * 64}", "at most 63 characters"),
        ("parameters: [a]", "3: METADATA custom.parameters: expected object, got array"),
        ("parameters: {a: 1e999}", "3: METADATA custom.parameters: not JSON"),
        ("remediation: [x]", "3: METADATA custom.remediation: expected str, got array"),
        ("match: Pod", "3: METADATA custom.match: expected object, got str"),
        ("match: {kind: [Pod]}", "3: METADATA custom.match.kind: unknown key; did you mean 'kinds'?"),
        ("match: {kinds: [pod]}", "3: METADATA custom.match.kinds: 'pod' is no kind"),
        ("match: {kinds: [1]}", "3: METADATA custom.match.kinds[0]: expected str, got int"),
        ("match: {kinds: []}", "3: METADATA custom.match.kinds: must not be empty"),
        (
            "match: {operations: [DELETE]}",
            "custom.match.operations: DELETE is never judged; CREATE and UPDATE are",
        ),
        (
            "match: {operations: [create]}",
            "custom.match.operations: 'create' is not one of CREATE, UPDATE, *",
        ),
        ("match: {operations: []}", "custom.match.operations: must not be empty"),
        ("match: {namespaces: [a]}", "custom.match.namespaces: expected object, got array"),
        ("match: {namespaces: {includes: [a]}}", "unknown key; did you mean 'include'?"),
        (
            'match: {namespaces: {include: [""]}}',
            "custom.match.namespaces: a namespace pattern must not be empty",
        ),
    ],
)
def test_a_mistake_is_refused_with_file_line_and_field(custom: str, message: str) -> None:
    with pytest.raises(MetadataError) as caught:
        read_policy(f"custom:\n  {custom}")

    assert str(caught.value).startswith("policies/example.rego:3: METADATA custom.")
    assert message in str(caught.value)


def test_the_line_is_that_of_the_innermost_key() -> None:
    with pytest.raises(MetadataError, match=r"^policies/example\.rego:6: METADATA custom\.match\.operations"):
        read_policy("custom:\n  action: deny\n  match:\n    kinds: [Pod]\n    operations: [NEVER]")


def test_a_name_that_the_package_cannot_give_is_asked_for() -> None:
    with pytest.raises(MetadataError, match=r"^policies/example\.rego: METADATA custom\.name: "):
        read_policy(package="p" * 64)
