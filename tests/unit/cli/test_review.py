import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.operating import POLICY, finding, ids
from tests.unit.cli.conftest import Shop

FINDINGS = (finding(1), finding(2), finding(3, rule="violation"))
FIRST, SECOND, THIRD = ids(*FINDINGS)
WRONG = ("--false-positive", "--reason", "a placeholder")


@pytest.fixture
def reviewed(shop: Shop) -> Shop:
    shop.change(lambda scene: scene.see(10, *FINDINGS))
    return shop


def waiting(shop: Shop) -> set[str]:
    found = shop.run("review", "list", "--unreviewed", "-o", "json").json
    return {one["id"] for one in found["items"]}


def test_the_queue_is_a_table_with_its_size(reviewed: Shop) -> None:
    printed = reviewed.run("review", "list", "--limit", "2")
    assert len(printed.out.splitlines()) == 3
    assert printed.err == "2 of 3 findings\n"
    only = reviewed.run("review", "list", "--rule", "violation", "--policy", POLICY, "--kind", "newly-denied")
    assert THIRD in only.out
    assert reviewed.run("review", "list", "--disputed").out == ""


def test_a_finding_is_shown_with_both_answers(reviewed: Shop) -> None:
    reviewed.run("review", "verdict", FIRST, *WRONG)
    reviewed.run("dispute", FIRST, "--reason", "it is [not] a secret")
    printed = reviewed.run("review", "show", FIRST)
    for words in (
        "disputed, newly-denied by credential-env 1.1.0",
        "Deployment/web-1 in team-1",
        "container 1 holds a credential",
        "spec.containers[0].env[1]",
        "stable     allow (1.0.0)",
        "candidate  deny (1.1.0)",
        "name: DB_PASSWORD",
        "seen       1 time, ",
        "by maria: it is [not] a secret",
        "false-positive by maria: a placeholder",
    ):
        assert words in printed.out, words
    assert reviewed.run("review", "show", FIRST, "-o", "json").json["finding"]["disputed"] is True


def test_findings_are_judged_by_id(reviewed: Shop) -> None:
    printed = reviewed.run("review", "verdict", FIRST, SECOND, *WRONG)
    assert printed.out == "2 judged false-positive\n"
    assert waiting(reviewed) == {THIRD}
    back = reviewed.run("review", "verdict", FIRST, "--withdraw", "--reason", "misread", "-o", "json")
    assert back.json["items"][0]["verdict"] == "unreviewed"


def test_a_bulk_verdict_asks_first(reviewed: Shop) -> None:
    bulk = ("review", "verdict", "--policy", POLICY, "--rule", "deny", *WRONG)
    refused = reviewed.run(*bulk, typed="n\n")
    assert refused.code == 1
    assert "Judge 2 findings false-positive?" in refused.err
    assert len(waiting(reviewed)) == 3
    assert reviewed.run(*bulk, typed="y\n").out.endswith("2 judged false-positive\n")
    assert (
        reviewed.run(
            "review", "verdict", "--namespace", "team-3", "--kind", "newly-denied", "--yes", *WRONG
        ).code
        == 0
    )
    assert waiting(reviewed) == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((FIRST, "--reason", "x"), "say --true-positive or --false-positive"),
        (WRONG, "name findings by their IDs, or select them"),
        ((FIRST, "--rule", "deny", *WRONG), "one of the two"),
        ((FIRST, "--true-positive"), "missing option '--reason'"),
    ],
)
def test_a_verdict_says_on_what_which_and_why(reviewed: Shop, words: tuple[str, ...], said: str) -> None:
    printed = reviewed.run("review", "verdict", *words)
    assert (printed.code, said in printed.only_error) == (2, True)


def test_a_verdict_that_counts_for_nothing_says_so(reviewed: Shop) -> None:
    reviewed.run("rollout", "abort", POLICY)
    printed = reviewed.run("review", "verdict", FIRST, *WRONG)
    assert f"note {FIRST}: version 1.1.0 was given up" in printed.out


def test_unknown_findings_are_one_line(reviewed: Shop) -> None:
    for words in (
        ("review", "show", "f-x"),
        ("review", "verdict", "f-x", *WRONG),
        ("dispute", "f-x", "--reason", "r"),
    ):
        printed = reviewed.run(*words)
        assert (printed.code, "there is no finding" in printed.only_error) == (2, True)


def test_a_dispute_puts_the_finding_at_the_head(reviewed: Shop) -> None:
    printed = reviewed.run("dispute", THIRD, "--reason", "no secret")
    assert printed.out == f"{THIRD} is disputed; whoever reviews it sees your reason\n"
    assert reviewed.run("review", "list", "-o", "json").json["items"][0]["id"] == THIRD


def test_a_dispute_that_changes_nothing_says_so(reviewed: Shop) -> None:
    reviewed.run("rollout", "abort", POLICY)
    printed = reviewed.run("dispute", THIRD, "--reason", "no secret")
    assert "note version 1.1.0 was given up" in printed.out
    assert (
        reviewed.run("dispute", THIRD, "--reason", "again", "-o", "json").json["finding"]["disputed"] is True
    )


# Walking the queue


def test_the_walk_judges_skips_and_comes_to_an_end(reviewed: Shop) -> None:
    printed = reviewed.run("review", "walk", typed="t\na real key\ns\nf\na test value\n")
    assert printed.code == 0
    assert printed.out.endswith("2 judged, 1 left\n")
    assert len(waiting(reviewed)) == 1
    judged = reviewed.run("review", "list", "--verdict", "true-positive", "-o", "json").json["items"]
    assert judged[0]["judgedBy"] == "maria"


def test_the_walk_can_be_left_at_any_time(reviewed: Shop) -> None:
    assert reviewed.run("review", "walk", typed="q\n").out.endswith("0 judged, 3 left\n")
    assert reviewed.run("review", "walk", typed="x\nf\nwhy not\nq\n").out.endswith("1 judged, 2 left\n")


def test_the_walk_is_short_when_nothing_waits(shop: Shop) -> None:
    assert shop.run("review", "walk").out == "0 judged, 0 left\n"


def test_the_walk_keeps_to_what_was_selected(reviewed: Shop) -> None:
    assert reviewed.run("review", "walk", "--rule", "violation", typed="f\nr\n").out.endswith(
        "1 judged, 0 left\n"
    )


@pytest.mark.parametrize(
    ("words", "prompt"),
    [
        (("walk",), b"[q]uit"),
        (("verdict", "--policy", POLICY, *WRONG), b"[y/N]"),
    ],
    ids=["walk", "bulk verdict"],
)
def test_one_interrupt_ends_a_prompt(reviewed: Shop, words: tuple[str, ...], prompt: bytes) -> None:
    command = [
        str(Path(sys.executable).with_name("gradate")),
        "review",
        *words,
        "--store",
        str(reviewed.path),
    ]
    with subprocess.Popen(
        command, cwd=reviewed.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        said = b""
        while prompt not in said:
            part = os.read(process.stdout.fileno(), 65_536)
            assert part, said
            said += part
        time.sleep(1)  # nobody is as quick as to interrupt between the prompt and the waiting
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) == 130
        finally:
            process.kill()
    assert len(waiting(reviewed)) == 3


# Exceptions

GRANT = ("exception", "grant", "--reason", "legacy", "--owner", "team-one")


def test_an_exception_for_a_finding_settles_it(reviewed: Shop) -> None:
    printed = reviewed.run(*GRANT, "--finding", FIRST, "--expires", "2199-12-31")
    assert "Deployment/web-1 in team-1 may violate credential-env until 2200-01-01 00:00:00Z" in printed.out
    assert "1 unreviewed findings are false positives now" in printed.out
    assert FIRST not in waiting(reviewed)


def test_exceptions_are_listed_and_revoked(reviewed: Shop) -> None:
    assert reviewed.run("exception", "list").out == "no exceptions\n"
    where = ("--policy", POLICY, "--namespace", "a-*", "--workload", "*/web")
    granted = reviewed.run(*GRANT, *where, "--expires", "never", "-o", "json").json["exception"]["id"]
    listed = reviewed.run("exception", "list", "--unused", "--state", "active", "--policy", POLICY)
    assert granted in listed.out
    assert "until it is revoked" in reviewed.run(*GRANT, *where, "--expires", "never").out
    assert reviewed.run("exception", "revoke", granted).out == f"{granted} permits nothing any more\n"
    states = {one["id"]: one["state"] for one in reviewed.run("exception", "list", "-o", "json").json}
    assert states[granted] == "revoked"
    assert reviewed.run("exception", "revoke", granted, "-o", "json").json["revokedBy"] == "maria"


@pytest.mark.parametrize("expires", ["soon", "-1h", "2001-01-01", "1h30"])
def test_an_expiry_that_is_none_is_refused_in_one_line(reviewed: Shop, expires: str) -> None:
    printed = reviewed.run(*GRANT, "--finding", FIRST, f"--expires={expires}")
    assert (printed.code, "expires: " in printed.only_error) == (2, True)
    assert FIRST in waiting(reviewed)
