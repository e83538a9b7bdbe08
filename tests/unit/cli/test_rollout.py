from pathlib import Path

import pytest
import yaml

from tests.support.commands import gradate
from tests.support.operating import CANDIDATE, POLICY, STABLE, Scene, finding
from tests.unit.cli.conftest import Shop
from webhook.rollout.states import advance, record_checks


def test_rollouts_are_listed(shop: Shop) -> None:
    printed = shop.run("rollout", "list")
    assert printed.out.splitlines()[0].split()[:4] == ["POLICY", "VERSION", "PHASE", "STEP"]
    assert f"{POLICY}  1.1.0    Progressing  1/2" in printed.out
    assert [one["phase"] for one in shop.run("rollout", "list", "--active", "-o", "json").json] == [
        "Progressing"
    ]


def test_the_list_says_that_nobody_lets_rollouts_move(shop: Shop) -> None:
    told = "note: nobody leads the rollouts: no server runs, or none can write the store; all of them hold\n"
    assert shop.run("rollout", "list").err == told
    assert shop.run("rollout", "list", "-o", "json").err == told


def test_tables_show_the_first_line_of_a_message_and_explain_shows_them_all(shop: Shop) -> None:
    shop.run("rollout", "abort", POLICY, "--reason", "first\nthen")
    for words in (("rollout", "list"), ("policies", "history", POLICY)):
        printed = shop.run(*words).out
        assert "first" in printed
        assert "then" not in printed
    assert "then" in shop.run("rollout", "explain", POLICY).out


def test_an_empty_list_says_so(shop: Shop) -> None:
    shop.run("rollout", "abort", POLICY)
    assert shop.run("rollout", "list", "--active").out == "nothing is being rolled out\n"


def test_a_rollout_is_shown_with_its_strategy(shop: Shop) -> None:
    printed = shop.run("rollout", "get", POLICY)
    assert CANDIDATE.digest in printed.out
    assert STABLE.digest in printed.out
    assert "falsePositiveRate: {max: 0.0003, confidence: 0.95}" in printed.out


def test_the_status_says_when_nobody_lets_rollouts_move(shop: Shop) -> None:
    note = "note: nobody leads the rollouts: no server runs, or none can write the store; all of them hold"
    for words in (("status", POLICY), ("explain", POLICY)):
        out = shop.run("rollout", *words).out
        assert note in out
        assert "Next: " not in out


def test_the_status_names_everything_that_matters(shop: Shop) -> None:
    shop.change(lambda scene: scene.see(200, finding(1), errors=2))
    shop.change(lambda scene: scene.lead())
    out = shop.run("rollout", "status", POLICY).out
    for words in (
        "1.1.0 Progressing, step 1 of 2, enforce at 5 %",
        "2 of 40 namespaces (5 %): team-",
        "201 seen, 1 unreviewed, 0 false positives",
        "e 0.",
        "more workloads, or ",
        "203 times, 2 errors",
        "falsePositiveRate",
        "≤ 0.03 %",
        "≥ 99 %",
        "≤ 5 ms",
        "  needs ",
        "Next: ",
    ):
        assert words in out, words
    tree = yaml.safe_load(shop.run("rollout", "status", POLICY, "-o", "yaml").out)
    assert tree["evidence"]["unreviewed"] == 1
    assert tree["rollout"]["percent"] == 5


@pytest.mark.parametrize("phase", ["Pending", "Healthy"])
def test_the_status_has_no_more_than_a_phase_gives(shop: Shop, phase: str) -> None:
    shop.run("rollout", "abort", POLICY)
    if phase == "Pending":
        shop.run("rollout", "retry", POLICY)
    else:
        shop.run("rollout", "retry", POLICY)
        shop.change(_check_and_begin)
        shop.run("rollout", "promote", POLICY, "--full", "--force", "--reason", "x")
    out = shop.run("rollout", "status", POLICY).out
    assert phase in out
    assert ("everywhere (40 namespaces known)" in out) is (phase == "Healthy")


async def _check_and_begin(scene: Scene) -> None:
    (rollout,) = await scene.store.rollouts(active=True)
    checked = record_checks(rollout, passed=True, message="", now_ns=scene.now_ns)
    outcome = advance(await scene.store.commit(checked), None, scene.now_ns, await scene.store.namespaces())
    assert outcome is not None
    await scene.store.commit(outcome)


def test_verbs_say_where_they_led(shop: Shop) -> None:
    for words, said in (
        (("pause",), "Paused, step 1 of 2, enforce at 5 %: paused by maria"),
        (("resume",), "Progressing, step 1 of 2, enforce at 5 %: resumed by maria"),
        (
            ("promote", "--force", "--reason", "incident 7"),
            "Progressing, step 2 of 2, enforce at 100 %: promoted by maria",
        ),
        (
            ("abort", "--reason", "too loud"),
            "Degraded, step 2 of 2, enforce at 100 %: aborted by maria: too loud",
        ),
        (("retry",), "Pending, step 1 of 2, enforce at 5 %: retried by maria"),
    ):
        printed = shop.run("rollout", words[0], POLICY, *words[1:])
        assert (printed.code, printed.err) == (0, "")
        assert f"{POLICY} 1.1.0 {said}" in printed.out
    assert shop.run("rollout", "abort", POLICY, "-o", "json").json["phase"] == "Degraded"


def test_a_refused_verb_is_one_line_and_exit_code_1(shop: Shop) -> None:
    for words in (("resume", POLICY), ("undo", POLICY), ("promote", POLICY), ("promote", POLICY, "--force")):
        printed = shop.run("rollout", *words)
        assert printed.code == 1, words
        assert printed.only_error.startswith("gradate: ")


@pytest.mark.parametrize("command", ["get", "status", "history", "explain", "pause", "promote"])
def test_an_unknown_name_is_one_line_with_the_nearest_one_and_exit_code_2(shop: Shop, command: str) -> None:
    printed = shop.run("rollout", command, "credental-env")
    assert printed.code == 2
    assert printed.only_error.endswith(
        f"there is no policy or rollout 'credental-env'; did you mean {POLICY}?"
    )


def test_the_history_names_who_and_why_and_what_was_forced(shop: Shop) -> None:
    shop.run("rollout", "promote", POLICY, "--force", "--reason", "incident 7")
    printed = shop.run("rollout", "history", POLICY)
    last = printed.out.splitlines()[-1]
    assert "promoted by maria: incident 7" in last
    assert "against the evidence" in last
    transitions = shop.run("rollout", "history", POLICY, "-o", "json").json[0]["transitions"]
    assert [one["event"] for one in transitions] == ["start", "check", "begin", "promote"]


def test_a_rollout_is_explained_in_words(shop: Shop) -> None:
    assert "is Progressing in step 1 of 2" in shop.run("rollout", "explain", POLICY).out
    assert "where" in shop.run("rollout", "explain", POLICY, "-o", "json").json


def test_a_version_is_started_with_a_strategy_of_its_own(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "strategy.yaml"
    file.write_text("strategy: {steps: [{mode: enforce, percent: 100}]}")
    shop.run("rollout", "abort", POLICY)
    started = shop.run("rollout", "start", POLICY, "1.1.0", "--strategy", file, "-o", "json")
    assert (started.json["phase"], started.json["steps"]) == ("Pending", 1)
    file.write_text("[1]")
    wrong = shop.run("rollout", "start", POLICY, "1.1.0", "--strategy", file)
    assert (wrong.code, "a strategy is a mapping" in wrong.only_error) == (2, True)
    file.write_text("steps: [")
    assert "cannot be read as a strategy" in shop.run("rollout", "start", POLICY, "--strategy", file).err


def test_a_strategy_that_contradicts_itself_names_its_field(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "strategy.yaml"
    file.write_text("steps: [{mode: enforce, percent: 5}]")
    printed = shop.run("rollout", "start", POLICY, "1.1.0", "--strategy", file)
    assert (printed.code, "strategy: steps[0]" in printed.only_error) == (2, True)


# Watching


def test_a_rollout_that_is_over_is_watched_once_and_its_end_is_the_exit_code(shop: Shop) -> None:
    shop.run("rollout", "abort", POLICY, "--reason", "enough")
    printed = shop.run("rollout", "status", POLICY, "--watch")
    assert printed.code == 1
    assert "Aborted by maria: enough." in printed.out


def test_a_promoted_rollout_ends_the_watch_with_success(shop: Shop) -> None:
    shop.run("rollout", "promote", POLICY, "--full", "--force", "--reason", "x")
    printed = shop.run("rollout", "status", POLICY, "--watch", "-o", "json")
    assert (printed.code, printed.json["rollout"]["phase"]) == (0, "Healthy")


# Evidence


def test_evidence_is_written_and_verified(shop: Shop, tmp_path: Path) -> None:
    shop.change(lambda scene: scene.see(20, finding(1)))
    file = tmp_path / "evidence.zip"
    written = shop.run("rollout", "evidence", POLICY, "--out", file)
    assert written.out.startswith(f"{file}: ")
    verified = gradate("rollout", "verify", file)
    assert (verified.code, "genuine by every check" in verified.out) == (0, True)
    digest = written.out.rstrip().rpartition(" ")[2]
    assert gradate("rollout", "verify", file, "-o", "json").json["sha256"] == digest


def test_a_bundle_that_was_changed_fails_with_exit_code_1(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "evidence.zip"
    shop.run("rollout", "evidence", POLICY, "--out", file)
    data = file.read_bytes()
    file.write_bytes(data.replace(b"team-11", b"team-99"))
    printed = gradate("rollout", "verify", file)
    assert printed.code == 1
    assert "NOT genuine" in printed.out
    file.write_bytes(b"nonsense")
    assert "this file: NOT genuine" in gradate("rollout", "verify", file).out


def test_files_that_cannot_be_read_or_written_are_one_line(shop: Shop, tmp_path: Path) -> None:
    assert "cannot be read" in gradate("rollout", "verify", tmp_path / "missing.zip").only_error
    nowhere = tmp_path / "no" / "such" / "folder" / "e.zip"
    printed = shop.run("rollout", "evidence", POLICY, "--out", nowhere)
    assert (printed.code, "cannot be written" in printed.only_error) == (2, True)


# Where to ask


def test_two_places_to_ask_are_one_too_many(shop: Shop) -> None:
    printed = shop.run("rollout", "list", "--server", "http://127.0.0.1:1")
    assert (printed.code, "name one" in printed.only_error) == (2, True)


def test_a_server_that_does_not_answer_is_one_line_and_exit_code_2() -> None:
    printed = gradate("rollout", "list", "--server", "http://127.0.0.1:1")
    assert (printed.code, printed.only_error[:45]) == (
        2,
        "gradate: no server answers at http://127.0.0.1:1: "[:45],
    )
