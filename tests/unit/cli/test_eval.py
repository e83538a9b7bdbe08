"""`gradate eval`: output as `opa eval` prints it, and exit codes."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from webhook.cli.eval import eval_

POLICY = 'package a\nimport rego.v1\np contains x if some x in input.xs\nq := "text"\n'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "a.rego"
    path.write_text(POLICY)
    return path


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(eval_, [str(argument) for argument in arguments], input=stdin)


def test_json_has_the_form_of_opa(policy: Path) -> None:
    result = run("x := data.a.q; x != 1", "-d", policy)

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "result": [
            {
                "expressions": [
                    {"value": True, "text": "x := data.a.q", "location": {"row": 1, "col": 1}},
                    {"value": True, "text": "x != 1", "location": {"row": 1, "col": 16}},
                ],
                "bindings": {"x": "text"},
            }
        ]
    }


def test_bindings_are_left_out_where_there_are_none() -> None:
    assert json.loads(run("1 + 1").stdout) == {
        "result": [{"expressions": [{"value": 2, "text": "1 + 1", "location": {"row": 1, "col": 1}}]}]
    }


def test_an_undefined_result_is_an_empty_object() -> None:
    result = run("data.nothing")

    assert (json.loads(result.stdout), result.exit_code) == ({}, 0)
    assert run("data.nothing", "--fail").exit_code == 1
    assert run("true", "--fail").exit_code == 0
    assert run("true", "--fail-defined").exit_code == 1


def test_the_input_comes_from_a_file_or_standard_input(policy: Path, tmp_path: Path) -> None:
    (tmp_path / "input.yaml").write_text("xs: [2, 1]")

    from_file = run("data.a.p", "-d", policy, "-i", tmp_path / "input.yaml", "-f", "raw")
    from_stdin = run("data.a.p", "-d", policy, "--stdin-input", "-f", "raw", stdin='{"xs": [2, 1]}')

    assert from_file.stdout == from_stdin.stdout == "[1,2]\n"


def test_data_files_are_part_of_data(tmp_path: Path) -> None:
    (tmp_path / "limits").mkdir()
    (tmp_path / "limits" / "data.json").write_text('{"max": 3}')

    assert run("data.limits.max", "-d", tmp_path, "-f", "raw").stdout == "3\n"


@pytest.mark.parametrize(
    ("output_format", "query", "expected"),
    [
        ("raw", '"a"; [1, "b"]', 'a [1,"b"]\n'),
        ("raw", "x := [1, 2][_]; x > 0; x", "true true 1\ntrue true 2\n"),
        ("raw", "data.nothing", ""),
        ("pretty", "data.nothing", "undefined\n"),
        ("pretty", "{1, 2}", "[\n  1,\n  2\n]\n"),
        ("pretty", "x := [1, 2][_]", "+---+\n| x |\n+---+\n| 1 |\n| 2 |\n+---+\n"),
        ("values", "1 == 2", "[\n  false\n]\n"),
        ("bindings", "x := 1", '{\n  "x": 1\n}\n'),
    ],
)
def test_other_formats(output_format: str, query: str, expected: str) -> None:
    assert run(query, "--format", output_format).stdout == expected


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("x := ]", "rego_parse_error", "unexpected ] token"),
        ("x == 1", "rego_unsafe_var_error", "var x is unsafe"),
        ("nothing(1)", "rego_type_error", "undefined function nothing"),
        ("{k: v | some k in [1]; some v in [1, 2]}", "eval_conflict_error", "object keys must be unique"),
    ],
)
def test_errors_are_json_with_code_and_location_and_exit_with_2(query: str, code: str, message: str) -> None:
    result = run(query)

    assert result.exit_code == 2
    (error,) = json.loads(result.stdout)["errors"]
    assert (error["code"], error["message"]) == (code, message)
    assert error["location"]["row"] == 1


def test_errors_of_modules_name_their_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.rego"
    path.write_text("package a\np := ]\n")

    (error,) = json.loads(run("true", "-d", path).stdout)["errors"]

    assert error["location"] == {"file": str(path), "row": 2, "col": 6}
    assert error["details"] == {"line": "p := ]", "idx": 5}


def test_errors_in_other_formats_go_to_standard_error() -> None:
    result = run("x := ]", "-f", "raw")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "rego_parse_error" in result.stderr


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    result = run("true", "-d", tmp_path / "nowhere")

    assert result.exit_code == 2
    assert "no such file or folder" in json.loads(result.stdout)["errors"][0]["message"]


def test_input_that_is_no_json_is_an_error() -> None:
    assert run("true", "--stdin-input", stdin="{").exit_code == 2


def test_builtin_errors_can_be_strict() -> None:
    assert json.loads(run('to_number("x")').stdout) == {}
    strict = run('to_number("x")', "--strict-builtin-errors")
    assert (strict.exit_code, json.loads(strict.stdout)["errors"][0]["code"]) == (2, "eval_builtin_error")


def test_v0_modules_can_be_forced(tmp_path: Path) -> None:
    path = tmp_path / "old.rego"
    path.write_text("package a\np[x] { x := 1 }\nimport_me := 1\n")

    assert run("data.a.p", "-d", path, "--v0-compatible", "-f", "raw").stdout == "[1]\n"


def test_print_goes_to_standard_error(policy: Path) -> None:
    result = run("print(1)")

    assert result.stderr == "1\n"
    assert json.loads(result.stdout)["result"][0]["expressions"][0]["value"] is True


def write_plan_bundle(path: Path, key: str) -> None:
    """Write a bundle whose plan `a/x` gives `input.x` under a key."""
    plan = {
        "static": {"strings": [{"value": key}, {"value": "x"}], "builtin_funcs": [], "files": []},
        "plans": {
            "plans": [
                {
                    "name": "a/x",
                    "blocks": [
                        {
                            "stmts": [
                                {
                                    "type": "DotStmt",
                                    "stmt": {
                                        "source": {"type": "local", "value": 0},
                                        "key": {"type": "string_index", "value": 1},
                                        "target": 2,
                                    },
                                },
                                {"type": "MakeObjectStmt", "stmt": {"target": 3}},
                                {
                                    "type": "ObjectInsertStmt",
                                    "stmt": {
                                        "key": {"type": "string_index", "value": 0},
                                        "value": {"type": "local", "value": 2},
                                        "object": 3,
                                    },
                                },
                                {"type": "ResultSetAddStmt", "stmt": {"value": 3}},
                            ]
                        }
                    ],
                }
            ]
        },
        "funcs": {"funcs": []},
    }
    with tarfile.open(path, "w:gz") as archive:
        content = json.dumps(plan).encode()
        entry = tarfile.TarInfo("/plan.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def test_a_plan_bundle_answers_its_entry_points(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    write_plan_bundle(path, "result")

    known = run("data.a.x", "-b", path, "--stdin-input", "-f", "raw", stdin='{"x": "y"}')
    unknown = run("data.a.y", "-b", path)

    assert known.stdout == "y\n", known.output
    assert unknown.exit_code == 2


def test_the_plan_of_a_query_gives_its_variables(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    write_plan_bundle(path, "v")

    answer = run("data.a.x", "-b", path, "--stdin-input", stdin='{"x": "y"}')

    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["result"][0]["bindings"] == {"v": "y"}


@pytest.mark.parametrize(
    "arguments",
    [["true", "-I", "-i", "x"], ["true", "--fail", "--fail-defined"], ["true", "-b", "x", "-d", "y"], []],
)
def test_contradictory_options_are_misuse(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_an_answer_too_large_to_be_written_is_an_error(tmp_path: Path) -> None:
    doubling = "".join(f"v{index} := [v{index - 1}, v{index - 1}]\n" for index in range(1, 41))
    (tmp_path / "p.rego").write_text(f"package p\nv0 := [input]\n{doubling}")
    result = run("-d", tmp_path, "x := data.p.v40", "-I", stdin="1")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["errors"][0]["code"] == "eval_cancel_error"
