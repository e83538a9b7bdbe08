"""What a rollout in progress costs requests, and how fast the journal is.

Two parts, each in one run. First the pieces in one process: the offer on the path of a request, and the work that
follows it. Then real servers over TLS, the same requests with and without a rollout in progress, in turns of random
order, so that a slow phase of the machine hits all alike. A second server without a rollout takes turns as well: how
far its ratio lies from 1 is what this machine lets the ratios tell.
"""

import asyncio
import gc
import os
import random
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import uvloop
import yaml
from rich.console import Console
from rich.table import Table

from bench.local_server import HOST, ROOT, LocalServer, free_ports, issue_certificates, put_load, run_server
from bench.review import build_review
from tests.support.flows import HeldSnapshot, MemoryObserver
from tests.support.memory_store import MemoryStore
from tests.support.rehearsal import rolling_out
from webhook.admission.review import decode_review
from webhook.compose.clock import SystemClock
from webhook.engines.compiled import compile_policy
from webhook.flows.decide import Decider
from webhook.flows.journal import Journal, JournalLimits
from webhook.flows.judging import DecisionRules
from webhook.flows.pace import PaceLimits
from webhook.flows.trial import Trial
from webhook.policy.catalog import read_catalog
from webhook.policy.version import Digest
from webhook.ports.store import Store
from webhook.rego.ast import Source
from webhook.rollout.cohort import NOBODY, Cohort, threshold_for
from webhook.rollout.route import route_of
from webhook.rollout.strategy import Mode, NamespaceSelection
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore
from webhook.tls.folder import CertificateFolder

POLICY = "credential_env.rego"
STEPS: Mapping[str, Sequence[dict[str, Any]]] = {
    "enforce": ({"mode": "enforce", "percent": 5, "duration": "72h"}, {"mode": "enforce", "percent": 100}),
    "shadow": ({"mode": "shadow", "percent": 100, "duration": "72h"}, {"mode": "enforce", "percent": 100}),
}
NONE = "none"
CONTROL = "none, again"
_STEP_BUDGET = 2_000_000
_WARM_UP = 0.3
_RATES = (100, 500, 2_000, 8_000)
"""Requests a second that a journal is offered."""
_SUSTAINED_SECONDS = 5
_CONNECTIONS = 16
_BODY = build_review()


@click.command(help=__doc__)
@click.option("--rounds", default=30, show_default=True, help="Turns of each server under each load.")
@click.option("--duration", default=0.5, show_default=True, help="Seconds of each turn.")
@click.option(
    "--connections", default=[1, 8], multiple=True, show_default=True, help="Keep-alive connections."
)
@click.option("--pieces-only", is_flag=True, help="Leave the servers out.")
def main(*, rounds: int, duration: float, connections: Sequence[int], pieces_only: bool) -> None:
    console = Console(width=None if sys.stdout.isatty() else 130)
    for name, figure in uvloop.run(measure_pieces()).items():
        console.print(f"{name:<62} {figure}")
    if pieces_only:
        return
    with tempfile.TemporaryDirectory(prefix="gradate-bench-") as folder, ExitStack() as stack:
        certificates = issue_certificates(Path(folder) / "certs")
        servers = {
            name: stack.enter_context(_serve(Path(folder) / name, certificates, name))
            for name in (NONE, CONTROL, *STEPS)
        }
        for load in connections:
            turns: dict[str, list[Mapping[str, float]]] = {name: [] for name in servers}
            with console.status(f"{load} connections"):
                for _ in range(rounds):
                    for name in random.sample(list(servers), len(servers)):
                        turns[name].append(_load(servers[name], load, duration))
            _print(console, load, turns, servers)


# The pieces


@dataclass(frozen=True, slots=True)
class Stage:
    """One decider with its journal, in this process."""

    decider: Decider
    journal: Journal


def _stage(mode: Mode, limits: JournalLimits, store: Store | None = None) -> Stage:
    clock = SystemClock()
    rollout = rolling_out(mode)
    route = route_of(rollout.stable, rollout)
    text = (ROOT / "policies" / POLICY).read_text()
    loaded = []
    for digest, marker in ((rollout.stable, ""), (rollout.candidate, "# a new version\n")):
        (version,) = read_catalog([Source(POLICY, text + marker)]).policies
        version = replace(version, digest=Digest(digest or ""))
        loaded.append((version, compile_policy(version, _STEP_BUDGET), route))
    journal = Journal(store or MemoryStore(), clock, MemoryObserver(), "bench", limits)
    return Stage(Decider(HeldSnapshot(*loaded), DecisionRules(), clock, journal), journal)


class _Keeper:
    """A sink that only keeps, to time what the journal does with it."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.offer: Callable[[Trial], None] = self.trials.append

    def saw_namespace(self, namespace: str) -> None:
        pass

    def used_exception(self, identity: str) -> None:
        pass


async def measure_pieces() -> dict[str, str]:
    figures = _measure_cohort()
    gc.freeze()
    for mode in (Mode.SHADOW, Mode.ENFORCE):
        stage = _stage(mode, JournalLimits(open_trials=10**9, queue_bytes=10**12))
        # As many as wait on a busy server: more would measure the memory of the machine.
        trials = await _trials(stage, 100)
        figures[f"offer, {mode}"] = f"{_time(stage.journal.offer, trials) / 1000:.2f} µs"
        full = _stage(mode, JournalLimits(open_trials=1))
        figures[f"offer that is shed, {mode}"] = f"{_time(full.journal.offer, trials) / 1000:.2f} µs"
        tireless = JournalLimits(pace=PaceLimits(least_share=1, urgent_share=1))
        worker = _stage(mode, tireless)
        work_ns = min([await _work_off(worker, trials) for _ in range(20)])
        figures[f"work off one trial, {mode}"] = f"{work_ns / 1000:.1f} µs"
    for rate in _RATES:
        with tempfile.TemporaryDirectory(prefix="gradate-bench-") as folder:
            figures |= await _sustain(Path(folder), rate)
    return figures


def _measure_cohort() -> dict[str, str]:
    """Time the cohort test, for a namespace that is remembered and for many that are not."""
    selections = {
        "": NamespaceSelection(),
        ", patterns": NamespaceSelection(exclude=("kube-*",), critical=("payments", "team-1*")),
    }
    figures: dict[str, str] = {}
    for name, selection in selections.items():
        threshold = threshold_for("bench", selection, 5, [f"team-{number}" for number in range(200)])
        contains = Cohort("bench", selection, threshold or NOBODY).contains
        # A name comes fresh from the decoder, so it is made just before it is asked for.
        turns = [
            _time_cohort(contains, [f"team-{turn}-{number}" for number in range(200)]) for turn in range(300)
        ]
        first_ns, again_ns = (min(times) for times in zip(*turns, strict=True))
        figures[f"cohort test{name}: remembered, not remembered"] = f"{again_ns:.0f}, {first_ns:.0f} ns"
    return figures


def _time_cohort(contains: Callable[[str], bool], namespaces: Sequence[str]) -> tuple[float, float]:
    """Give the nanoseconds that a test takes at the first and at the second time."""
    began = time.perf_counter_ns()
    for namespace in namespaces:
        contains(namespace)
    between = time.perf_counter_ns()
    for namespace in namespaces:
        contains(namespace)
    return (between - began) / len(namespaces), (time.perf_counter_ns() - between) / len(namespaces)


async def _sustain(folder: Path, rate: int) -> dict[str, str]:
    """Offer distinct workloads at a rate to a journal that writes to SQLite."""
    store = SqliteStore(SqliteOptions(folder / "sustained.db"))
    stage = _stage(Mode.SHADOW, JournalLimits(), store)
    running = asyncio.create_task(stage.journal.run())
    before_kib = _resident_kib(os.getpid())
    until = time.monotonic() + _SUSTAINED_SECONDS
    offered, began, latest = 0, time.monotonic(), 0.0
    while (now := time.monotonic()) < until:
        due = round((now - began) * rate) - offered
        # A turn of the loop brings as many requests as there are connections, however many are due.
        for _ in range(min(due, _CONNECTIONS)):
            body = _BODY.replace(b'"orders-7d4b9c6f5d"', b'"orders-%010d"' % offered)
            await stage.decider.validate(decode_review(body), time.monotonic_ns() + 10**10)
            offered += 1
        left = time.monotonic()
        # uvloop takes less than a millisecond for nothing, and the loop would seem busy.
        await asyncio.sleep(0.001 if due <= _CONNECTIONS else 0)
        latest = max(latest, time.monotonic() - left)
    seconds = time.monotonic() - began
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await stage.journal.aclose()
    rollout = rolling_out(Mode.SHADOW)
    evidence = await store.evidence(rollout.candidate, rollout.stable)
    await store.aclose()
    total = evidence.total
    grown_mib = (_resident_kib(os.getpid()) - before_kib) / 1024
    return {
        f"{rate:,}/s: offered, journalled, shed a second": f"{offered / seconds:,.0f}, "
        f"{total.evaluations / seconds:,.0f}, {total.dropped / seconds:,.0f}",
        f"{rate:,}/s: distinct workloads stored, trials unaccounted for": f"{evidence.workloads:,}, "
        f"{offered - total.evaluations - total.dropped:,}",
        f"{rate:,}/s: longest turn of the loop, memory grown": f"{latest * 1000:.1f} ms, {grown_mib:.0f} MiB",
    }


async def _trials(stage: Stage, count: int) -> list[Trial]:
    keeper = _Keeper()
    stage.decider._sink = keeper  # noqa: SLF001  the decider itself is not what is timed
    for _ in range(count):
        await stage.decider.validate(decode_review(_BODY), time.monotonic_ns() + 10**10)
    return keeper.trials


def _time(take: Callable[[Trial], None], trials: Sequence[Trial]) -> float:
    best = float("inf")
    for _ in range(50):
        began = time.thread_time_ns()
        for trial in trials:
            take(trial)
        best = min(best, (time.thread_time_ns() - began) / len(trials))
    return best


async def _work_off(stage: Stage, trials: Sequence[Trial]) -> float:
    """Give the processor time that the journal takes for one trial, stepping aside included, in nanoseconds."""
    for trial in trials:
        stage.journal.offer(trial)
    count = stage.journal.waiting
    began = time.thread_time_ns()
    running = asyncio.create_task(stage.journal.run())
    while stage.journal.waiting:  # noqa: ASYNC110  the journal tells nobody when it is done
        await asyncio.sleep(0.002)
    spent = time.thread_time_ns() - began
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return spent / count


# Real servers


@contextmanager
def _serve(folder: Path, certificates: CertificateFolder, rollout: str) -> Iterator[LocalServer]:
    policies = folder / "policies"
    policies.mkdir(parents=True)
    for path in (ROOT / "policies").glob("*.rego"):
        (policies / path.name).write_text(path.read_text())
    port, operations = free_ports(2)
    settings = {"rollout": {"strategy": {"steps": list(STEPS.get(rollout, STEPS["enforce"]))}}}
    (folder / "gradate.yaml").write_text(yaml.safe_dump(settings))
    command = [
        *(str(Path(sys.executable).with_name("gradate")), "serve", "--config", str(folder / "gradate.yaml")),
        *("--policies", str(policies)),
        *("--listen", f"{HOST}:{port}", "--operations-listen", f"{HOST}:{operations}"),
        *("--tls-cert", str(certificates.serving_certificate), "--tls-key", str(certificates.serving_key)),
        *("--store", str(folder / "state.db")),
    ]
    with run_server(command, folder, certificates, port=port, probe_port=operations) as server:
        _load(server, 1, 1.5)  # a namespace has to be known before there is a cohort
        if rollout in STEPS:
            path = policies / POLICY
            path.write_text(path.read_text() + "\n# a new version\n")
            _await_rollout(server)
        yield server


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def _await_rollout(server: LocalServer) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if any(
            'phase="Progressing"' in line and line.endswith(" 1.0")
            for line in _scrape(server, "gradate_rollout_phase")
        ):
            return
        time.sleep(0.1)
    raise click.ClickException("the rollout did not begin")


def _scrape(server: LocalServer, name: str) -> list[str]:
    with urllib.request.urlopen(f"http://{HOST}:{server.operations_port}/metrics") as response:
        return [line for line in response.read().decode().splitlines() if line.startswith(name)]


def _sum(server: LocalServer, name: str) -> int:
    return round(sum(float(line.rpartition(" ")[2]) for line in _scrape(server, name)))


def _load(server: LocalServer, connections: int, duration: float) -> Mapping[str, float]:
    before_seconds = server.cpu_seconds()
    figures = put_load(server, connections, _WARM_UP, duration)
    # The warm-up is not counted among the requests, but its share of the time is known.
    asked = figures["requests"] * (duration + _WARM_UP) / duration
    return {**figures, "cpu_us": (server.cpu_seconds() - before_seconds) * 1_000_000 / asked}


def _print(
    console: Console,
    load: int,
    turns: Mapping[str, Sequence[Mapping[str, float]]],
    servers: Mapping[str, LocalServer],
) -> None:
    table = Table(
        title=f"{load} connections; medians of {len(turns[NONE])} turns",
        caption="of none: median of the ratios turn by turn, and the quarters of them around it",
    )
    table.add_column("rollout")
    for heading in (
        *("p50 ms", "of none", "p99 ms", "of none", "CPU µs", "of none"),
        *("trials", "shed", "MiB"),
    ):
        table.add_column(heading, justify="right")
    for name, figures in turns.items():
        cells = [name]
        for key, scale in (("p50_us", 1000), ("p99_us", 1000), ("cpu_us", 1)):
            value = statistics.median(figure[key] for figure in figures) / scale
            ratios = [one[key] / none[key] for one, none in zip(figures, turns[NONE], strict=True)]
            cells += [f"{value:.3f}" if scale > 1 else f"{value:,.0f}", _show_ratios(ratios)]
        server = servers[name]
        cells += [
            f"{_sum(server, counter):,}"
            for counter in ("gradate_trials_total", "gradate_trials_dropped_total")
        ]
        table.add_row(*cells, f"{server.resident_mib():.0f}")
    console.print(table)


def _show_ratios(ratios: Sequence[float]) -> str:
    if len(ratios) < 2 or set(ratios) == {1.0}:
        return f"{statistics.median(ratios):.2f}"
    lower, median, upper = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{median:.2f} ({lower:.2f}-{upper:.2f})"


if __name__ == "__main__":
    main()
