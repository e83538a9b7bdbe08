from datetime import UTC, datetime, timedelta

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.operating import POLICY, Scene, finding
from webhook.flows.exceptions import (
    ExceptionName,
    ExceptionState,
    Granted,
    GrantException,
    ListExceptions,
    grant_exception,
    list_exceptions,
    read_expiry,
    revoke_exception,
)
from webhook.flows.operation_errors import InvalidField, UnknownName
from webhook.flows.review import FindingName, ListFindings, list_findings, show_finding
from webhook.rollout.policy_exception import ExceptionId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
GRANT = {
    "policy": POLICY,
    "namespace": "team-1",
    "workload": "Deployment/web-1",
    "reason": "migration",
    "owner": "team-one",
    "expires": "30d",
}


@pytest.fixture
async def scene() -> Scene:
    return await Scene(MemoryStore()).open()


async def granted(scene: Scene, **changes: str) -> Granted:
    return await grant_exception(scene.operator(), GrantException(**{**GRANT, **changes}))


async def test_a_permission_is_kept_with_who_granted_it_and_who_owns_it(scene: Scene) -> None:
    exception = (await granted(scene)).exception
    assert (exception.granted_by, exception.owner, exception.state) == (
        "maria",
        "team-one",
        ExceptionState.ACTIVE,
    )
    assert exception.expires_at == NOW + timedelta(days=30)
    assert (await list_exceptions(scene.operator(), ListExceptions(policy=POLICY))).items == (exception,)


async def test_an_exception_for_a_finding_makes_it_a_false_positive(scene: Scene) -> None:
    await scene.begun()
    await scene.see(5, finding(1), finding(2))
    done = await grant_exception(
        scene.operator(),
        GrantException(finding=finding(1).id, reason="legacy", owner="team-one", expires="2026-02-01"),
    )
    assert (done.settled, done.exception.namespace, done.exception.workload) == (
        1,
        "team-1",
        "Deployment/web-1",
    )
    shown = await show_finding(scene.operator(), FindingName(id=finding(1).id))
    assert (shown.finding.verdict.value, shown.finding.judged_by) == ("false-positive", "signal:exception")
    assert (await list_findings(scene.operator(), ListFindings(unreviewed=True))).total == 1


async def test_expired_and_revoked_permissions_say_so(scene: Scene) -> None:
    short, long = await granted(scene, expires="1h"), await granted(scene, expires="never")
    scene.clock.advance(3600)
    revoked = await revoke_exception(scene.operator("ali"), ExceptionName(id=long.exception.id))
    assert (revoked.state, revoked.revoked_by, revoked.expires_at) == (ExceptionState.REVOKED, "ali", None)
    again = await revoke_exception(scene.operator("eve"), ExceptionName(id=long.exception.id))
    assert again.revoked_by == "ali"
    expired = await list_exceptions(scene.operator(), ListExceptions(state=ExceptionState.EXPIRED))
    assert [one.id for one in expired.items] == [short.exception.id]


async def test_permissions_that_were_never_used_are_listed(scene: Scene) -> None:
    used, unused, past = await granted(scene), await granted(scene), await granted(scene, expires="1s")
    await scene.store.mark_used([ExceptionId(used.exception.id)], scene.now_ns)
    scene.clock.advance(2)
    found = (await list_exceptions(scene.operator(), ListExceptions(unused=True))).items
    assert [one.id for one in found] == [unused.exception.id]
    assert past.exception.id not in {one.id for one in found}


@pytest.mark.parametrize("field", ["policy", "namespace", "workload", "reason", "owner"])
async def test_nothing_may_be_empty(scene: Scene, field: str) -> None:
    with pytest.raises(InvalidField, match=f"{field}: is empty"):
        await granted(scene, **{field: " "})


@pytest.mark.parametrize("workload", ["web", "Deployment/", "Deployment web", "apps/Deployment/web"])
async def test_a_workload_is_kind_and_name(scene: Scene, workload: str) -> None:
    with pytest.raises(InvalidField, match="write Kind/name"):
        await granted(scene, workload=workload)


async def test_unknown_names_are_refused_with_the_nearest(scene: Scene) -> None:
    with pytest.raises(UnknownName, match="did you mean credential-env"):
        await granted(scene, policy="credential-en")
    identity = (await granted(scene)).exception.id
    with pytest.raises(UnknownName, match=f"did you mean {identity}"):
        await revoke_exception(scene.operator(), ExceptionName(id=identity[:-1]))
    with pytest.raises(UnknownName, match="no finding 'f-nope'"):
        await granted(scene, finding="f-nope")
    with pytest.raises(UnknownName, match="no policy 'other'"):
        await list_exceptions(scene.operator(), ListExceptions(policy="other"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("72h", NOW + timedelta(hours=72)),
        ("1w", NOW + timedelta(weeks=1)),
        ("3600", NOW + timedelta(hours=1)),
        ("1h30m", NOW + timedelta(minutes=90)),
        ("2026-03-31", datetime(2026, 4, 1, tzinfo=UTC)),
        ("2026-01-01", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-01T12:00:00Z", NOW + timedelta(hours=12)),
        ("2026-01-01T12:00:00+02:00", NOW + timedelta(hours=10)),
    ],
)
def test_an_expiry_is_a_duration_a_date_or_a_time(text: str, expected: datetime) -> None:
    assert read_expiry(text, NOW_NS) == int(expected.timestamp()) * 10**9


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("soon", "neither a duration"),
        ("", "neither a duration"),
        ("-1h", "neither a duration"),
        ("0", "is past"),
        ("2025-12-31", "is past"),
        ("2026-02-30", "is no date"),
        ("2500-01-01", "beyond the year 2262; say 'never'"),
        ("2500000h", "beyond the year 2262"),
        ("9999-12-31", "is no date"),
        ("2026-13-01T00:00:00Z", "is no date"),
        ("2026-05-01T00:00:00", "has no time zone"),
    ],
)
def test_an_expiry_that_is_none_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidField, match=reason):
        read_expiry(text, NOW_NS)
