from dataclasses import replace

import pytest

from webhook.rollout.policy_exception import ExceptionId, PolicyException

GRANTED = PolicyException(
    ExceptionId("x-1"),
    "credential-env",
    "team-*",
    "*/legacy-*",
    "migration",
    "maria",
    "admin",
    100,
    expires_ns=200,
)


@pytest.mark.parametrize(
    ("policy", "namespace", "workload", "now", "covered"),
    [
        ("credential-env", "team-a", "Deployment/legacy-web", 150, True),
        ("credential-env", "team-a", "CronJob/legacy-web", 199, True),
        ("credential-env", "team-a", "Deployment/legacy-web", 200, False),
        ("unsafe-sysctls", "team-a", "Deployment/legacy-web", 150, False),
        ("credential-env", "infra", "Deployment/legacy-web", 150, False),
        ("credential-env", "team-a", "Deployment/web", 150, False),
        ("credential-env", "team-a", "Deployment/Legacy-web", 150, False),
    ],
)
def test_it_permits_exactly_what_it_names_until_it_expires(
    policy: str, namespace: str, workload: str, now: int, covered: bool
) -> None:
    assert GRANTED.covers(policy, namespace, workload, now) is covered


def test_a_revoked_exception_permits_nothing() -> None:
    assert not replace(GRANTED, revoked_ns=120).is_in_force(110)


def test_an_exception_without_an_end_lasts() -> None:
    assert replace(GRANTED, expires_ns=None).is_in_force(10**19)
