"""Act two: a version that is slightly too strict is rolled out and rolls back, its correction is promoted.

A real server, 40 namespaces, several thousand requests over verified TLS, and the commands that people type. Every
number that is shown is the engine's own.
"""

import shlex
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bench.local_server import HOST, ROOT, free_ports, gradate_command, run_server
from docs.demo.cluster import CACHE, NAMESPACES, PREVIEW, Cluster, Workload
from docs.demo.desk import Desk, Json, Surprise
from docs.demo.traffic import Answer, Line, Traffic
from webhook.tls.folder import CertificateFolder

POLICY = "pinned-images"
VERSIONS = Path(__file__).parent / "pinned_images"
STABLE, STRICT, CORRECTED = "1.0.0", "1.1.0", "1.1.1"
STRATEGY: dict[str, Any] = {
    "steps": [
        {"mode": "enforce", "percent": 5, "duration": "4s"},
        {"mode": "enforce", "percent": 25, "duration": "2s"},
        {"mode": "enforce", "percent": 100},
    ],
    "analysis": {"falsePositiveRate": {"max": 0.01, "confidence": 0.95}},
}
_FIRST_REQUESTS = 1_000
"""So many that every namespace is known."""
_ENOUGH_TO_PROVE = 12
_INDENT = 4
_REVIEW_SECONDS = 1.5
_PROMOTION_SECONDS = 45.0


def play_rollout(console: Console, folder: Path, certificates: CertificateFolder) -> None:
    """Play the act in a folder of its own.

    Raises:
        ServerError: the server does not come up.
        Surprise: something does not go as told.

    """
    port, operations_port = free_ports(2)
    _furnish(folder, certificates, port, operations_port)
    command = gradate_command("serve")
    with run_server(command, folder, certificates, port=port, probe_port=operations_port) as server:
        cluster, line = Cluster(), Line(server)
        with Traffic(server, cluster) as traffic:
            desk = Desk(folder, operations_port, console.width - _INDENT)
            story = _Story(console, folder, _Scenery(desk, cluster, line, traffic))
            story.play()
        line.close()


def _furnish(folder: Path, certificates: CertificateFolder, port: int, operations_port: int) -> None:
    """Lay out what a platform team has: settings, policies, unit tests."""
    shutil.copytree(ROOT / "policies", folder / "policies")
    shutil.copytree(ROOT / "policy-tests", folder / "policy-tests")
    _save(folder, STABLE)
    settings = {
        "server": {
            "listen": f"{HOST}:{port}",
            "operationsListen": f"{HOST}:{operations_port}",
            "tlsCert": str(certificates.serving_certificate),
            "tlsKey": str(certificates.serving_key),
        },
        "rollout": {"tickSeconds": 0.1, "strategy": STRATEGY},
    }
    (folder / "gradate.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def _save(folder: Path, version: str) -> None:
    """Save a version and its unit tests, the tests first."""
    shutil.copy(VERSIONS / f"{version}_test.rego", folder / "policy-tests" / "pinned_images_test.rego")
    shutil.copy(VERSIONS / f"{version}.rego", folder / "policies" / "pinned_images.rego")


@dataclass(frozen=True, slots=True)
class _Scenery:
    """What the story is played with."""

    desk: Desk
    cluster: Cluster
    line: Line
    traffic: Traffic


class _Story:
    """The act, scene by scene; each raises Surprise when it does not go as told."""

    def __init__(self, console: Console, folder: Path, scenery: _Scenery) -> None:
        self._console = console
        self._folder = folder
        self._desk = scenery.desk
        self._cluster = scenery.cluster
        self._line = scenery.line
        self._traffic = scenery.traffic
        self._spaced = False

    def play(self) -> None:
        """Play all scenes."""
        self._introduce()
        inside, outside = self._roll_out_too_strict_version()
        self._deny_in_cohort_only(inside, outside)
        self._dispute(inside)
        self._roll_back(inside)
        self._roll_out_corrected_version()
        self._earn_promotion()
        self._prove_promotion()
        self._look_back()

    # Scenes

    def _introduce(self) -> None:
        self._title(1, "A cluster at work")
        self._tell(
            f"{POLICY} {STABLE} is stable: it denies images without a tag, and :latest. {len(NAMESPACES)} namespaces "
            f"start {len(self._cluster)} Deployments again and again, each with its ReplicaSet and Pods. "
            "The strategy: enforce in 5 % of the namespaces, then in 25 %, then everywhere; promote on proof, at 95 % "
            "confidence, that under 1 % of all workloads are wrongly denied. Real strategies say 72h and 0.03 %: "
            "here the clock is accelerated, and the bar is one that half a minute of traffic can clear. The rest is "
            "as it always is."
        )
        self._desk.wait("requests", lambda: self._count() >= _FIRST_REQUESTS)
        self._check(not self._traffic.answers[False], "stable denies nothing that runs here")
        self._tell(f"{self._count():,} requests so far, all admitted.")

    def _roll_out_too_strict_version(self) -> tuple[str, str]:
        self._title(2, f"Security saves {STRICT}: a branch is no release")
        _save(self._folder, STRICT)
        self._until_phase("Progressing", STRICT)
        self._run("policies", "diff", POLICY, "stable", "candidate", only=("+", "-"))
        status = self._status()
        cohort = status["cohort"]
        self._check(cohort["size"] == 2, "5 % of 40 namespaces are two")
        inside = cohort["namespaces"][0]
        outside = next(name for name in NAMESPACES if name not in cohort["namespaces"])
        self._tell(
            "Saving the file was all: its unit tests passed, and the rollout began. The cohort is "
            f"{' and '.join(cohort['namespaces'])}; everywhere else {STABLE} decides, and {STRICT} is only watched."
        )
        return inside, outside

    def _deny_in_cohort_only(self, inside: str, outside: str) -> None:
        self._title(3, "The same workload, inside the cohort and outside")
        denied = self._submit(self._cluster.get(inside, CACHE))
        self._check(not denied.allowed, f"{CACHE} in {inside} is denied")
        for part in (STRICT, "step 1 of 3", "finding "):
            self._check(part in denied.message, f"the denial names {part.strip()!r}")
        admitted = self._submit(self._cluster.get(outside, CACHE))
        self._check(admitted.allowed and not admitted.message, f"{CACHE} in {outside} is admitted")

    def _dispute(self, inside: str) -> None:
        self._title(4, "A developer objects")
        reason = "7.4.2-alpine is a release, built on Alpine"
        self._tell(f'She annotates the Deployment with gradate.dev/dispute: "{reason}" and tries again.')
        cache = self._cluster.get(inside, CACHE)
        denied = self._line.ask(cache.deployment({"gradate.dev/dispute": reason}))
        self._check(not denied.allowed, "an objection admits nothing by itself")
        self._desk.wait("the dispute", lambda: self._desk.findings(policy=POLICY, disputed="true"))
        self._run("review", "list", "--unreviewed", "--limit", "4")
        (finding,) = self._desk.findings(policy=POLICY, disputed="true")
        self._check(finding["namespace"] == inside, "the disputed finding heads the queue")

    def _roll_back(self, inside: str) -> None:
        self._title(5, "The security team judges, the engine decides")
        self._desk.wait("findings", lambda: len(self._findings(CACHE)) >= _ENOUGH_TO_PROVE)
        (finding,) = self._desk.findings(policy=POLICY, disputed="true")
        why = "a release for a base image is a release"
        self._judge("false", why, finding["id"])
        self._check(self._status()["rollout"]["phase"] == "Progressing", "one verdict proves no rate")
        self._tell(
            "One false positive among all these workloads proves nothing yet. Others wait for the same reason:"
        )
        self._judge("false", why, "--policy", POLICY, "--owner", f"Deployment/{CACHE}", "--yes")
        self._until_phase("Degraded", STRICT)
        self._check(self._status()["rollout"]["reason"] == "BarMissed", "a bar was missed")
        self._run("rollout", "explain", POLICY)
        cache = self._cluster.get(inside, CACHE)
        self._desk.wait("the roll-back", lambda: self._line.ask(cache.deployment()).allowed, seconds=5)
        judged_at = self._desk.judged_at(self._findings(CACHE)[-1]["id"])
        seconds = (_time(self._status()["rollout"]["changedAt"]) - _time(judged_at)).total_seconds()
        self._tell(
            f"Rolled back by itself, {seconds:.2f} s after the verdicts; {CACHE} is admitted in {inside} again."
        )

    def _roll_out_corrected_version(self) -> None:
        self._title(6, f"Security saves {CORRECTED}, with a test for such tags")
        _save(self._folder, CORRECTED)
        self._until_phase("Progressing", CORRECTED)
        cohort = self._status()["cohort"]["namespaces"]
        preview = self._cluster.get(cohort[0], PREVIEW)
        self._tell(
            f"A new cohort: {' and '.join(cohort)}. Their caches start; their previews of a branch do not:"
        )
        cache = self._cluster.get(cohort[0], CACHE)
        self._desk.wait(
            "the new version", lambda: not self._line.ask(preview.deployment()).allowed, seconds=5
        )
        self._check(self._submit(cache).allowed, f"{CACHE} in {cohort[0]} is admitted")
        self._check(not self._submit(preview).allowed, f"{PREVIEW} in {cohort[0]} is denied")

        image = preview.image.replace(":main", ":0.9.0")
        self._tell(f"Its developer releases {image} instead. Nobody has to say that the denial was right:")
        self._wait_for_finding(preview, "unreviewed")
        changed = self._cluster.change(preview, image)
        self._check(self._submit(changed).allowed, "the release is admitted")
        finding = self._wait_for_finding(preview, "true-positive")
        self._run(
            "review",
            "show",
            finding["id"],
        )

    def _earn_promotion(self) -> None:
        self._title(7, "Evidence")
        self._tell(
            "Until it is reviewed, every denial counts as false: silence never promotes. So they review."
        )
        self._run("rollout", "status", POLICY)
        deadline, last, reviewed = time.monotonic() + _PROMOTION_SECONDS, "", 0.0
        while True:
            status = self._status()
            line = _progress(status)
            if line != last:
                self._show(line, "cyan")
                last = line
            if status["rollout"]["phase"] != "Progressing":
                break
            now = time.monotonic()
            self._check(now < deadline, f"{CORRECTED} is promoted within {_PROMOTION_SECONDS:g} s")
            if status["evidence"]["unreviewed"] and now - reviewed > _REVIEW_SECONDS:
                self._judge(
                    "true",
                    "a branch is no release",
                    "--policy",
                    POLICY,
                    "--owner",
                    "Deployment/preview",
                    "--yes",
                )
                reviewed = time.monotonic()
            time.sleep(0.25)
        self._check(status["rollout"]["phase"] == "Healthy", f"{CORRECTED} is promoted")

    def _prove_promotion(self) -> None:
        self._title(8, f"{CORRECTED} is stable")
        namespace = NAMESPACES[-1]
        preview = self._cluster.get(namespace, PREVIEW)
        self._desk.wait("enforcement", lambda: not self._line.ask(preview.deployment()).allowed, seconds=5)
        for name in NAMESPACES:
            self._check(
                self._line.ask(self._cluster.get(name, CACHE).deployment()).allowed,
                f"{CACHE} in {name} is admitted",
            )
        self._tell(
            f"Branches are denied in all {len(NAMESPACES)} namespaces, releases for a base image in none."
        )
        self._run("rollout", "history", POLICY)
        self._run("rollout", "evidence", POLICY, "--out", "evidence.zip")
        self._run("rollout", "verify", "evidence.zip")

    def _look_back(self) -> None:
        self._title(9, "What it was worth")
        self._check(self._traffic.failure is None, f"the traffic never failed: {self._traffic.failure}")
        names = ("gradate_trials_total", "gradate_findings_total", "gradate_time_to_fix_seconds_count")
        lines = [line for line in self._desk.metrics() if line.startswith(names) and POLICY in line]
        self._check(lines, "metrics tell of the rollouts")
        self._show("\n".join(lines), "dim")
        answers = self._traffic.answers
        self._tell(
            f"{self._count():,} requests over verified TLS, {answers[False]:,} of them denied, all answered. "
            f"Had {STRICT} gone to every namespace at once, {len(NAMESPACES)} teams could not have started their caches."
        )

    # What scenes do

    def _status(self) -> Json:
        status = self._desk.status(POLICY)
        if status is None:
            raise Surprise(f"{POLICY} has no rollout")
        return status

    def _until_phase(self, phase: str, version: str) -> None:
        def holds() -> bool:
            status = self._desk.status(POLICY)
            return status is not None and (status["rollout"]["phase"], status["rollout"]["version"]) == (
                phase,
                version,
            )

        self._desk.wait(f"{POLICY} {version} becomes {phase}", holds)

    def _findings(self, owner: str) -> list[Json]:
        return self._desk.findings(policy=POLICY, owner=f"Deployment/{owner}")

    def _wait_for_finding(self, workload: Workload, verdict: str) -> Json:
        found: list[Json] = []

        def holds() -> bool:
            found[:] = self._desk.findings(
                policy=POLICY,
                version=CORRECTED,
                namespace=workload.namespace,
                owner=f"Deployment/{workload.name}",
                verdict=verdict,
            )
            return bool(found)

        self._desk.wait(f"a finding on {workload.name} in {workload.namespace} is {verdict}", holds)
        return found[0]

    def _submit(self, workload: Workload) -> Answer:
        """Send a Deployment, and show the answer."""
        answer = self._line.ask(workload.deployment())
        verdict, colour = ("ADMITTED", "green") if answer.allowed else ("DENIED", "red")
        shown = Text.assemble(
            (f"{verdict:<9}", f"bold {colour}"),
            f"Deployment {workload.name} in {workload.namespace}, {workload.image}",
            (f"  {answer.milliseconds:.1f} ms", "dim"),
        )
        self._print(shown, _INDENT)
        self._show(answer.message, colour, _INDENT + 9)
        return answer

    def _judge(self, verdict: str, why: str, *which: str) -> None:
        self._run("review", "verdict", *which, f"--{verdict}-positive", "--user", "noor", "--reason", why)

    def _run(self, *words: str, only: tuple[str, ...] = ("",)) -> None:
        """Run a command as a user would, and show what it prints, or those lines that begin in some way."""
        command = f"$ gradate {shlex.join(words)}" + (
            f" | grep '^[{''.join(only)}]'" if only != ("",) else ""
        )
        self._space()
        self._show(command, "bold")
        printed = self._desk.run(*words).rstrip().splitlines()
        self._show("\n".join(line for line in printed if line.startswith(only)), "dim")
        self._space()

    def _show(self, text: str, style: str, indent: int = _INDENT) -> None:
        """Show lines as they are; what is too wide goes on beneath its own beginning."""
        for line in text.splitlines():
            depth = indent + len(line) - len(line.lstrip())
            self._print(Text(line.strip(), style), depth)

    def _title(self, number: int, text: str) -> None:
        self._space()
        self._print(Text.assemble(f"{number} ", (text, "bold")), 0)

    def _tell(self, text: str) -> None:
        self._print(Text(text), _INDENT // 2)

    def _print(self, text: Text, indent: int) -> None:
        self._console.print(Padding(text, (0, 0, 0, indent), expand=False))
        self._spaced = False

    def _space(self) -> None:
        """Leave a line free, unless one is."""
        if not self._spaced:
            self._console.print()
        self._spaced = True

    def _count(self) -> int:
        return sum(self._traffic.answers.values())

    def _check(self, holds: object, claim: str) -> None:
        if not holds:
            raise Surprise(f"expected that {claim}")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _progress(status: Json) -> str:
    rollout, evidence, cohort = status["rollout"], status["evidence"], status["cohort"]
    where = "everywhere" if cohort["everywhere"] else f"{cohort['size']} of {cohort['eligible']} namespaces"
    needed = evidence["workloadsNeeded"]
    return (
        f"{rollout['phase']}, step {rollout['step']} of {rollout['steps']}, {where}: "
        f"{evidence['trials']} benign workloads, {evidence['truePositives']} rightly denied, "
        f"{evidence['unreviewed']} unreviewed; e = {evidence['eValue']:.3g} of {evidence['eValueNeeded']:.3g}"
        + (f", {needed} more workloads needed" if needed else ", proven")
    )
