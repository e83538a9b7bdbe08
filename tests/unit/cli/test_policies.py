import shutil
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner, Result

from webhook.cli.policies import policies
from webhook.policy.errors import PolicySyntaxError, UnknownParameterError
from webhook.ports.source import SourceError

CORE = Path(__file__).parents[3] / "policies"
OWN = 'package k8s.admission\n\ndeny[msg] { input.request.name == "x"; msg := "no" }\n'


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(policies, ["--policies", str(folder), *arguments])


def test_the_table_tells_name_version_digest_action_kinds_and_engine() -> None:
    result = run(CORE)
    headings, *rows = result.output.splitlines()
    assert headings.split() == ["NAME", "VERSION", "DIGEST", "ACTION", "KINDS", "ENGINE", "FILE"]
    assert [row.split()[0] for row in rows] == ["credential-env", "missing-seccomp", "unsafe-sysctls"]
    assert rows[0].split()[3:6] == ["deny", "Pod", "gradate"]
    assert rows[0].split()[2].startswith("sha256:")


def test_a_users_own_file_without_a_header_has_a_name_and_defaults(tmp_path: Path) -> None:
    (tmp_path / "own.rego").write_text(OWN)
    (row,) = msgspec.json.decode(run(tmp_path, "--output", "json").output)
    digest = row.pop("digest")
    assert len(digest) == len("sha256:") + 64
    assert row == {
        "name": "k8s-admission",
        "title": "",
        "version": "0.0.0",
        "severity": "medium",
        "action": "deny",
        "kinds": ["Pod"],
        "operations": ["CREATE", "UPDATE"],
        "engine": "gradate",
        "parameters": {},
        "path": str(tmp_path / "own.rego"),
    }


def test_parameters_of_the_settings_are_those_in_force_and_change_the_digest(tmp_path: Path) -> None:
    shutil.copy(CORE / "credential_env.rego", tmp_path)
    settings = tmp_path / "gradate.yaml"
    settings.write_text("policies: {parameters: {credential-env: {allowed_names: [CI_TOKEN]}}}")
    (before,) = yaml.safe_load(run(tmp_path, "--output", "yaml").output)
    (after,) = yaml.safe_load(run(tmp_path, "--output", "yaml", "--config", str(settings)).output)
    assert after["parameters"] == {**before["parameters"], "allowed_names": ["CI_TOKEN"]}
    assert after["digest"] != before["digest"]

    settings.write_text("policies: {parameters: {credential-env: {alowed_names: []}}}")
    refused = run(tmp_path, "--config", str(settings))
    assert isinstance(refused.exception, UnknownParameterError)
    assert "did you mean 'allowed_names'?" in str(refused.exception)


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    result = run(tmp_path / "absent")
    assert isinstance(result.exception, SourceError)
    assert "no such policy folder; create it or name another with --policies" in str(result.exception)


@pytest.mark.parametrize("text", ["package a\n\ndeny[", "package\n"])
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.rego").write_text(text)
    result = run(tmp_path)
    assert isinstance(result.exception, PolicySyntaxError)
    assert f"{tmp_path}/a.rego:" in str(result.exception)
