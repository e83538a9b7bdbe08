"""Signals: verdicts and objections that follow from what people do, not from what they tell Gradate.

- A workload that comes back without the violation that its owner was told of: the denial was right.
- The annotation `gradate.dev/dispute: <why>` on an object that the candidate denies: its user objects.
- An exception granted for a workload with open findings: the denial was wrong.

Requests leave notes; whoever writes evidence sends them afterwards, so that no request waits for a store. What a
person has judged is never judged by a signal, and what is disputed is not settled by a fix.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.flows.judging import Case
from webhook.flows.recency import RecentSet
from webhook.flows.trial import Trial
from webhook.ports.observer import Fix
from webhook.ports.store import FindingQuery, NotInStore, Store
from webhook.rollout.finding import (
    Dispute,
    Finding,
    FindingId,
    FindingKind,
    Judgement,
    Verdict,
    WorkloadDigest,
)
from webhook.rollout.identity import workload_digest
from webhook.rollout.policy_exception import PolicyException
from webhook.rollout.strategy import Mode

DISPUTE_ANNOTATION = "gradate.dev/dispute"
FIXED_ACTOR = "signal:fixed"
EXCEPTION_ACTOR = "signal:exception"

_TELLING = (Mode.WARN, Mode.ENFORCE)
"""The modes in which somebody hears of a violation."""
_REASON_CHARACTERS = 500
_WAITING = 1_000
_REMEMBERED = 4_096
_PAGE = 500


@dataclass(frozen=True, slots=True)
class _Return:
    """An owner whose workload changed and now passes."""

    policy: str
    version: str
    """Semantic, for people."""
    digest: str
    namespace: str
    owner: str


@dataclass(frozen=True, slots=True)
class _Passed:
    workload: WorkloadDigest
    at_ns: int


class Signals:
    """Notes of the requests, until they are sent to the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._returns: dict[_Return, _Passed] = {}
        self._objections: dict[FindingId, Dispute] = {}
        self._told = RecentSet(_REMEMBERED)

    def note_passed(self, trial: Trial, at_ns: int) -> None:
        """Note a request on which neither version raised anything, if it may be a violation's end."""
        if trial.mode not in _TELLING or len(self._returns) >= _WAITING:
            return  # nobody was told of a violation, so nobody has fixed it
        case = trial.case
        if _is_changed_by_its_author(case):
            owner = _Return(
                trial.rollout.policy,
                trial.rollout.version,
                trial.rollout.candidate,
                case.request.namespace,
                str(case.owner),
            )
            self._returns[owner] = _Passed(case.workload, at_ns)

    def note_dispute(self, case: Case, findings: Collection[FindingId], at_ns: int) -> None:
        """Note the objection that a violating object carries, if it does."""
        reason = dispute_reason(case)
        if reason is None or len(self._objections) >= _WAITING:
            return
        actor = case.request.user_info.username or "unknown"
        for identity in findings:
            if (identity, reason) not in self._told:
                self._objections[identity] = Dispute(actor, reason, at_ns)

    async def send(self) -> Sequence[Fix]:
        """Tell the store what was noted; the findings of the objects must be stored by now.

        Returns:
            The violations that were found to be gone.

        Raises:
            StoreError: some of it could not be told; it is kept.

        """
        while self._objections:
            identity, dispute = next(iter(self._objections.items()))
            await self._object(identity, dispute)
            self._objections.pop(identity, None)
        fixes: list[Fix] = []
        open_versions: dict[str, bool] = {}
        while self._returns:
            returned, passed = next(iter(self._returns.items()))
            if returned.digest not in open_versions:
                open_versions[returned.digest] = await self._has_open_findings(returned.digest)
            if open_versions[returned.digest]:
                fixes += await self._settle(returned, passed)
            if self._returns.get(returned) == passed:
                del self._returns[returned]
        return fixes

    async def _object(self, identity: FindingId, dispute: Dispute) -> None:
        try:
            # A Pod that is tried again carries the same annotation, also after somebody has judged the objection.
            known = await self._store.disputes(identity)
            if all(earlier.reason != dispute.reason for earlier in known):
                await self._store.dispute(identity, dispute)
        except NotInStore:
            return
        self._told.add((identity, dispute.reason))

    async def _has_open_findings(self, digest: str) -> bool:
        query = FindingQuery(
            version=digest, kind=FindingKind.NEWLY_DENIED, verdict=Verdict.UNREVIEWED, disputed=False
        )
        return await self._store.count_findings(query) > 0

    async def _settle(self, returned: _Return, passed: _Passed) -> Sequence[Fix]:
        query = FindingQuery(
            version=returned.digest,
            kind=FindingKind.NEWLY_DENIED,
            verdict=Verdict.UNREVIEWED,
            disputed=False,
            namespace=returned.namespace,
            owner=returned.owner,
        )
        gone = [
            finding.id
            for finding in await self._store.findings(query)
            if finding.workload != passed.workload
            and finding.last_seen_ns < passed.at_ns
            and finding.sample.get("mode") in _TELLING
        ]
        if not gone:
            return ()
        judgement = Judgement(
            Verdict.TRUE_POSITIVE,
            FIXED_ACTOR,
            f"{returned.owner} in {returned.namespace} came back without the violation",
            passed.at_ns,
        )
        judged = await self._store.judge(gone, judgement, fixed_ns=passed.at_ns)
        return [Fix(returned.policy, returned.version, finding.time_to_fix_ns or 0) for finding in judged]


async def settle_by_exception(store: Store, exception: PolicyException, now_ns: int) -> Sequence[Finding]:
    """Judge the open findings that a newly granted exception covers: whoever granted it found them wrong.

    Call it after the exception was stored; calling it again changes nothing.

    Returns:
        The findings that were judged.

    Raises:
        StoreError: not all could be judged.

    """
    covered: list[FindingId] = []
    offset = 0
    while True:
        page = await store.findings(_open_findings(exception, offset))
        covered += [
            finding.id
            for finding in page
            if exception.covers(finding.policy, finding.namespace, finding.owner, now_ns)
        ]
        offset += _PAGE
        if len(page) < _PAGE:
            break
    judgement = Judgement(
        Verdict.FALSE_POSITIVE,
        EXCEPTION_ACTOR,
        f"exception {exception.id}, granted by {exception.granted_by}: {exception.reason}",
        now_ns,
    )
    judged: list[Finding] = []
    for start in range(0, len(covered), _PAGE):
        judged += await store.judge(covered[start : start + _PAGE], judgement)
    return judged


def dispute_reason(case: Case) -> str | None:
    """Find the objection that an object or its Pod template carries; None without one."""
    holders: list[Mapping[str, Any]] = [case.request.object]
    if case.view is not None:
        holders.append(case.view.template)
    for holder in holders:
        metadata = holder.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        reason = annotations.get(DISPUTE_ANNOTATION) if isinstance(annotations, dict) else None
        # Who objects tends to quote the value, and a store must never have it.
        if isinstance(reason, str) and (words := " ".join(case.judge.redact(reason).split())):
            return words[:_REASON_CHARACTERS]
    return None


def _open_findings(exception: PolicyException, offset: int) -> FindingQuery:
    is_pattern = any(character in exception.namespace for character in "*?[")
    return FindingQuery(
        policy=exception.policy,
        kind=FindingKind.NEWLY_DENIED,
        verdict=Verdict.UNREVIEWED,
        namespace=None if is_pattern else exception.namespace,
        limit=_PAGE,
        offset=offset,
    )


def _is_changed_by_its_author(case: Case) -> bool:
    """Tell whether this request is somebody's change of a workload, not a controller's or a change beside it.

    Old Pods that are made again while a new template is denied, and updates that leave the template as it is, come
    without the violation, too; they say nothing about it.
    """
    if case.owner.kind != case.request.kind.kind:
        return False
    return _old_workload(case) != case.workload


def _old_workload(case: Case) -> WorkloadDigest | None:
    old = case.request.old_object if case.view is None else case.view.old_pod
    return workload_digest(case.request.namespace, case.owner, old.get("spec")) if old else None
