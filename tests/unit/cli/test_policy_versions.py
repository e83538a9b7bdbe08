from tests.support.operating import CANDIDATE, POLICY
from tests.unit.cli.conftest import Shop


def test_the_history_of_a_policy_says_what_became_of_each_version(shop: Shop) -> None:
    shop.run("rollout", "abort", POLICY, "--reason", "noisy")
    lines = shop.run("policies", "history", POLICY).out.splitlines()
    assert lines[1].split()[:2] == ["1.1.0", CANDIDATE.digest[:19]]
    assert "Degraded  aborted by maria: noisy" in lines[1]
    assert "stable" in lines[2]
    assert shop.run("policies", "history", POLICY, "-o", "json").json["items"][1]["stable"] is True


def test_versions_are_compared_line_by_line(shop: Shop) -> None:
    out = shop.run("policies", "diff", POLICY, "stable", "candidate").out
    assert "-deny contains 1 if true\n+deny contains 2 if true\n" in out
    assert shop.run("policies", "diff", POLICY, "1.1.0", "1.1.0").out == ""
    assert "+deny" in shop.run("policies", "diff", POLICY, "1.0.0", "1.1.0", "-o", "json").json["text"]


def test_unknown_policies_and_versions_are_one_line(shop: Shop) -> None:
    assert "did you mean credential-env" in shop.run("policies", "history", "credential-envs").only_error
    printed = shop.run("policies", "diff", POLICY, "1.0.0", "7.0.0")
    assert (printed.code, "no version of credential-env '7.0.0'" in printed.only_error) == (2, True)


def test_policy_files_that_are_broken_do_not_hide_what_is_stored(shop: Shop) -> None:
    (shop.folder / "policies" / "broken.rego").write_text("package {")
    assert "1.1.0" in shop.run("policies", "history", POLICY).out
    shop.run("rollout", "abort", POLICY)
    started = shop.run("rollout", "start", POLICY)
    assert (started.code, "broken.rego" in started.err) == (2, True)
