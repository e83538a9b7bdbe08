"""The `gradate` command: one group, one module per command, one place where errors become exit codes."""

import gc
import importlib
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import NoReturn

import click

_INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h


COMMANDS: Mapping[str, str] = {
    "serve": "serve:serve",
    "rollout": "rollout:rollout",
    "review": "review:review",
    "dispute": "dispute:dispute",
    "exception": "exception:exception",
    "policies": "policies:policies",
    "test": "test:test",
    "eval": "eval:eval_",
    "simulate": "simulate:simulate_command",
    "store": "store:store",
    "certs": "certs:certs",
    "config": "config:config",
    "webhook-config": "webhook_config:webhook_config",
}
"""Module and object of each command, in the order of importance."""


class _Commands(click.Group):
    """Imports a command when it is asked for: a status is not kept waiting for what serves."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(_import(f"webhook.cli.{module}"), name)
        return command


def _import(name: str) -> ModuleType:
    """Import a module while the garbage collector rests: of what is imported, nothing is garbage."""
    if name in sys.modules or not gc.isenabled():
        return importlib.import_module(name)
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="gradate", prog_name="gradate")
@click.option("--traceback", is_flag=True, help="Show where an unexpected error came from.")
@click.pass_context
def gradate(context: click.Context, *, traceback: bool) -> None:
    """Policy-as-code admission webhook for Kubernetes with staged policy rollouts."""
    context.obj = {"traceback": traceback}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a check failed or a verb was refused, 2 misuse or a bad environment."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = gradate.main(args=words, prog_name="gradate", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        said = _as_clause(error.format_message())
        command = error.ctx.command_path if error.ctx else "gradate"
        _fail(f"{said}{' See' if said.endswith('?') else '; see'} `{command} --help`", error.exit_code)
    except click.ClickException as error:
        _fail(_as_clause(error.format_message()), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 130)
    except Exception as error:  # the edge of the program: no traceback reaches a user
        # Only now: a command that succeeds is not kept waiting for what all the others may raise.
        from webhook.cli.failures import exit_code_of  # noqa: PLC0415

        expected = exit_code_of(error)
        if expected is not None:
            _fail(str(error), expected)
        if "--traceback" in words:
            raise
        _fail(
            f"unexpected {type(error).__name__}: {error}; this is a bug, `gradate --traceback …` shows where",
            _INTERNAL_ERROR,
        )
    sys.exit(code if isinstance(code, int) else 0)


def _as_clause(sentence: str) -> str:
    """Make click's sentence, which may have several lines, a part of one line of ours."""
    text = " ".join(sentence.split()).removesuffix(".").replace(". Did you mean", "; did you mean")
    return text[:1].lower() + text[1:]


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"gradate: {message}", err=True)
    sys.exit(code)
