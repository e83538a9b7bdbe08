"""`gradate test`: options, output and exit codes."""

import contextlib
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from webhook.cli import test as command

POLICY = "package a\nimport rego.v1\ndeny contains m if some m in input.ms\nwarn contains 1 if input.w\n"
PASSING = 'package a_test\nimport rego.v1\nimport data.a\ntest_x if count(a.deny) == 1 with input as {"ms": ["m"]}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.rego").write_text(POLICY)
    (tmp_path / "a_test.rego").write_text(PASSING)
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command.test, [str(argument) for argument in arguments])


def test_passing_tests_exit_with_0(folder: Path) -> None:
    result = run(folder)

    assert result.exit_code == 0, result.output
    assert "data.a_test.test_x: PASS" in result.output
    assert "PASS: 1/1" in result.output


def test_a_failing_test_exits_with_2_and_says_why(folder: Path) -> None:
    (folder / "a_test.rego").write_text(PASSING.replace("== 1", "== 2"))

    result = run(folder)

    assert result.exit_code == 2
    assert "count(a.deny) is 1" in result.output


POD = "{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {containers: [{image: '%s'}]}}\n"


def test_probes_are_asked_beside_the_tests_and_told_as_tests_are(folder: Path) -> None:
    denies = 'package a\nimport rego.v1\ndeny contains "m" if input.request.object.spec.containers[0].image == "bad"\n'
    (folder / "a.rego").write_text(denies)
    (folder / "a_test.rego").unlink()
    (folder / "a.must-deny.yaml").write_text(POD % ("one", "bad"))
    result = run(folder)
    assert result.exit_code == 0, result.output
    assert "must-deny.a.Pod default/one: PASS" in result.output

    (folder / "a.must-deny.yaml").write_text(POD % ("one", "bad") + "---\n" + POD % ("two", "good"))
    result = run(folder)
    assert result.exit_code == 2
    assert "must-deny.a.Pod default/two: FAIL" in result.output
    assert "    allow\n" in result.output
    assert run(folder, "--run", "default/one").exit_code == 0


def test_probes_of_a_policy_that_is_not_there_and_of_nothing_are_no_success(folder: Path) -> None:
    probes = folder / "b.must-deny.yaml"
    probes.write_text(POD % ("one", "bad"))
    result = run(folder)
    assert result.exit_code == 2
    assert "there is no policy b among these files" in result.output
    probes.rename(folder / "a.must-deny.yaml").write_text("- nothing")
    result = run(folder)
    assert result.exit_code == 1
    assert "each document is an object" in result.stderr


def test_a_skipped_test_exits_with_2_unless_allowed(folder: Path) -> None:
    (folder / "b_test.rego").write_text("package b\nimport rego.v1\ntodo_test_x if false\n")

    assert run(folder).exit_code == 2
    assert run(folder, "-z").exit_code == 0


@pytest.mark.parametrize("broken", ["package a\np := ]\n", "package a\nimport rego.v1\np if x == 1\n"])
def test_modules_that_do_not_compile_exit_with_1_and_name_the_place(folder: Path, broken: str) -> None:
    (folder / "broken.rego").write_text(broken)

    result = run(folder)

    assert result.exit_code == 1
    assert "broken.rego:" in result.stderr


def test_a_missing_path_exits_with_1(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere")

    assert result.exit_code == 1
    assert "no such file or folder" in result.stderr


def test_without_paths_the_usual_folders_are_tested(folder: Path) -> None:
    with contextlib.chdir(folder):
        assert run().exit_code == 2
        for name in ("policies", "policy-tests"):
            (folder / name).mkdir()
        (folder / "a.rego").rename("policies/a.rego")
        (folder / "a_test.rego").rename("policy-tests/a_test.rego")

        result = run()

    assert result.exit_code == 0, result.output
    assert "PASS: 1/1" in result.output


def test_only_tests_that_match_run(folder: Path) -> None:
    assert "0 tests" in run(folder, "--run", "nothing").output
    assert "PASS: 1/1" in run(folder, "--run", "a_test.test_").output


@pytest.mark.parametrize(("flag", "shown"), [("-v", True), ("--verbose", True), ("-q", False)])
def test_opas_flag_for_every_test_is_taken_though_it_is_the_default(
    folder: Path, flag: str, *, shown: bool
) -> None:
    result = run(flag, folder)
    assert result.exit_code == 0, result.output
    assert ("test_x: PASS" in result.output) is shown


@pytest.mark.parametrize("timeout", ["5", "0.5", "500ms", "1m30s"])
def test_the_longest_time_of_a_test_is_a_number_or_a_duration(folder: Path, timeout: str) -> None:
    assert run(folder, "--timeout", timeout).exit_code == 0


@pytest.mark.parametrize("timeout", ["0", "-1s", "soon", "inf", "nan", "0s"])
def test_a_time_that_is_none_is_misuse(folder: Path, timeout: str) -> None:
    result = run(folder, f"--timeout={timeout}")
    assert result.exit_code == 2
    assert "--timeout" in result.output


def test_a_wrong_regular_expression_is_misuse(folder: Path) -> None:
    result = run(folder, "--run", "(")

    assert result.exit_code == 2
    assert "is no regular expression" in result.output


def test_coverage_is_printed_and_held_against_the_threshold(folder: Path) -> None:
    covered = run(folder, "--coverage")
    below = run(folder, "--threshold", "90")

    assert covered.exit_code == 0
    assert "coverage: 66.67% (2 of 3 lines)" in covered.output
    assert below.exit_code == 2
    assert "Code coverage threshold not met: got 66.67 instead of 90.00" in below.stderr
    assert run(folder, "--threshold", "66").exit_code == 0


def test_json_is_a_list_as_opa_prints_it(folder: Path) -> None:
    (found,) = json.loads(run(folder, "--format", "json").stdout)

    assert (found["package"], found["name"]) == ("data.a_test", "test_x")


def test_json_with_coverage_is_opas_coverage_report_with_the_tests(folder: Path) -> None:
    document = json.loads(run(folder, "--format", "json", "--coverage").stdout)

    assert document["coverage"] == pytest.approx(200 / 3)
    assert [found["name"] for found in document["tests"]] == ["test_x"]


def test_junit_is_xml(folder: Path) -> None:
    root = ET.fromstring(run(folder, "--format", "junit").stdout)  # noqa: S314 - our own text

    assert root.attrib["tests"] == "1"


def test_lcov_is_written_to_its_file(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "coverage.info"

    assert run(folder, "--lcov", path).exit_code == 0
    assert f"SF:{folder / 'a.rego'}" in path.read_text()


def test_v0_modules_can_be_forced(folder: Path) -> None:
    (folder / "a.rego").write_text("package a\ndeny[m] { m := input.ms[_] }\n")
    (folder / "a_test.rego").write_text('package t\ntest_x { data.a.deny.m with input as {"ms": ["m"]} }\n')

    assert run(folder, "--v0-compatible").exit_code == 0


def test_the_cross_check_asks_regopy_what_the_tests_ask(folder: Path) -> None:
    result = run(folder, "--cross-check")

    assert result.exit_code == 0, result.output
    assert "cross-check with regopy: 1 agree, 0 disagree, 0 without an answer" in result.output


def test_the_cross_check_is_part_of_the_json(folder: Path) -> None:
    document = json.loads(run(folder, "--cross-check", "--format", "json").stdout)

    assert document["cross_check"]["agreed"] == 1


def test_watching_runs_again_after_each_change() -> None:
    runs: list[int] = []

    def rerun() -> int:
        runs.append(len(runs))
        return 0

    command.run_on_change(rerun, iter([{"one"}, {"two"}]))

    assert runs == [0, 1]
