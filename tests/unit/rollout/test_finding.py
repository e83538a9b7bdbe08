from dataclasses import replace

import pytest

from tests.support.rollouts import NOW
from webhook.rollout.finding import (
    Finding,
    FindingId,
    FindingKind,
    Standing,
    Verdict,
    WorkloadDigest,
    finding_id,
    standing_of,
)

WORKLOAD = WorkloadDigest("00" * 16)


def test_a_finding_is_named_by_version_rule_and_workload() -> None:
    name = finding_id("sha256:a", "deny", WORKLOAD)
    others = {
        finding_id("sha256:b", "deny", WORKLOAD),
        finding_id("sha256:a", "warn", WORKLOAD),
        finding_id("sha256:a", "deny", WorkloadDigest("11" * 16)),
    }
    assert name == finding_id("sha256:a", "deny", WORKLOAD)
    assert name not in others
    assert len(others) == 3


@pytest.mark.parametrize(
    ("kind", "verdict", "standing"),
    [
        (FindingKind.AGREED, Verdict.UNREVIEWED, Standing.VIOLATING),
        (FindingKind.NEWLY_DENIED, Verdict.UNREVIEWED, Standing.UNREVIEWED),
        (FindingKind.NEWLY_DENIED, Verdict.TRUE_POSITIVE, Standing.TRUE_POSITIVE),
        (FindingKind.NEWLY_DENIED, Verdict.FALSE_POSITIVE, Standing.FALSE_POSITIVE),
        (FindingKind.NEWLY_ALLOWED, Verdict.UNREVIEWED, Standing.VIOLATING),
        (FindingKind.NEWLY_ALLOWED, Verdict.TRUE_POSITIVE, Standing.VIOLATING),
        (FindingKind.NEWLY_ALLOWED, Verdict.FALSE_POSITIVE, Standing.BENIGN),
    ],
)
def test_a_workload_counts_as_its_finding_says(
    kind: FindingKind, verdict: Verdict, standing: Standing
) -> None:
    assert standing_of(kind, verdict) is standing


def test_the_time_to_fix_runs_from_the_first_sight() -> None:
    finding = Finding(
        FindingId("f-1"),
        "p",
        "sha256:a",
        "deny",
        FindingKind.NEWLY_DENIED,
        WORKLOAD,
        "ns",
        "Deployment/web",
        NOW,
        NOW,
    )
    assert finding.time_to_fix_ns is None
    assert replace(finding, fixed_ns=NOW + 5).time_to_fix_ns == 5
    assert replace(finding, fixed_ns=NOW - 5).time_to_fix_ns == 0
