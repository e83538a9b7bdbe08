"""The leader starts rollouts when files change, and lets happen what is due."""

import asyncio
from dataclasses import dataclass, field, replace

from tests.support.clocks import FakeClock
from tests.support.flows import MemoryObserver
from tests.support.memory_store import MemoryStore
from tests.support.policies import policy_text
from tests.support.waiting import eventually
from webhook.flows.checks import Checks
from webhook.flows.operate import (
    PromoteRollout,
    RolloutVerb,
    StartRollout,
    promote_rollout,
    retry_rollout,
    start_rollout,
)
from webhook.flows.operator import Operator
from webhook.flows.starting import Starter
from webhook.flows.stored_versions import stored_version
from webhook.flows.tick import Leader, TickSettings
from webhook.policy.catalog import Catalog, read_catalog
from webhook.ports.store import ROLLOUT_LEASE, EvidenceBatch, StoreUnavailable
from webhook.rego.ast import Source
from webhook.rollout.cohort import cohort_of, members
from webhook.rollout.life import Event, Order, Phase, Reason, Rollout
from webhook.rollout.states import abort, retry
from webhook.rollout.strategy import Mode, Step, Strategy

STRATEGY = Strategy(steps=(Step(Mode.ENFORCE, 5, 3600 * 10**9), Step(Mode.ENFORCE, 100, 0)))
MAINTAINER = Order("maria", "because")


def source(
    version: str, rules: str = 'deny contains "no" if input.request.object.bad', match: str = ""
) -> Source:
    header = f"custom:\n  name: strict\n  version: {version}" + (f"\n  match: {match}" if match else "")
    return Source(
        "policies/strict.rego",
        policy_text(header, package="gradate.strict", rules=f"import rego.v1\n{rules}"),
    )


def unit_test(expected: str) -> Source:
    text = f"""package gradate.strict_test
import rego.v1
import data.gradate.strict
test_bad_is_denied if {{
    strict.deny == {expected} with input as {{"request": {{"object": {{"bad": true}}}}}}
}}
"""
    return Source("policies/strict_test.rego", text)


PASSES, FAILS = unit_test('{"no"}'), unit_test('{"something else"}')


def catalog_of(*sources: Source) -> Catalog:
    return read_catalog(sources)


@dataclass
class Office:
    """A leader with everything around it in memory."""

    store: MemoryStore = field(default_factory=MemoryStore)
    holder: str = "one"
    clock: FakeClock = field(default_factory=FakeClock)
    observer: MemoryObserver = field(default_factory=MemoryObserver)
    catalog: Catalog = field(default_factory=Catalog)

    def __post_init__(self) -> None:
        starter = Starter(self.store, Checks(None, self.clock), lambda _: STRATEGY, self.observer, self.clock)
        self.leader = Leader(
            self.store, starter, lambda: self.catalog, self.observer, self.clock, self.holder, TickSettings()
        )

    async def make_stable(self, *sources: Source) -> None:
        self.catalog = catalog_of(*sources)
        for version in self.catalog.policies:
            await self.store.put_versions(stored_version(version, 0))
        await self.store.adopt_stables({version.name: version.digest for version in self.catalog.policies})

    async def tick(self, times: int = 1) -> None:
        for _ in range(times):
            await self.leader.tick()
            # Checks run beside the tick, in a thread.
            await eventually(lambda: not self.leader.is_checking)

    async def rollouts(self) -> list[Rollout]:
        return list(await self.store.rollouts())


async def begun(namespaces: int = 40) -> Office:
    """An office in which version 1.1.0 of `strict` is in its first step."""
    office = Office()
    await office.make_stable(source("1.0.0"))
    await office.store.record(
        EvidenceBatch("r1", office.clock.now_ns(), namespaces=[f"team-{n}" for n in range(namespaces)])
    )
    office.catalog = catalog_of(source("1.1.0"), PASSES)
    await office.tick(3)
    return office


async def test_a_changed_file_starts_a_rollout_whose_tests_run_first() -> None:
    office = await begun()
    (rollout,) = await office.rollouts()
    assert rollout.phase is Phase.PROGRESSING
    assert rollout.version == "1.1.0"
    events = [transition.event for transition in office.observer.transitions]
    assert events == [Event.START, Event.CHECK, Event.BEGIN]
    assert "1 unit test passed" in office.observer.transitions[1].message


async def test_a_cohort_is_drawn_from_the_namespaces_that_the_policy_judges() -> None:
    office = await begun()
    judged = "{namespaces: {include: [team-1*], exclude: [team-11]}}"
    office.catalog = catalog_of(source("1.2.0", match=judged))
    await office.tick(3)
    current = (await office.rollouts())[0]
    assert (current.version, current.phase) == ("1.2.0", Phase.PROGRESSING)
    cohort = cohort_of(current.salt, current.strategy.namespaces, current.threshold)
    (member,) = members(cohort, await office.store.namespaces())
    assert member.startswith("team-1")
    assert member != "team-11"
    # team-1 and team-10 to team-19 but team-11: what the leader shows is a share of these.
    (standing,) = office.observer.standings
    assert (standing.cohort, standing.eligible) == (1, 10)


async def test_a_version_whose_tests_fail_never_begins_and_says_why() -> None:
    office = Office()
    await office.make_stable(source("1.0.0"))
    office.catalog = catalog_of(source("1.1.0"), FAILS)
    await office.tick(5)
    (rollout,) = await office.rollouts()
    assert rollout.phase is Phase.PENDING
    assert rollout.reason is Reason.CHECKS_FAILED
    assert "test_bad_is_denied" in rollout.message


async def test_a_version_whose_tests_were_wrong_begins_once_they_are_corrected_and_it_is_retried() -> None:
    office = Office()
    await office.make_stable(source("1.0.0"))
    await office.store.record(EvidenceBatch("r1", office.clock.now_ns(), namespaces=["team-1"]))
    office.catalog = catalog_of(source("1.1.0"), FAILS)
    await office.tick(2)
    office.catalog = catalog_of(source("1.1.0"), PASSES)
    await office.tick(2)
    operator = Operator("maria", office.store, office.clock, lambda _: STRATEGY)
    assert (await retry_rollout(operator, RolloutVerb(name="strict"))).phase is Phase.PENDING
    await office.tick(3)
    (rollout,) = await office.rollouts()
    assert (rollout.phase, rollout.attempt) == (Phase.PROGRESSING, 2)


async def test_the_stable_version_starts_nothing() -> None:
    office = Office()
    await office.make_stable(source("1.0.0"))
    await office.tick(3)
    assert await office.rollouts() == []


async def test_a_first_version_rolls_out_like_any_other_once_the_store_is_in_use() -> None:
    office = Office()
    await office.store.adopt_stables({"other": "sha256:other"})
    office.catalog = catalog_of(source("1.0.0"))
    await office.tick(2)
    (rollout,) = await office.rollouts()
    assert rollout.stable is None
    assert rollout.candidate == office.catalog.policies[0].digest


async def test_a_newer_version_takes_the_place_of_one_that_is_rolling_out() -> None:
    office = await begun()
    office.catalog = catalog_of(source("1.2.0"), PASSES)
    await office.tick(3)
    newer, older = await office.rollouts()
    assert (older.version, older.phase) == ("1.1.0", Phase.SUPERSEDED)
    assert (newer.version, newer.phase) == ("1.2.0", Phase.PROGRESSING)
    assert (await office.store.transitions(older.id))[-1].evidence is not None


async def test_a_file_that_goes_back_to_stable_ends_the_rollout() -> None:
    office = await begun()
    office.catalog = catalog_of(source("1.0.0"))
    await office.tick(2)
    (rollout,) = await office.rollouts()
    assert rollout.phase is Phase.SUPERSEDED


async def test_an_aborted_version_does_not_start_again_and_says_why_once() -> None:
    office = await begun()
    (rollout,) = await office.rollouts()
    await office.store.commit(abort(rollout, MAINTAINER, office.clock.now_ns()))
    await office.tick(3)
    (rollout,) = await office.rollouts()
    assert rollout.phase is Phase.DEGRADED
    notes = [line for line in office.observer.heard if "does not start again" in line]
    assert len(notes) == 1
    assert "gradate rollout retry strict" in notes[0]


async def test_a_version_that_is_retried_runs_its_tests_again_and_begins() -> None:
    office = await begun()
    (rollout,) = await office.rollouts()
    aborted = await office.store.commit(abort(rollout, MAINTAINER, office.clock.now_ns()))
    evidence = await office.store.evidence(aborted.candidate, aborted.stable)
    await office.store.commit(retry(aborted, MAINTAINER, office.clock.now_ns(), evidence, aborted.stable))
    await office.tick(3)
    (rollout,) = await office.rollouts()
    assert rollout.phase is Phase.PROGRESSING
    assert rollout.attempt == 2


async def started_by_hand(office: Office, version: str) -> list[Rollout]:
    operator = Operator("maria", office.store, office.clock, lambda _: STRATEGY)
    office.clock.advance(1)
    await start_rollout(operator, StartRollout(policy="strict", version=version))
    await office.tick(3)
    return await office.rollouts()


async def test_a_version_that_somebody_starts_by_hand_is_not_replaced_by_what_the_files_held_all_along() -> (
    None
):
    office = await begun()
    await office.store.put_versions(stored_version(catalog_of(source("0.9.0")).policies[0], 0))
    chosen, given_up = await started_by_hand(office, "0.9.0")
    assert (chosen.version, chosen.phase) == ("0.9.0", Phase.PROGRESSING)
    assert given_up.phase is Phase.SUPERSEDED
    notes = [line for line in office.observer.heard if "but maria started 0.9.0" in line]
    assert len(notes) == 1
    promoter = Operator("maria", office.store, office.clock, lambda _: STRATEGY)
    await promote_rollout(promoter, PromoteRollout(name="strict", full=True, force=True, reason="x"))
    await office.tick(3)
    assert [rollout.phase for rollout in await office.rollouts()] == [Phase.HEALTHY, Phase.SUPERSEDED]


async def test_a_version_started_by_hand_gives_way_to_new_content_and_to_files_that_go_back() -> None:
    for after in (source("1.2.0"), source("1.0.0")):
        office = await begun()
        await office.store.put_versions(stored_version(catalog_of(source("0.9.0")).policies[0], 0))
        await started_by_hand(office, "0.9.0")
        office.clock.advance(1)
        office.catalog = catalog_of(after)
        await office.tick(3)
        by_hand = next(one for one in await office.rollouts() if one.version == "0.9.0")
        assert by_hand.phase is Phase.SUPERSEDED


async def test_stored_content_that_is_not_what_its_digest_says_fails_its_checks() -> None:
    office = await begun()
    broken = stored_version(catalog_of(source("0.9.0")).policies[0], 0)
    await office.store.put_versions(replace(broken, sources=(("p.rego", "package gradate.strict"),)))
    chosen, _ = await started_by_hand(office, "0.9.0")
    assert (chosen.phase, chosen.reason) == (Phase.PENDING, Reason.CHECKS_FAILED)
    assert "holds no policy" in chosen.message


async def test_changed_content_under_an_unchanged_number_is_accepted_with_a_warning() -> None:
    office = Office()
    await office.make_stable(source("1.0.0"))
    office.catalog = catalog_of(source("1.0.0", 'deny contains "other" if input.bad'))
    await office.tick(2)
    assert len(await office.rollouts()) == 1
    assert any("changed content under an unchanged number" in line for line in office.observer.heard)


async def test_a_file_that_is_gone_for_a_moment_ends_nothing() -> None:
    office = await begun()
    kept, office.catalog = office.catalog, Catalog()
    await office.tick()
    office.clock.advance(20)
    office.catalog = kept
    await office.tick(2)
    office.clock.advance(60)
    await office.tick()
    (rollout,) = await office.rollouts()
    assert rollout.phase is Phase.PROGRESSING


async def test_a_policy_whose_file_stays_gone_is_withdrawn_and_no_longer_in_force() -> None:
    office = await begun()
    office.catalog = Catalog()
    await office.tick()
    office.clock.advance(31)
    await office.tick()
    (rollout,) = await office.rollouts()
    assert rollout.phase is Phase.SUPERSEDED
    assert rollout.reason is Reason.POLICY_DELETED
    assert (await office.store.transitions(rollout.id))[-1].evidence is not None
    assert "strict" not in await office.store.stables()


async def test_of_two_leaders_one_waits_and_takes_over_when_the_lease_has_expired() -> None:
    one = Office()
    two = Office(store=one.store, holder="two", clock=one.clock)
    await one.tick()
    await two.tick()
    assert (one.leader.leads, two.leader.leads) == (True, False)
    one.clock.advance(16)
    await two.tick()
    assert two.leader.leads
    await one.tick()
    assert not one.leader.leads


async def test_a_leader_that_ends_gives_its_lease_up() -> None:
    office = Office()
    running = asyncio.create_task(office.leader.run())
    await eventually(lambda: office.leader.leads)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    lease = await office.store.lead(ROLLOUT_LEASE, "two", office.clock.now_ns(), 1)
    assert lease.holder == "two"


async def test_a_store_that_fails_holds_everything_and_is_reported_once() -> None:
    office = await begun()
    office.store.failure = StoreUnavailable("database is locked")
    await office.tick(3)
    assert len([line for line in office.observer.heard if "database is locked" in line]) == 1
    office.store.failure = None
    await office.tick()
    assert office.leader.failure is None
    (rollout,) = await office.rollouts()
    assert rollout.phase is Phase.PROGRESSING
