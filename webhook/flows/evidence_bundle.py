"""The evidence bundle: everything that a rollout was decided by, in one file that an auditor can keep and check.

A plain zip archive, uncompressed and without times of its own, so that the same state always gives the same bytes.
`manifest.json` holds the sha256 of every other file. What is in it, file by file, stands in docs/rollouts.md;
`webhook.flows.bundle_check` checks it.
"""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from webhook.flows.operation_errors import OperationError
from webhook.flows.operator import Operator, find_rollout
from webhook.flows.rollout_status import RolloutName
from webhook.flows.rollout_views import BarView, EvidenceView, view_bars, view_evidence
from webhook.flows.version_history import diff_text
from webhook.ports.store import FindingQuery, Store, StoredVersion
from webhook.rollout.assessment import assess
from webhook.rollout.cohort import cohort_of, members
from webhook.rollout.evidence import Evidence
from webhook.rollout.finding import Dispute, Finding, FindingKind, Judgement, Standing, Verdict, standing_of
from webhook.rollout.life import Rollout, Transition
from webhook.rollout.strategy import NamespaceSelection
from webhook.rollout.strategy_document import strategy_document

T = TypeVar("T")
FORMAT = "gradate-evidence/1"
MANIFEST = "manifest.json"
_LARGEST_BYTES = 2 * 1024**3
_PAGE = 1000
_READINGS = 3
_BEGINNING_OF_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_GRAVITY = tuple(Standing)
_encoder = msgspec.json.Encoder(order="sorted")


class BrokenBundle(OperationError):  # noqa: N818 - reads as what is wrong
    """A file is no evidence bundle, or not a whole one; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who was in, by which numbers."""

    salt: str
    threshold: int
    selection: NamespaceSelection
    namespaces: Sequence[str]
    """All that were known."""
    members: Sequence[str]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the evidence says, in the form that status shows."""

    evidence: EvidenceView
    bars: Sequence[BarView]


@dataclass(frozen=True, slots=True)
class ReviewedFinding:
    """One finding with everything that was said of it."""

    finding: Finding
    judgements: Sequence[Judgement] = ()
    disputes: Sequence[Dispute] = ()


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One line of the manifest."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the archive holds."""

    format: str
    rollout: str
    policy: str
    files: Sequence[FileDigest]


@dataclass(frozen=True, slots=True)
class Bundle:
    """The contents of a bundle."""

    rollout: Rollout
    strategy: Mapping[str, Any]
    cohort: Cohort
    evidence: Evidence
    bounds: Bounds
    findings: Sequence[ReviewedFinding]
    transitions: Sequence[Transition]
    diff: str
    candidate: StoredVersion | None
    """None when its content is not in the store."""
    stable: StoredVersion | None


async def rollout_evidence(operator: Operator, ask: RolloutName) -> bytes:
    """Give the evidence bundle of a rollout: an archive of what it was decided by."""
    rollout = await find_rollout(operator.store, ask.name)
    bundle = await collect(operator.store, rollout)
    # Many findings take seconds to write: not on a loop that may serve admission.
    return await asyncio.to_thread(write_bundle, bundle)


async def collect(store: Store, rollout: Rollout) -> Bundle:
    """Read everything about a rollout."""
    evidence, findings = await _read_evidence(store, rollout)
    versions = {version.digest: version for version in await store.versions(rollout.policy)}
    candidate, stable = versions.get(rollout.candidate), versions.get(rollout.stable or "")
    namespaces = [name for name in await store.namespaces() if name]
    return Bundle(
        rollout=rollout,
        strategy=strategy_document(rollout.strategy),
        cohort=cohort_record(rollout, namespaces),
        evidence=evidence,
        bounds=bounds_of(rollout, evidence),
        findings=findings,
        transitions=await store.transitions(rollout.id),
        diff="" if candidate is None else diff_text(stable, candidate),
        candidate=candidate,
        stable=stable,
    )


def cohort_record(rollout: Rollout, namespaces: Sequence[str]) -> Cohort:
    """Tell who of the known namespaces is in the cohort."""
    selection = rollout.strategy.namespaces
    inside = members(cohort_of(rollout.salt, selection, rollout.threshold), namespaces)
    return Cohort(rollout.salt, rollout.threshold, selection, namespaces, inside)


def bounds_of(rollout: Rollout, evidence: Evidence) -> Bounds:
    """Tell what the evidence says."""
    # Bars do not depend on the time; holds do, and are left out.
    assessment = assess(rollout, evidence, rollout.changed_ns)
    return Bounds(view_evidence(evidence, rollout.strategy.analysis), view_bars(assessment))


def recount(evidence: Evidence, findings: Iterable[Finding]) -> Evidence:
    """Count findings, standings and objections anew; the rest of the evidence stays."""
    counts: dict[FindingKind, dict[Verdict, int]] = {}
    standings: dict[str, Standing] = {}
    disputed = 0
    for finding in findings:
        verdicts = counts.setdefault(finding.kind, {})
        verdicts[finding.verdict] = verdicts.get(finding.verdict, 0) + 1
        disputed += finding.disputed
        standing = standing_of(finding.kind, finding.verdict)
        known = standings.get(finding.workload, Standing.BENIGN)
        standings[finding.workload] = max(known, standing, key=_GRAVITY.index)
    values = list(standings.values())
    totals = {standing: values.count(standing) for standing in _GRAVITY[1:] if standing in values}
    return replace(evidence, findings=counts, standings=totals, disputed=disputed)


def write_bundle(bundle: Bundle) -> bytes:
    """Write an archive."""
    files = _files(bundle)
    digests = [
        FileDigest(name, hashlib.sha256(content).hexdigest()) for name, content in sorted(files.items())
    ]
    manifest = Manifest(FORMAT, bundle.rollout.id, bundle.rollout.policy, digests)
    return pack({**files, MANIFEST: _pretty(manifest)})


def pack(files: Mapping[str, bytes]) -> bytes:
    """Write files as an archive whose bytes depend on nothing else."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _BEGINNING_OF_ZIP_TIME)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """Read an archive.

    Raises:
        BrokenBundle: it is none, or it is damaged or too large.

    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST_BYTES:
                raise BrokenBundle("the archive holds more than any evidence bundle does")
            return {entry.filename: archive.read(entry) for entry in archive.infolist()}
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise BrokenBundle(f"it is no evidence bundle, or it is damaged: {error}") from error


def read_bundle(files: Mapping[str, bytes]) -> Bundle:
    """Read what an archive holds.

    Raises:
        BrokenBundle: a file is missing or is not what it should be.

    """
    lines = _take(files, "findings.jsonl").splitlines()
    candidate, stable = files.get("versions/candidate.json"), files.get("versions/stable.json")
    return Bundle(
        rollout=_decode(files, "rollout.json", Rollout),
        strategy=_decode(files, "strategy.json", dict[str, Any]),
        cohort=_decode(files, "cohort.json", Cohort),
        evidence=_decode(files, "evidence.json", Evidence),
        bounds=_decode(files, "bounds.json", Bounds),
        findings=[_decode_text(line, "findings.jsonl", ReviewedFinding) for line in lines],
        transitions=_decode(files, "transitions.json", list[Transition]),
        diff=_take(files, "diff.patch").decode(errors="replace"),
        candidate=None if candidate is None else _decode_text(candidate, "candidate.json", StoredVersion),
        stable=None if stable is None else _decode_text(stable, "stable.json", StoredVersion),
    )


def read_manifest(files: Mapping[str, bytes]) -> Manifest:
    """Read the manifest.

    Raises:
        BrokenBundle: there is none, or it is of another release.

    """
    manifest = _decode(files, MANIFEST, Manifest)
    if manifest.format != FORMAT:
        raise BrokenBundle(f"its format is {manifest.format!r}, this release reads {FORMAT!r}")
    return manifest


def _files(bundle: Bundle) -> dict[str, bytes]:
    files = {
        "rollout.json": _pretty(bundle.rollout),
        "strategy.json": _pretty(bundle.strategy),
        "cohort.json": _pretty(bundle.cohort),
        "evidence.json": _pretty(bundle.evidence),
        "bounds.json": _pretty(bundle.bounds),
        "findings.jsonl": b"".join(_encoder.encode(finding) + b"\n" for finding in bundle.findings),
        "transitions.json": _pretty(bundle.transitions),
        "diff.patch": bundle.diff.encode(),
    }
    if bundle.candidate is not None:
        files["versions/candidate.json"] = _pretty(bundle.candidate)
    if bundle.stable is not None:
        files["versions/stable.json"] = _pretty(bundle.stable)
    return files


async def _read_evidence(store: Store, rollout: Rollout) -> tuple[Evidence, Sequence[ReviewedFinding]]:
    """Read evidence and findings that belong together, though traffic goes on meanwhile."""
    for _ in range(_READINGS):
        findings = await _read_findings(store, rollout)
        evidence = await store.evidence(rollout.candidate, rollout.stable)
        listed = await asyncio.to_thread(recount, evidence, [reviewed.finding for reviewed in findings])
        if listed == evidence:
            break
    # Otherwise what is listed counts: a bundle must agree with itself.
    return listed, findings


async def _read_findings(store: Store, rollout: Rollout) -> Sequence[ReviewedFinding]:
    found: dict[str, Finding] = {}
    query = FindingQuery(version=rollout.candidate, limit=_PAGE)
    while page := await store.findings(query):
        found.update((finding.id, finding) for finding in page)
        query = replace(query, offset=query.offset + _PAGE)
    reviewed = []
    for identity in sorted(found):
        finding = found[identity]
        judged = finding.judgement is not None
        reviewed.append(
            ReviewedFinding(
                finding,
                await store.judgements(finding.id) if judged else (),
                # A verdict settles an objection: judged findings may have had some.
                await store.disputes(finding.id) if judged or finding.disputed else (),
            )
        )
    return reviewed


def _pretty(document: Any) -> bytes:
    return msgspec.json.format(_encoder.encode(document), indent=2) + b"\n"


def _take(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise BrokenBundle(f"{name} is missing")
    return files[name]


def _decode(files: Mapping[str, bytes], name: str, kind: type[T]) -> T:
    return _decode_text(_take(files, name), name, kind)


def _decode_text(text: bytes, name: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenBundle(f"{name}: {error}") from error
