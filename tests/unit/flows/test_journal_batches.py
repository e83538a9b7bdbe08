"""Evidence is written in batches, whatever the store does."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.rehearsal import POLICY, ImageEvaluator, Rehearsal, denying, deployment, running, until
from webhook.flows.journal import JournalLimits
from webhook.flows.pending import PendingLimits
from webhook.ports.store import EvidenceBatch, StoreFull, StoreUnavailable
from webhook.rollout.evidence import Counters
from webhook.rollout.finding import FindingKind, Standing
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.rollout.strategy import Mode

BAD, WORSE, GOOD = "bad", "worse", "good"


def permission(**fields: Any) -> PolicyException:
    exception = PolicyException(ExceptionId("x-1"), POLICY, "shop", "*", "legacy", "team-a", "maria", 0)
    return replace(exception, **fields)


# The store


async def test_a_store_that_fails_keeps_nothing_and_loses_nothing() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), mode=Mode.ENFORCE)
    rehearsal.store.failure = StoreFull("the disk is full")
    for number in range(3):
        await rehearsal.submit(deployment(BAD, f"bad-{number}"))
        await rehearsal.submit(deployment(GOOD, f"good-{number}"))
        await rehearsal.submit(deployment(BAD, "again"))
        await rehearsal.work_off()
        assert not await rehearsal.journal.flush()
    failures = [rehearsal.journal.failure]
    assert rehearsal.observer.heard == ["store failed to keep evidence: the disk is full"]
    rehearsal.store.failure = None
    seen = await rehearsal.settle()
    failures.append(rehearsal.journal.failure)
    assert failures == ["the disk is full", None]
    assert (seen.workloads, seen.standings) == (7, {Standing.UNREVIEWED: 4})
    assert seen.modes[Mode.ENFORCE].evaluations == 9
    assert {finding.owner: finding.count for finding in await rehearsal.findings()}["Deployment/again"] == 3
    assert sum(report.failed_flushes for report in rehearsal.observer.reports) == 3


async def test_a_batch_that_was_stored_although_the_store_said_no_changes_nothing_when_sent_again() -> None:
    class Deceived(MemoryStore):
        async def record(self, batch: EvidenceBatch) -> None:
            await super().record(batch)
            if len(await self.namespaces()) < 2:
                raise StoreUnavailable("the answer was lost")

    rehearsal = Rehearsal(old=denying(), new=denying(BAD), store=Deceived())
    await rehearsal.submit(deployment(BAD))
    await rehearsal.work_off()
    assert not await rehearsal.journal.flush()
    before = await rehearsal.evidence()
    rehearsal.journal.saw_namespace("other")
    seen = await rehearsal.settle()
    assert (seen.workloads, seen.standings, seen.modes) == (1, before.standings, before.modes)


async def test_while_the_store_is_away_and_there_is_no_more_room_whole_trials_are_shed_not_only_findings() -> (
    None
):
    limits = JournalLimits(pending=PendingLimits(findings=3))
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), mode=Mode.ENFORCE, limits=limits)
    rehearsal.store.failure = StoreUnavailable("away")
    for number in range(10):
        await rehearsal.submit(deployment(BAD, f"bad-{number}"))
        await rehearsal.submit(deployment(GOOD, f"good-{number}"))
        await rehearsal.work_off()
        await rehearsal.journal.flush()
    rehearsal.store.failure = None
    seen = await rehearsal.settle()
    assert seen.standings == {Standing.UNREVIEWED: 3}
    assert seen.workloads - seen.unreviewed <= 3
    counted = seen.modes[Mode.ENFORCE]
    assert (counted.evaluations + counted.dropped, counted.denials) == (20, 3)
    await rehearsal.submit(deployment(BAD, "later"))
    assert (await rehearsal.settle()).unreviewed == 4


async def test_a_silent_process_says_that_it_lives_every_few_seconds() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying())
    reported = []
    for _ in range(12):
        await rehearsal.journal.flush()
        reported.append((await rehearsal.evidence()).reported_ns)
        rehearsal.clock.advance(1)
    assert len(set(reported)) == 3


async def test_evidence_is_written_without_being_asked_for() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), limits=JournalLimits(flush_seconds=0.01))
    async with running(rehearsal.journal):
        await rehearsal.submit(deployment(BAD))
        assert len(await rehearsal.eventually_findings()) == 1


async def test_a_large_batch_is_written_before_its_time() -> None:
    limits = JournalLimits(flush_seconds=3600, pending=PendingLimits(findings=40))
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), limits=limits)
    async with running(rehearsal.journal):
        for number in range(20):
            await rehearsal.submit(deployment(BAD, f"web-{number}"))
        assert await rehearsal.eventually_findings()


async def test_what_is_known_at_the_end_is_written_and_what_waits_is_shed() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), mode=Mode.ENFORCE)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.submit(deployment(GOOD, "other"))
    await rehearsal.journal.aclose()
    seen = await rehearsal.evidence()
    assert seen.standings == {Standing.UNREVIEWED: 1}
    assert (seen.modes[Mode.ENFORCE].evaluations, seen.modes[Mode.ENFORCE].dropped) == (1, 1)


async def test_a_store_that_hangs_does_not_keep_a_process_from_ending() -> None:
    class Hanging(MemoryStore):
        async def record(self, batch: EvidenceBatch) -> None:
            await asyncio.sleep(3600)

    rehearsal = Rehearsal(
        old=denying(), new=denying(), store=Hanging(), limits=JournalLimits(farewell_seconds=0.01)
    )
    async with asyncio.timeout(10):
        await rehearsal.journal.aclose()
    assert rehearsal.journal.failure is not None


# Namespaces and exceptions


async def test_namespaces_are_learned_from_requests() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying())
    for name in ("shop", "pay", "shop"):
        await rehearsal.submit(deployment(GOOD), namespace=name)
    await rehearsal.settle()
    assert list(await rehearsal.store.namespaces()) == ["pay", "shop"]


async def test_a_namespace_that_was_deleted_and_made_anew_is_learned_anew() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying())
    await rehearsal.submit(deployment(GOOD))
    await rehearsal.settle()
    await rehearsal.store.forget_namespaces(["shop"])
    rehearsal.clock.advance(3600)
    await rehearsal.journal.flush()
    await rehearsal.submit(deployment(GOOD))
    await rehearsal.settle()
    assert list(await rehearsal.store.namespaces()) == ["shop"]


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.SHADOW])
async def test_the_use_of_an_exception_is_noted_also_by_a_version_that_is_only_shadowed(mode: Mode) -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), mode=mode, exceptions=[permission()])
    await rehearsal.store.grant(permission())
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    (exception,) = await rehearsal.store.exceptions()
    assert exception.used_ns == rehearsal.clock.now_ns()


async def test_an_exception_that_is_used_all_the_time_is_noted_now_and_then() -> None:
    rehearsal = Rehearsal(
        old=denying(), new=denying(BAD), mode=Mode.ENFORCE, exceptions=[permission(expires_ns=None)]
    )
    await rehearsal.store.grant(permission())
    noted = set()
    for _ in range(20):
        await rehearsal.submit(deployment(BAD))
        await rehearsal.settle()
        noted.add((await rehearsal.store.exceptions())[0].used_ns)
        rehearsal.clock.advance(60)
    assert 3 <= len(noted) <= 5


# What is told


async def test_the_observer_hears_how_the_journal_stands() -> None:
    rehearsal = Rehearsal(old=denying(WORSE), new=denying(BAD, WORSE))
    for number, image in enumerate((BAD, WORSE, GOOD)):
        await rehearsal.submit(deployment(image, f"web-{number}"))
    rehearsal.clock.advance(2)
    await rehearsal.journal.flush()
    before = rehearsal.observer.reports[-1]
    assert (before.open_trials, before.settled_trials) == (3, 0)
    assert 2_000_000_000 <= before.lag_ns < 2_100_000_000
    await rehearsal.settle()
    after = rehearsal.observer.reports[-1]
    assert after.trials == {(POLICY, "1.1.0", Mode.SHADOW): 3}
    assert after.findings == {
        (POLICY, "1.1.0", FindingKind.NEWLY_DENIED): 1,
        (POLICY, "1.1.0", FindingKind.AGREED): 1,
    }
    assert (after.open_trials, after.lag_ns, after.flushes) == (0, 0, 1)


async def test_a_fault_in_the_journal_sheds_one_trial_and_ends_the_run_for_others_to_see() -> None:
    class Broken(ImageEvaluator):
        async def evaluate(self, *_: Any) -> Any:
            raise LookupError("a fault of ours")

    rehearsal = Rehearsal(old=denying(), new=Broken())
    await rehearsal.submit(deployment(GOOD))
    with pytest.raises(ExceptionGroup) as raised:
        await rehearsal.journal.run()
    assert raised.group_contains(LookupError)
    assert (await rehearsal.settle()).modes[Mode.SHADOW] == Counters(dropped=1)


async def test_offering_to_a_journal_that_does_not_run_neither_blocks_nor_raises() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(), limits=JournalLimits(open_trials=5))
    for number in range(20):
        assert (await rehearsal.submit(deployment(GOOD, f"web-{number}"))).allowed
    await until(lambda: True)
    assert rehearsal.journal.waiting == 5
