import subprocess
import sys
from pathlib import Path

import click
import pytest

from webhook.cli.main import COMMANDS, gradate, main
from webhook.telemetry.process import product_version

GRADATE = Path(sys.executable).with_name("gradate")


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int | str | None, str, str]:
    """Run the command line; give exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code, *capsys.readouterr()


def test_every_command_explains_itself_in_a_sentence() -> None:
    context = click.Context(gradate)
    assert "serve" in COMMANDS
    for name in COMMANDS:
        command = gradate.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(), name


def test_help_and_version_are_no_errors(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "serve" in out
    assert run(capsys, "--version") == (0, f"gradate, version {product_version()}\n", "")


def test_without_a_command_the_help_is_shown_as_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys)
    assert code == 2
    assert err.startswith("Usage: gradate")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--nonsense",), "gradate: no such option '--nonsense'; see `gradate --help`"),
        (
            ("serve", "--workers", "two"),
            "gradate: invalid value for '--workers': 'two' is not a valid integer; see `gradate serve --help`",
        ),
        (
            ("config", "chek"),
            "gradate: no such command 'chek'; did you mean 'check'? See `gradate config --help`",
        ),
        (("eval",), "gradate: missing argument 'QUERY'; see `gradate eval --help`"),
        (
            ("serve", "--workers", "0"),
            "gradate: flag --workers: `server.workers`: expected `int` >= 1",
        ),
        (
            ("serve", "--listen", "nowhere"),
            "gradate: flag --listen: `server.listen`: write it like 0.0.0.0:8443 or [::]:8443",
        ),
        (
            ("policies", "--policies", "absent"),
            "gradate: absent: no such policy folder; create it or name another with --policies",
        ),
        (
            ("serve", "--tls-cert", "absent.crt"),
            "gradate: absent.crt: there is no such file; give the right path, or run `gradate certs init` for development certificates",
        ),
    ],
)
def test_misuse_is_one_line_that_says_what_to_do_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    assert run(capsys, *arguments) == (2, "", line + "\n")


def test_a_reader_that_goes_away_is_told_nothing_more() -> None:
    command = [str(GRADATE), "config", "show"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1
