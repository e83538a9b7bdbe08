"""The command line as people run it: processes of their own, beside a real server or without one."""

import concurrent.futures
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gradate import STILL, Deployment, Reply, deployed, policy_text
from webhook.flows.operate import RolloutVerb
from webhook.flows.review import ListFindings
from webhook.flows.rollout_status import RolloutName
from webhook.server.operation_table import ABORT_ROLLOUT, LIST_FINDINGS, ROLLOUT_HISTORY

NAMESPACES = tuple(f"team-{number:02}" for number in range(10))
STEPS = {
    "steps": [
        *({"mode": "enforce", "percent": percent, "duration": "1h"} for percent in (10, 20, 30, 40)),
        {"mode": "enforce", "percent": 100},
    ]
}
LENIENT = {
    **STILL,
    "analysis": {"falsePositiveRate": {"max": 0.5}, "interceptionAccuracy": None},
}
"""One wrong denial among a handful of workloads proves nothing."""
LATEST, BRANCH = "registry.example.com/web:latest", "registry.example.com/web:main"


def command(*words: str | Path) -> list[str]:
    return [str(Path(sys.executable).with_name("gradate")), *map(str, words)]


def run(
    deployment: Deployment, *words: str | Path, typed: str = "", server: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder of a deployment, and wait for it."""
    where = ("--server", f"http://127.0.0.1:{deployment.operations_port}") if server else ()
    return subprocess.run(
        command(*words, *where),
        cwd=deployment.folder,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={name: value for name, value in os.environ.items() if not name.startswith("GRADATE_")},
    )


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def gradate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    names = ("images", "stepped", "watched")
    stable = {name: policy_text(name, "1.0.0", denies=[f"{name}-{LATEST}"]) for name in names}
    folder = tmp_path_factory.mktemp("gradate")
    with deployed(folder, stable, strategies={"stepped": STEPS, "images": LENIENT}) as running:
        running.teach(NAMESPACES)
        yield running


def begin(gradate: Deployment, policy: str) -> str:
    """Save a stricter version; give a namespace of its cohort."""
    images = [f"{policy}-{LATEST}", f"{policy}-{BRANCH}"]
    gradate.save(policy_text(policy, "1.1.0", denies=images), policy)
    return gradate.until_phase(policy, "Progressing", "1.1.0").cohort.namespaces[0]


def denied(gradate: Deployment, image: str, namespace: str, name: str) -> Reply:
    """Submit until it is denied: the store is ahead of the processes that serve by a tick."""
    while (reply := gradate.submit(image, namespace=namespace, name=name)).allowed:
        time.sleep(0.02)
    return reply


def test_a_rollout_is_reviewed_excepted_audited_and_aborted_from_the_command_line(
    gradate: Deployment, tmp_path: Path
) -> None:
    namespace = begin(gradate, "images")
    denial = denied(gradate, f"images-{BRANCH}", namespace, "web")
    finding = denial.message.partition("finding ")[2][:18]
    gradate.until(
        lambda: gradate.operate(LIST_FINDINGS, ListFindings(policy="images", owner="Deployment/web")).total
    )
    assert finding in run(gradate, "review", "list", "--policy", "images").stdout
    # A developer objects with the words of the denial, a reviewer agrees.
    assert "is disputed" in run(gradate, "dispute", finding, "--reason", "it is pinned elsewhere").stdout
    shown = told(run(gradate, "review", "show", finding, "-o", "json"))
    assert (shown["finding"]["disputed"], shown["sample"]["stable"]["outcome"]) == (True, "allow")
    judged = run(
        gradate, "review", "verdict", finding, "--false-positive", "--reason", "true", "--user", "ali"
    )
    assert judged.stdout == "1 judged false-positive\n"
    granted = run(
        gradate,
        "exception",
        "grant",
        "--finding",
        finding,
        "--reason",
        "r",
        "--owner",
        "o",
        "--expires",
        "1h",
    )
    assert f"Deployment/web in {namespace} may violate images" in granted.stdout
    gradate.until(lambda: gradate.submit(f"images-{BRANCH}", namespace=namespace, name="web").allowed)
    # An auditor keeps and checks what there is.
    bundle = tmp_path / "evidence.zip"
    assert run(gradate, "rollout", "evidence", "images", "--out", bundle).returncode == 0
    checked = run(gradate, "rollout", "verify", bundle, server=False)
    assert (checked.returncode, "FAIL" in checked.stdout) == (0, False), checked.stdout
    # On-call gives it up; every process hears of it, and so does the log.
    denied(gradate, f"images-{BRANCH}", namespace, "other")
    aborted = run(gradate, "rollout", "abort", "images", "--reason", "pager", "--user", "oncall")
    assert "Degraded" in aborted.stdout
    gradate.until(lambda: gradate.submit(f"images-{BRANCH}", namespace=namespace, name="other").allowed, 5)
    changes = [line for line in gradate.events("rollout_changed") if line["policy"] == "images"]
    assert (changes[-1]["actor"], changes[-1]["phase"]) == ("oncall", "Degraded")


def test_commands_at_once_each_take_one_step_or_are_refused(gradate: Deployment) -> None:
    begin(gradate, "stepped")
    words = ("rollout", "promote", "stepped", "--force", "--reason", "hurry")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: run(gradate, *words), range(4)))
    assert {one.returncode for one in done} <= {0, 1}, [one.stderr for one in done]
    (history,) = gradate.operate(ROLLOUT_HISTORY, RolloutName(name="stepped")).items
    promoted = [one.step for one in history.transitions if one.event.value == "promote"]
    succeeded = sum(one.returncode == 0 for one in done)
    assert promoted == list(range(2, 2 + succeeded))
    for refused in (one for one in done if one.returncode):
        assert len(refused.stderr.splitlines()) == 1


def test_a_watched_status_is_drawn_over_and_ends_with_the_rollout(gradate: Deployment) -> None:
    begin(gradate, "watched")
    controller, terminal = pty.openpty()
    server = f"http://127.0.0.1:{gradate.operations_port}"
    watching = subprocess.Popen(
        command("rollout", "status", "watched", "--watch", "--interval", "0.1", "--server", server),
        cwd=gradate.folder, stdout=terminal, stderr=subprocess.STDOUT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(terminal)
    seen = b""
    try:
        seen += _read_until(controller, b"Progressing")
        gradate.operate(ABORT_ROLLOUT, RolloutVerb(name="watched", reason="enough"))
        seen += _read_until(controller, b"enough")
        assert watching.wait(20) == 1
    finally:
        watching.kill()
        os.close(controller)
    assert b"\x1b[1A" in seen, "the cursor goes up to draw over what was there"


def _read_until(descriptor: int, words: bytes) -> bytes:
    seen, deadline = b"", time.monotonic() + 20
    while words not in seen:
        ready, _, _ = select.select([descriptor], [], [], 0.2)
        if ready:
            seen += os.read(descriptor, 65_536)
        assert time.monotonic() < deadline, seen
    return seen


def test_a_wrong_token_is_one_line(gradate: Deployment, tmp_path: Path) -> None:
    wrong = tmp_path / "token"
    wrong.touch(mode=0o600)
    wrong.write_text("not-the-token-of-this-server")
    done = run(gradate, "rollout", "list", "--token-file", wrong)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "another token" in done.stderr


def test_commands_go_straight_to_the_store_beside_the_server_and_after_it(gradate: Deployment) -> None:
    store = ("--store", gradate.folder / "data" / "gradate.db")
    gradate.save(policy_text("images", "1.2.0", denies=[f"images-{BRANCH}"]), "images")
    gradate.until_phase("images", "Progressing", "1.2.0")
    beside = run(gradate, "rollout", "pause", "images", "--user", "ali", *store, server=False)
    assert "Paused" in beside.stdout
    assert gradate.status("images").rollout.message == "paused by ali"
    assert gradate.stop() == 0
    resumed = run(gradate, "rollout", "resume", "images", *store, "-o", "json", server=False)
    assert told(resumed)["phase"] == "Progressing"
    gone = run(gradate, "rollout", "list")
    assert (gone.returncode, "no server answers at" in gone.stderr) == (2, True)
    # What was decided without a server is where the next one goes on.
    gradate.start()
    assert gradate.status("images").rollout.phase.value == "Progressing"


def test_under_a_supervisor_an_abort_reaches_every_worker(tmp_path: Path) -> None:
    stable = {"images": policy_text("images", "1.0.0", denies=[LATEST])}
    with deployed(tmp_path, stable, workers=2) as running:
        running.teach(NAMESPACES)
        inside = begin(running, "images")
        denied(running, f"images-{BRANCH}", inside, "web")
        assert "Degraded" in run(running, "rollout", "abort", "images", "--reason", "pager").stdout

        def allowed() -> bool:
            # New connections go to either worker.
            return all(
                running.submit(f"images-{BRANCH}", namespace=inside, name="web").allowed for _ in range(10)
            )

        running.until(allowed, 5)
        changes = [
            line["worker"] for line in running.events("rollout_changed") if line["phase"] == "Degraded"
        ]
        assert changes == ["supervisor"]
