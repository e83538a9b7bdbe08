"""The `gradate` command: one group, one module per command, one place where errors become exit codes."""

import sys
from collections.abc import Sequence

import click

from webhook.cli.certs import certs
from webhook.cli.config import config
from webhook.cli.dispute import dispute
from webhook.cli.errors import EXIT_FAILED, EXIT_MISUSE, EXPECTED_ERRORS
from webhook.cli.eval import eval_
from webhook.cli.exception import exception
from webhook.cli.policies import policies
from webhook.cli.review import review
from webhook.cli.rollout import rollout
from webhook.cli.serve import serve
from webhook.cli.simulate import simulate_command
from webhook.cli.store import store
from webhook.cli.test import test
from webhook.cli.webhook_config import webhook_config
from webhook.flows.operation_errors import OperationRefused

_INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="gradate", prog_name="gradate")
@click.option("--traceback", is_flag=True, help="Show where an unexpected error came from.")
@click.pass_context
def gradate(context: click.Context, *, traceback: bool) -> None:
    """Policy-as-code admission webhook for Kubernetes with staged policy rollouts."""
    context.obj = {"traceback": traceback}


for _command in (
    serve,
    rollout,
    review,
    dispute,
    exception,
    policies,
    test,
    eval_,
    simulate_command,
    store,
    certs,
    config,
    webhook_config,
):
    gradate.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a check failed or a verb was refused, 2 misuse or a bad environment."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        gradate.main(args=words, prog_name="gradate")
    except OperationRefused as error:
        _fail(str(error), EXIT_FAILED)
    except EXPECTED_ERRORS as error:
        _fail(str(error), EXIT_MISUSE)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:
        # The reader of a pipe went away: nothing is left to be said to it.
        sys.exit(0)
    except Exception as error:  # the edge of the program: no traceback reaches a user
        if "--traceback" in words:
            raise
        _fail(
            f"unexpected {type(error).__name__}: {error}; this is a bug, `gradate --traceback …` shows where",
            _INTERNAL_ERROR,
        )


def _fail(message: str, code: int) -> None:
    click.echo(f"gradate: {message}", err=True)
    sys.exit(code)
