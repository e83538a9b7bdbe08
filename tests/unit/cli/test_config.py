import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner, Result

from webhook.cli.config import config
from webhook.rollout.errors import InvalidStrategy
from webhook.settings.errors import SettingsError
from webhook.settings.groups import Settings
from webhook.settings.loader import setting_paths


def run(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Result:
    return CliRunner(env=environment).invoke(config, [str(argument) for argument in arguments])


def saved(folder: Path, text: str) -> Path:
    path = folder / "gradate.yaml"
    path.write_text(text)
    return path


def test_valid_settings_are_counted(tmp_path: Path) -> None:
    path = saved(tmp_path, "server: {workers: 2}\nadmission: {existingViolations: deny}")
    result = run("check", "--config", path, environment={"GRADATE_POLICIES_WATCH": "false"})
    assert (result.exit_code, result.output) == (0, "settings are valid (3 set, the rest are defaults)\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: {wrokers: 2}", "server: unknown setting `wrokers`; did you mean `workers`?"),
        ("server: {workers: 0}", "`server.workers`: expected `int` >= 1"),
        ("rollout: {strategy: {stepz: []}}", "rollout.strategy.stepz: there is no such field"),
        (
            "rollout: {strategies: {web: {steps: [{mode: enforce, percent: 200}]}}}",
            "rollout.strategies.web.steps[0].percent",
        ),
    ],
)
def test_a_mistake_is_named_by_setting(tmp_path: Path, text: str, message: str) -> None:
    result = run("check", "--config", saved(tmp_path, text))
    assert isinstance(result.exception, SettingsError | InvalidStrategy)
    assert message in str(result.exception)


def test_a_setting_is_shown_with_its_value_its_origin_and_its_variable(tmp_path: Path) -> None:
    path = saved(tmp_path, "server: {workers: 2}")
    result = run("show", "--config", path, environment={"GRADATE_SERVER_LISTEN": "[::1]:8443"})
    rows = {line.split()[0]: re.split(r"\s{2,}", line.strip()) for line in result.output.splitlines()}
    assert rows["server.workers"] == ["server.workers", "2", str(path), "GRADATE_SERVER_WORKERS"]
    assert rows["server.listen"][1:3] == ['"[::1]:8443"', "environment variable GRADATE_SERVER_LISTEN"]
    assert rows["admission.exemptNamespaces"][1:3] == ['["kube-system","gradate-system"]', "default"]
    assert len(rows) == 1 + len(setting_paths())


@pytest.mark.parametrize(("output", "read"), [("json", msgspec.json.decode), ("yaml", yaml.safe_load)])
def test_what_is_shown_for_programs_is_a_settings_file(output: str, read: object) -> None:
    assert callable(read)
    result = run("show", "--output", output)
    assert msgspec.convert(read(result.output), Settings) == Settings()


def test_a_file_that_is_named_and_missing_is_an_error(tmp_path: Path) -> None:
    result = run("check", "--config", tmp_path / "absent.yaml")
    assert "cannot read the settings file" in str(result.exception)
