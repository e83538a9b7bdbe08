"""Settings come from a file, the environment and flags, and mistakes are named."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.settings.errors import SettingsError
from webhook.settings.groups import Settings
from webhook.settings.loader import environment_name, load_settings, setting_paths


def _file(folder: Path, text: str) -> Path:
    path = folder / "gradate.yaml"
    path.write_text(text)
    return path


def test_without_any_source_every_setting_has_its_default() -> None:
    assert load_settings(None, {}, {}).settings == Settings()


def test_flags_win_over_environment_and_environment_over_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, "server: {listen: ':1', workers: 2, operationsListen: ':2'}")
    environment = {"GRADATE_SERVER_WORKERS": "3", "GRADATE_SERVER_OPERATIONS_LISTEN": "127.0.0.1:3"}
    loaded = load_settings(path, environment, {("server", "workers"): ("--workers", 4)})
    assert loaded.settings.server.listen == ":1"
    assert loaded.settings.server.operations_listen == "127.0.0.1:3"
    assert loaded.settings.server.workers == 4
    assert loaded.origins["server", "workers"] == "flag --workers"
    assert loaded.origins["server", "listen"] == str(path)


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    loaded = load_settings(None, {}, {("server", "workers"): ("--workers", None)})
    assert loaded.settings == Settings()
    assert not loaded.origins


def test_a_list_can_be_given_in_the_environment() -> None:
    loaded = load_settings(None, {"GRADATE_ADMISSION_EXEMPT_NAMESPACES": "[a, b]"}, {})
    assert loaded.settings.admission.exempt_namespaces == ("a", "b")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("listen", "[::]:8443", "[::]:8443"),
        ("tlsCert", "8443", "8443"),
        ("clientCa", "no", "no"),
        ("clientCa", "", None),
    ],
)
def test_text_in_the_environment_is_taken_as_it_stands(name: str, text: str, value: str | None) -> None:
    loaded = load_settings(None, {environment_name(("server", name)): text}, {})
    assert msgspec.to_builtins(loaded.settings.server)[name] == value


def test_a_broken_value_in_the_environment_is_said_in_one_line() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {"GRADATE_ADMISSION_EXEMPT_NAMESPACES": "[a"}, {})
    assert "environment variable GRADATE_ADMISSION_EXEMPT_NAMESPACES: not a valid value" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server: {lisen: ':1'}", "unknown setting `lisen`; did you mean `listen`?"),
        ("serwer: {}", "unknown group `serwer`; did you mean `server`?"),
        ("server: {workers: many}", "`server.workers`: expected `int`, got `str`"),
        ("server: {workers: 0}", "`server.workers`: expected `int` >= 1"),
        (
            "admission: {existingViolations: maybe}",
            "`admission.existingViolations`: invalid enum value 'maybe'; known: allow, deny",
        ),
        ("server: {listen: nowhere}", "`server.listen`: write it like 0.0.0.0:8443 or [::]:8443"),
        ("server: {listen: ':65536'}", "`server.listen`: write it like 0.0.0.0:8443"),
        (
            "telemetry: {otlpEndpoint: 'ftp://x'}",
            "`telemetry.otlpEndpoint`: write it like http://localhost:4318",
        ),
        ("server: {workers: 1, workers: 2}", ":1:22: not valid YAML: the key `workers` stands twice"),
        ("server: {}\nserver: {}", ":2:1: not valid YAML: the key `server` stands twice"),
        ("&a [*a]", "settings are a mapping"),
        ("[1, 2]", "settings are a mapping of groups, not a list"),
        ("server: 3", "`server` is a mapping of settings, not a int"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_file_and_key(tmp_path: Path, text: str, expected: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {}, {})
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


def test_broken_yaml_is_reported_with_line_and_column(tmp_path: Path) -> None:
    path = _file(tmp_path, "server:\n  listen: [\n")
    with pytest.raises(SettingsError, match=rf"{path}:3:1: not valid YAML"):
        load_settings(path, {}, {})


def test_a_missing_file_is_an_error_not_a_default(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the settings file"):
        load_settings(tmp_path / "absent.yaml", {}, {})


def test_a_binary_file_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "gradate.yaml"
    path.write_bytes(b"server: \x80\x81")
    with pytest.raises(SettingsError, match="not valid YAML"):
        load_settings(path, {}, {})


def test_an_unknown_environment_variable_is_refused_with_the_nearest_match() -> None:
    with pytest.raises(SettingsError, match="did you mean `GRADATE_SERVER_WORKERS`"):
        load_settings(None, {"GRADATE_SERVER_WORKER": "2"}, {})


def test_service_links_that_kubernetes_injects_are_not_settings() -> None:
    environment = {
        "GRADATE_SERVICE_HOST": "10.0.0.1",
        "GRADATE_PORT": "tcp://10.0.0.1:443",
        "GRADATE_PORT_443_TCP_ADDR": "10.0.0.1",
        "GRADATE_WEBHOOK_SERVICE_PORT_HTTPS": "443",
    }
    assert load_settings(None, environment, {}).settings == Settings()


@given(st.sampled_from(setting_paths()))
def test_every_setting_has_an_environment_variable_of_its_own(path: tuple[str, ...]) -> None:
    name = environment_name(path)
    assert [p for p in setting_paths() if environment_name(p) == name] == [path]
    assert name == name.upper()
