"""`gradate serve`: answer AdmissionReviews over HTTPS."""

from pathlib import Path
from typing import Any

import click

from webhook.cli.options import config_option, policies_option, read_settings
from webhook.compose.application import BuildApplication, operations_routes
from webhook.server.address import ListenAddress
from webhook.server.serve import serve as serve_application


@click.command()
@config_option
@policies_option
@click.option("--listen", metavar="HOST:PORT", help="Admission listener, HTTPS. [default: 0.0.0.0:8443]")
@click.option(
    "--operations-listen",
    metavar="HOST:PORT",
    help="Probes, metrics and operations, plain HTTP. [default: 127.0.0.1:8080]",
)
@click.option("--tls-cert", metavar="FILE", help="Serving certificate and chain. [default: certs/tls.crt]")
@click.option("--tls-key", metavar="FILE", help="Serving key. [default: certs/tls.key]")
@click.option("--client-ca", metavar="FILE", help="Require client certificates that this CA signed.")
@click.option("--store", metavar="FILE", help="SQLite store. [default: data/gradate.db]")
@click.option("--token-file", metavar="FILE", help="Token of the operations API. [default: data/token]")
@click.option("--workers", type=int, metavar="N", help="Processes that share the port. [default: 1]")
def serve(config_path: Path | None, **flags: Any) -> None:
    """Serve admission over HTTPS, and probes and metrics beside it, until SIGTERM."""
    settings = read_settings(config_path, flags).settings
    build = BuildApplication(settings)

    def announce(admission: ListenAddress, operations: ListenAddress) -> None:
        token = f", token in {settings.server.token_file}" if settings.rollout.enabled else ""
        click.echo(f"admission on https://{admission}, operations on http://{operations}{token}", err=True)

    with operations_routes(settings) as routes:
        serve_application(settings.server, settings.telemetry, build, routes=routes, announce=announce)
