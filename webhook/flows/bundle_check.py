"""Checking an evidence bundle: its checksums, its counts, and the decisions, made again by the engine's own code.

Pure. What only the server saw, such as how many workloads were benign, cannot be made again from a bundle; the
answer names it.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import msgspec

from webhook.flows.evidence_bundle import (
    MANIFEST,
    BrokenBundle,
    Bundle,
    bounds_of,
    cohort_record,
    pack,
    read_bundle,
    read_manifest,
    recount,
    unpack,
)
from webhook.flows.verification import CheckedFact, Verification
from webhook.flows.version_history import diff_text
from webhook.policy.catalog import restore_version
from webhook.policy.errors import PolicyError
from webhook.ports.store import StoredVersion
from webhook.rego.ast import Source
from webhook.rollout.assessment import assess
from webhook.rollout.errors import RolloutError
from webhook.rollout.evidence import Counters
from webhook.rollout.finding import Finding, Verdict, finding_id
from webhook.rollout.life import ENGINE, Event, Phase, Reason, StepTimer, Transition
from webhook.rollout.states import ARROWS
from webhook.rollout.strategy_document import strategy_document

_ARROWS = frozenset((arrow.source, arrow.event, arrow.target) for arrow in ARROWS)
_TAKEN_ON_TRUST = (
    "how many distinct workloads and evaluations there were: they are counted, not listed",
    "how long each step was served: looks at the clock are not kept",
    "that nobody rewrote the whole bundle: keep the sha256 of the file somewhere else",
)


class _Wrong(Exception):  # noqa: N818 - never leaves this module
    """A check found something wrong."""


_Check = Callable[[Bundle], str]


def verify_bundle(data: bytes) -> Verification:
    """Check a bundle; nothing that is wrong with it raises."""
    digest = hashlib.sha256(data).hexdigest()
    try:
        files = unpack(data)
        facts = [
            _run("archive", lambda: _check_archive(files, data)),
            _run("checksums", lambda: _check_files(files)),
        ]
        bundle = read_bundle(files)
    except BrokenBundle as error:
        broken = CheckedFact(name="archive", passed=False, detail=str(error))
        return Verification(
            passed=False,
            sha256=digest,
            rollout="",
            policy="",
            version="",
            phase=None,
            facts=(broken,),
            taken_on_trust=(),
        )
    facts += [_run(name, partial(check, bundle)) for name, check in _CHECKS.items()]
    rollout = bundle.rollout
    return Verification(
        passed=all(fact.passed for fact in facts),
        sha256=digest,
        rollout=rollout.id,
        policy=rollout.policy,
        version=rollout.version,
        phase=rollout.phase,
        facts=tuple(facts),
        taken_on_trust=_TAKEN_ON_TRUST,
    )


def _run(name: str, check: Callable[[], str]) -> CheckedFact:
    try:
        return CheckedFact(name=name, passed=True, detail=check())
    except (_Wrong, BrokenBundle, RolloutError, PolicyError, ValueError, IndexError) as error:
        return CheckedFact(name=name, passed=False, detail=str(error))


def _check_archive(files: Mapping[str, bytes], data: bytes) -> str:
    if pack(files) != data:
        raise _Wrong("its bytes are not those that Gradate writes for these files")
    return f"{len(files)} files, as Gradate writes them"


def _check_files(files: Mapping[str, bytes]) -> str:
    named = {file.name: file.sha256 for file in read_manifest(files).files}
    present = {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != MANIFEST
    }
    wrong = sorted(name for name in {*named, *present} if named.get(name) != present.get(name))
    if wrong:
        raise _Wrong(f"not as the manifest says: {', '.join(wrong)}")
    return "every file has the sha256 of the manifest"


def _check_versions(bundle: Bundle) -> str:
    rollout = bundle.rollout
    for version, digest in ((bundle.candidate, rollout.candidate), (bundle.stable, rollout.stable)):
        if version is not None:
            _check_version(version, rollout.policy, digest)
    if bundle.candidate is None:
        return "the candidate's content is not in the bundle"
    if diff_text(bundle.stable, bundle.candidate) != bundle.diff:
        raise _Wrong("diff.patch is not the difference of the two versions")
    return "modules, metadata and parameters have their digests; the diff is theirs"


def _check_version(version: StoredVersion, policy: str, digest: str | None) -> None:
    if (version.policy, version.digest) != (policy, digest):
        raise _Wrong(f"it holds {version.policy} {version.digest}, the rollout names {digest}")
    sources = [Source(path, text) for path, text in version.sources]
    restored = restore_version(policy, sources, version.metadata.get("parameters", {}), version.digest)
    if restored.semantic_version != version.version:
        raise _Wrong(f"version {version.version} says of itself that it is {restored.semantic_version}")


def _check_strategy(bundle: Bundle) -> str:
    # Not read as a user's: one that was narrowed to a policy's namespaces may name some that it never touches.
    if bundle.strategy != msgspec.to_builtins(strategy_document(bundle.rollout.strategy)):
        raise _Wrong("strategy.json is not the strategy of the rollout")
    return "strategy.json is what the rollout was decided by"


def _check_cohort(bundle: Bundle) -> str:
    if cohort_record(bundle.rollout, bundle.cohort.namespaces) != bundle.cohort:
        raise _Wrong("its members do not follow from salt and threshold")
    return f"{len(bundle.cohort.members)} of {len(bundle.cohort.namespaces)} namespaces follow from salt and threshold"


def _check_findings(bundle: Bundle) -> str:
    rollout = bundle.rollout
    for reviewed in bundle.findings:
        finding = reviewed.finding
        if finding.id != finding_id(finding.version, finding.rule, finding.workload):
            raise _Wrong(f"{finding.id} is not the id of its version, rule and workload")
        if (finding.version, finding.policy) != (rollout.candidate, rollout.policy):
            raise _Wrong(f"{finding.id} is of another version")
        if finding.judgement != (reviewed.judgements[-1] if reviewed.judgements else None):
            raise _Wrong(f"the verdict of {finding.id} is not its last one")
        if finding.verdict is not (finding.judgement.verdict if finding.judgement else Verdict.UNREVIEWED):
            raise _Wrong(f"the verdict of {finding.id} was given by nobody")
        if finding.disputed and not reviewed.disputes:
            raise _Wrong(f"nobody disputed {finding.id}")
    findings = [reviewed.finding for reviewed in bundle.findings]
    if len({finding.id for finding in findings}) != len(findings):
        raise _Wrong("a finding is listed twice")
    return f"{len(findings)} findings, {sum(map(_is_judged, findings))} judged, each by its last verdict"


def _is_judged(finding: Finding) -> bool:
    return finding.judgement is not None


def _check_counts(bundle: Bundle) -> str:
    evidence = recount(bundle.evidence, [reviewed.finding for reviewed in bundle.findings])
    if evidence != bundle.evidence:
        raise _Wrong("evidence.json does not count the findings that are listed")
    raised = len({reviewed.finding.workload for reviewed in bundle.findings})
    if raised > bundle.evidence.workloads:
        raise _Wrong(f"{raised} workloads raised findings, more than there were")
    return "findings, verdicts, objections and the standing of workloads add up"


def _check_bounds(bundle: Bundle) -> str:
    again = bounds_of(bundle.rollout, bundle.evidence)
    if not _alike(msgspec.to_builtins(again), msgspec.to_builtins(bundle.bounds)):
        raise _Wrong("bounds.json does not follow from strategy and evidence")
    evidence = bundle.bounds.evidence
    return f"e-value {evidence.e_value:.4g} of {evidence.e_value_needed:.4g}, rate below {evidence.upper_bound:.3g}"


def _alike(one: object, other: object) -> bool:
    """Compare plain data; numbers may differ as much as those of two machines do."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-6)
    return one == other


def _check_history(bundle: Bundle) -> str:
    before: Phase | None = None
    for transition in bundle.transitions:
        if (
            transition.source,
            transition.event,
            transition.target,
        ) not in _ARROWS or transition.source is not before:
            raise _Wrong(f"{transition.event} cannot lead from {before} to {transition.target}")
        if transition.rollout != bundle.rollout.id:
            raise _Wrong(f"{transition.event} is of another rollout")
        before = transition.target
    rollout = bundle.rollout
    if not bundle.transitions:
        raise _Wrong("it has no history")
    last = bundle.transitions[-1]
    if (last.target, last.step, last.threshold, last.reason, last.message) != (
        rollout.phase, rollout.step, rollout.threshold, rollout.reason, rollout.message,
    ):  # fmt: skip
        raise _Wrong("the rollout is not where its last transition led")
    if rollout.attempt != 1 + sum(one.event is Event.RETRY for one in bundle.transitions):
        raise _Wrong("the number of attempts is not that of the history")
    return f"{len(bundle.transitions)} transitions, each possible after the one before"


def _check_decisions(bundle: Bundle) -> str:
    checked = 0
    for transition, step, baseline in _present_attempt(bundle):
        problem = _judge(bundle, transition, step, baseline)
        if problem:
            raise _Wrong(f"{transition.event} to {transition.target}: {problem}")
        checked += transition.event in _DECISIONS
    return f"{checked} decisions of attempt {bundle.rollout.attempt} follow from the evidence kept with them"


_DECISIONS = frozenset({Event.ADVANCE, Event.COMPLETE, Event.ROLL_BACK, Event.EXTEND, Event.PROMOTE})


def _present_attempt(bundle: Bundle) -> Iterator[tuple[Transition, int, Counters | None]]:
    """Give the transitions since the last retry, each with the step before it and the counters not held against it.

    An earlier attempt may have gone by another strategy, which is not kept.
    """
    starts = [index for index, one in enumerate(bundle.transitions) if one.event is Event.RETRY]
    first = starts[-1] if starts else 0
    retried = bundle.transitions[first].evidence if starts else None
    baseline = None if retried is None else retried.total
    if baseline != bundle.rollout.baseline:
        raise _Wrong("the rollout's baseline is not what was counted when it was retried")
    step = 0
    for transition in bundle.transitions[first:]:
        yield transition, step, baseline
        step = transition.step


def _judge(bundle: Bundle, transition: Transition, step: int, baseline: Counters | None) -> str:
    """Make one decision again; empty when it comes out the same."""
    if transition.event not in _DECISIONS:
        return ""
    by_engine = transition.event is not Event.PROMOTE
    if by_engine is not (transition.actor == ENGINE):
        return f"{transition.actor} does not decide that"
    if transition.evidence is None:
        return "no evidence is kept with it"
    before = replace(
        bundle.rollout,
        phase=transition.source or Phase.PENDING,
        step=step,
        baseline=baseline,
        timer=StepTimer(0, transition.at_ns),
    )
    assessment = assess(before, transition.evidence, transition.at_ns)
    if transition.event is Event.PROMOTE:
        against = transition.source is Phase.PENDING or not assessment.clears
        return (
            "" if transition.forced is against else "whether it was forced does not follow from the evidence"
        )
    if transition.event in (Event.ADVANCE, Event.COMPLETE):
        return "" if assessment.clears else "the evidence does not clear every bar"
    if transition.reason is Reason.BAR_MISSED:
        return "" if assessment.missed else "the evidence proves no bar to be missed"
    return "the evidence clears every bar" if assessment.clears else ""


_CHECKS: Mapping[str, _Check] = {
    "versions": _check_versions,
    "strategy": _check_strategy,
    "cohort": _check_cohort,
    "findings": _check_findings,
    "counts": _check_counts,
    "bounds": _check_bounds,
    "history": _check_history,
    "decisions": _check_decisions,
}
