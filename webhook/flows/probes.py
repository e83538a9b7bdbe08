"""Must-deny probes: objects that every version of a policy has to deny before its rollout begins.

Owns their files and how a version is asked. They stand outside the policy: a version cannot loosen what it is
probed with, and a unit test that is changed along with a rule does not hide that the rule lets something in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from webhook.admission.errors import AdmissionError
from webhook.admission.review import API_VERSION, KIND, Review, decode_review
from webhook.decision.verdict import Outcome
from webhook.flows.judging import Case, DecisionRules, judge_version
from webhook.flows.probe_errors import InvalidProbe
from webhook.flows.snapshot import LoadedVersion
from webhook.policy.index import MatchIndex
from webhook.policy.version import PolicyVersion
from webhook.ports.clock import Clock
from webhook.ports.evaluator import EvaluatorFactory
from webhook.ports.source import PolicySource
from webhook.rego.ast import Source

PROBE_SUFFIX = ".must-deny.yaml"
"""`credential-env.must-deny.yaml` holds the probes of `credential-env`."""
_LONGEST_NS = 250_000_000
"""What one probe may take: it is asked on the loop that serves requests."""
_DEFAULT_NAMESPACE = "default"
_USER = "gradate:probe"


@dataclass(frozen=True, slots=True)
class Probe:
    """One object, as the API server would send it when somebody creates it."""

    path: str
    """The file."""
    subject: str
    """Kind, namespace and name."""
    review: Review

    @property
    def place(self) -> str:
        """Say which one it is."""
        return f"{self.path}: {self.subject}"


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """How a version answered one probe."""

    probe: Probe
    instead: str
    """What was answered instead of a denial; empty when it was one."""


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """How a version answered its probes."""

    answers: tuple[ProbeAnswer, ...] = ()

    @property
    def denied(self) -> int:
        """Count those that were denied."""
        return sum(not answer.instead for answer in self.answers)

    @property
    def let_through(self) -> tuple[str, ...]:
        """Give the others: which, and what was answered instead."""
        return tuple(f"{one.probe.place}: {one.instead}" for one in self.answers if one.instead)


class Probes:
    """Asks versions what the files of probes hold."""

    def __init__(
        self, source: PolicySource, factory: EvaluatorFactory, rules: DecisionRules, clock: Clock
    ) -> None:
        """Take the parts; `source` gives the files whose names end in `PROBE_SUFFIX`."""
        self._source = source
        self._factory = factory
        self._rules = rules
        self._clock = clock

    async def ask(self, version: PolicyVersion) -> ProbeReport:
        """Have a version judge its probes; exceptions and exempt namespaces do not count.

        Raises:
            SourceError, InvalidProbe: the files cannot be read.
            PolicyError: the version does not compile.

        """
        probes = read_probes(await self._source.read(), version.name)
        if not probes:
            return ProbeReport()
        loaded = LoadedVersion(version, await self._factory.build(version))
        try:
            answers = [ProbeAnswer(probe, await self._judge(loaded, probe)) for probe in probes]
        finally:
            await loaded.evaluator.aclose()
        return ProbeReport(tuple(answers))

    async def _judge(self, loaded: LoadedVersion, probe: Probe) -> str:
        """Give what was answered instead of a denial; empty when it was one."""
        case = Case(probe.review, self._rules)
        for match in MatchIndex((loaded.version,)).find(case.request):
            if match.as_pod and case.lacks_pod:
                continue
            deadline_ns = self._clock.monotonic_ns() + _LONGEST_NS
            verdict = await judge_version(loaded, match, case, deadline_ns, self._clock)
            if verdict.error is not None:
                return f"{verdict.outcome}, {verdict.error.code}: {verdict.error.message}"
            return "" if verdict.outcome is Outcome.DENY else verdict.outcome.value
        return "not judged: the policy matches no such object"


def read_probes(sources: Sequence[Source], policy: str) -> tuple[Probe, ...]:
    """Read the probes of a policy: YAML documents, each an object or a List of them.

    Raises:
        InvalidProbe: one is no Kubernetes object.

    """
    files = [source for source in sources if Path(source.path).name == policy + PROBE_SUFFIX]
    return tuple(_probe(source.path, found) for source in files for found in _objects(source))


def _objects(source: Source) -> Iterator[dict[str, Any]]:
    try:
        documents = list(yaml.safe_load_all(source.text))
    except yaml.YAMLError as error:
        raise InvalidProbe(f"{source.path}: is no YAML: {error}") from error
    for document in documents:
        items = (
            document.get("items") if isinstance(document, dict) and document.get("kind") == "List" else None
        )
        for found in items if isinstance(items, list) else [document]:
            # Separators at the end make documents of nothing.
            if found is None:
                continue
            if not isinstance(found, dict) or not found.get("apiVersion") or not found.get("kind"):
                raise InvalidProbe(f"{source.path}: each document is an object with apiVersion and kind")
            yield found


def _probe(path: str, found: dict[str, Any]) -> Probe:
    group, _, version = str(found["apiVersion"]).rpartition("/")
    kind, metadata = str(found["kind"]), found.get("metadata")
    named: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
    namespace = str(named.get("namespace") or _DEFAULT_NAMESPACE)
    name = str(named.get("name") or "")
    request = {
        "uid": "probe",
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": _plural(kind)},
        "operation": "CREATE",
        "namespace": namespace,
        "name": name,
        "userInfo": {"username": _USER},
        "dryRun": True,
        "object": found,
    }
    subject = f"{kind} {namespace}/{name}"
    try:
        body = msgspec.json.encode({"apiVersion": API_VERSION, "kind": KIND, "request": request})
        return Probe(path, subject, decode_review(body))
    except (AdmissionError, TypeError, ValueError) as error:
        raise InvalidProbe(f"{path}: {subject}: is no Kubernetes object: {error}") from error


def _plural(kind: str) -> str:
    """Guess a kind's resource as Kubernetes itself does where it knows only the kind."""
    name = kind.lower()
    if name.endswith("s"):
        return name + "es"
    return name[:-1] + "ies" if name.endswith("y") else name + "s"
