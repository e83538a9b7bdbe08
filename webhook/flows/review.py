"""Review: the queue of findings, verdicts on them, objections to them.

A verdict may be revised; every one is kept. Whose version is not under way any more is judged all the same, for
the record or for another try, and the answer says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec

from webhook.flows.operation_errors import InvalidField, UnknownName
from webhook.flows.operator import Ask, Operator, View, find_finding, find_version, require_policy
from webhook.flows.review_views import (
    FindingDetail,
    FindingView,
    newest_by_version,
    note_on,
    view_finding,
    view_finding_detail,
)
from webhook.ports.store import FindingQuery, Store
from webhook.rollout.finding import Dispute, Finding, FindingKind, Judgement, Verdict
from webhook.rollout.life import Rollout

_AT_ONCE = 500
_SHOWN_JUDGED = 100


class FindingSelector(Ask, frozen=True, kw_only=True):
    """Which findings; what is left out selects all."""

    policy: str | None = None
    version: str | None = None
    """Semantic version or digest; needs the policy."""
    rule: str | None = None
    namespace: str | None = None
    owner: str | None = None
    """`Deployment/web`."""
    kind: FindingKind | None = None


class ListFindings(FindingSelector, frozen=True, kw_only=True):
    """A part of the review queue."""

    verdict: Verdict | None = None
    unreviewed: bool = False
    """Only those that await review."""
    disputed: bool = False
    """Only those with an open objection."""
    all_versions: bool = False
    """Also those of versions that newer ones took the place of."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


class FindingList(View, frozen=True, kw_only=True):
    """A part of the review queue: disputed ones, those that await review, settled ones; the oldest first."""

    items: tuple[FindingView, ...]
    total: int
    """Without limit and offset."""


class FindingName(Ask, frozen=True, kw_only=True):
    """One finding."""

    id: str


class JudgeFindings(Ask, frozen=True, kw_only=True):
    """A verdict on findings, by their ids or by what they have in common."""

    ids: tuple[str, ...] = ()
    where: FindingSelector | None = None
    """Selects those that await review, of versions that no newer one took the place of."""
    verdict: Verdict
    """`unreviewed` takes a verdict back."""
    reason: str
    dry_run: bool = False
    """Only count."""


class Judged(View, frozen=True, kw_only=True):
    """What a verdict met."""

    count: int
    dry_run: bool
    items: tuple[FindingView, ...]
    """The first hundred, as they stand now."""
    notes: tuple[str, ...]
    """What the verdict does not do."""


class DisputeFinding(Ask, frozen=True, kw_only=True):
    """An objection to a denial."""

    id: str
    reason: str


async def list_findings(operator: Operator, ask: ListFindings) -> FindingList:
    """List a part of the review queue."""
    versions = await _Versions.read(operator.store)
    store, asked, total = operator.store, list[FindingQuery](), 0
    for query in await _queries(operator, ask, versions, everything=ask.all_versions):
        narrowed = replace(
            query,
            verdict=ask.verdict,
            awaits_review=True if ask.unreviewed else None,
            disputed=True if ask.disputed else None,
        )
        if count := await store.count_findings(narrowed):
            asked.append(narrowed)
            total += count
    shown = await _page(store, asked, ask.offset, ask.limit)
    return FindingList(items=tuple(map(versions.view, shown)), total=total)


async def show_finding(operator: Operator, ask: FindingName) -> FindingDetail:
    """Give one finding with its sample, both versions' answers, every verdict and objection."""
    store, finding = operator.store, await find_finding(operator, ask.id)
    identity = finding.id
    rollout = (await _Versions.read(store)).newest.get(finding.version)
    judgements, disputes = await store.judgements(identity), await store.disputes(identity)
    return view_finding_detail(finding, rollout, judgements, disputes)


async def judge_findings(operator: Operator, ask: JudgeFindings) -> Judged:
    """Give findings a verdict; by ids, all of them or none."""
    if not ask.reason.strip():
        raise InvalidField("reason", "is empty; say why, for whoever reads it later")
    if bool(ask.ids) == (ask.where is not None):
        raise InvalidField("ids", "name findings, or select them with `where`: one of the two")
    versions = await _Versions.read(operator.store)
    if ask.where is None:
        found = await _judge_named(operator, ask)
        count = len(found)
    else:
        found, count = await _judge_selected(operator, ask, ask.where, versions)
    notes = {
        f"{one.id}: {note}": None for one in found if (note := note_on(one, versions.newest.get(one.version)))
    }
    shown = tuple(map(versions.view, found[:_SHOWN_JUDGED]))
    return Judged(count=count, dry_run=ask.dry_run, items=shown, notes=tuple(notes)[:_SHOWN_JUDGED])


async def dispute_finding(operator: Operator, ask: DisputeFinding) -> FindingDetail:
    """Object to a denial; the finding goes to the head of the review queue."""
    if not ask.reason.strip():
        raise InvalidField("reason", "is empty; say why the denial is wrong, for whoever reviews it")
    finding = await find_finding(operator, ask.id)
    dispute = Dispute(operator.name, ask.reason.strip(), operator.clock.now_ns())
    await operator.store.dispute(finding.id, dispute)
    return await show_finding(operator, FindingName(id=ask.id))


@dataclass(frozen=True, slots=True)
class _Versions:
    """The versions that findings may be of."""

    newest: "dict[str, Rollout]"
    """The newest rollout of each version, by digest."""
    current: "dict[str, str]"
    """Those that no newer version took the place of, of each policy the newest and the stable one: policy by digest."""

    @staticmethod
    async def read(store: Store) -> "_Versions":
        rollouts = await store.rollouts()
        latest = {rollout.policy: rollout.candidate for rollout in reversed(rollouts)}
        pairs = (*latest.items(), *(await store.stables()).items())
        current = {digest: policy for policy, digest in pairs if digest is not None}
        return _Versions(dict(newest_by_version(rollouts)), current)

    def view(self, finding: Finding) -> FindingView:
        return view_finding(finding, self.newest.get(finding.version))


async def _queries(
    operator: Operator, selector: FindingSelector, versions: _Versions, *, everything: bool
) -> list[FindingQuery]:
    """Translate a selector; one query for each version that is asked for."""
    base = FindingQuery(
        rule=selector.rule,
        namespace=selector.namespace,
        owner=selector.owner,
        kind=selector.kind,
    )
    if selector.policy is not None:
        await require_policy(operator.store, selector.policy)
    if selector.version is not None:
        if selector.policy is None:
            raise InvalidField("version", "needs a policy beside it")
        found = await find_version(operator, selector.policy, selector.version)
        return [replace(base, version=found.digest)]
    if everything:
        return [replace(base, policy=selector.policy)]
    # A version is of one policy: asking for that as well would cost a look at every finding.
    wanted = (digest for digest, policy in versions.current.items() if selector.policy in (None, policy))
    return [replace(base, version=digest) for digest in sorted(wanted)]


async def _page(store: Store, queries: Sequence[FindingQuery], offset: int, limit: int) -> Sequence[Finding]:
    """Give a part of the queue that the answers to several queries make together."""
    if len(queries) == 1:
        return await store.findings(replace(queries[0], offset=offset, limit=limit))
    # Whatever belongs on the page is among the first of each answer.
    found = [
        finding for query in queries for finding in await store.findings(replace(query, limit=offset + limit))
    ]
    found.sort(key=_place_in_queue)
    return found[offset : offset + limit]


async def _judge_named(operator: Operator, ask: JudgeFindings) -> Sequence[Finding]:
    try:
        found = [await find_finding(operator, identity) for identity in dict.fromkeys(ask.ids)]
    except UnknownName as error:
        raise UnknownName(f"{error}; no verdict was given") from error
    if ask.dry_run:
        return found
    return await operator.store.judge([finding.id for finding in found], _judgement(operator, ask))


async def _judge_selected(
    operator: Operator, ask: JudgeFindings, where: FindingSelector, versions: _Versions
) -> tuple[list[Finding], int]:
    if not any((where.policy, where.rule, where.namespace, where.owner)):
        raise InvalidField("where", "selects everything; name a policy, rule, namespace or owner")
    if ask.verdict is Verdict.UNREVIEWED:
        raise InvalidField("verdict", "verdicts are taken back by the ids of their findings only")
    store, shown, count = operator.store, list[Finding](), 0
    for query in await _queries(operator, where, versions, everything=False):
        waiting = replace(query, awaits_review=True, limit=_AT_ONCE)
        expected = await store.count_findings(waiting)
        if ask.dry_run:
            count += expected
            shown += (await store.findings(waiting))[: _SHOWN_JUDGED - len(shown)]
            continue
        judged = 0
        # Those judged leave the queue; those that come in meanwhile were not meant.
        while judged < expected and (found := await store.findings(waiting)):
            chosen = [finding.id for finding in found[: expected - judged]]
            judged += len(chosen)
            shown += (await store.judge(chosen, _judgement(operator, ask)))[: _SHOWN_JUDGED - len(shown)]
        count += judged
    return shown, count


def _judgement(operator: Operator, ask: JudgeFindings) -> Judgement:
    return Judgement(ask.verdict, operator.name, ask.reason.strip(), operator.clock.now_ns())


def _place_in_queue(finding: Finding) -> tuple[int, int, str]:
    # As the store orders each of its answers.
    urgency = 2 if finding.disputed else int(finding.awaits_review)
    return -urgency, finding.first_seen_ns, finding.id
