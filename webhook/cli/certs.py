"""`gradate certs`: issue, renew and inspect development certificates."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from webhook.cli.options import output_option
from webhook.cli.printing import print_document, print_table
from webhook.tls.folder import CertificateFolder
from webhook.tls.material import CertificateStatus
from webhook.tls.names import parse_names

_NOTICE_DAYS = 30
DEFAULT_NAMES = ("localhost", "127.0.0.1", "::1", "gradate.gradate-system.svc")
_FOLDER = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("certs"),
    show_default=True,
    help="Folder of the certificates.",
)
_DAYS = click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="Lifetime of the certificate.",
)


@click.group()
def certs() -> None:
    """Issue, renew and inspect development certificates."""


@certs.command()
@_FOLDER
@_DAYS
@click.option(
    "--name",
    "names",
    multiple=True,
    help=f"DNS name or IP address to serve under; repeatable. [default: {', '.join(DEFAULT_NAMES)}]",
)
@click.option("--force", is_flag=True, help="Replace the CA and the certificate that are there.")
def init(folder: Path, days: int, names: Sequence[str], *, force: bool) -> None:
    """Issue a CA and a serving certificate (ECDSA P-256, keys readable by you alone)."""
    store = CertificateFolder(folder)
    status = store.init(
        parse_names(names or DEFAULT_NAMES), _now(), lifetime=timedelta(days=days), force=force
    )
    click.echo(f"wrote {store.authority_certificate} and {_describe(status)}")


@certs.command()
@_FOLDER
@_DAYS
@click.option(
    "--name", "names", multiple=True, help="New names; repeatable. [default: those of the old certificate]"
)
def renew(folder: Path, days: int, names: Sequence[str]) -> None:
    """Replace the serving certificate under the same CA; a running server picks it up by itself."""
    status = CertificateFolder(folder).renew(
        _now(), names=parse_names(names) if names else None, lifetime=timedelta(days=days)
    )
    click.echo(f"renewed {_describe(status)}")


@certs.command()
@_FOLDER
@_DAYS
@click.option("--common-name", default="kube-apiserver", show_default=True, help="Who the client is.")
@click.option("--file-name", default="client", show_default=True, help="Name of the files, without ending.")
def client(folder: Path, days: int, common_name: str, file_name: str) -> None:
    """Issue a client certificate, for servers that run with --client-ca."""
    paths = CertificateFolder(folder).issue_client(
        common_name, _now(), file_name=file_name, lifetime=timedelta(days=days)
    )
    click.echo(f"wrote {paths[0]} and {paths[1]}")


@certs.command()
@_FOLDER
@output_option
def status(folder: Path, output: str) -> None:
    """Show subject, names and expiry of every certificate."""
    now = _now()
    rows = [_row(entry, now) for entry in CertificateFolder(folder).status()]
    if output != "text":
        print_document(rows, output)
        return
    print_table(("FILE", "SUBJECT", "NAMES", "ISSUER", "EXPIRES", "DAYS LEFT"), map(_cells, rows))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    left = row["daysLeft"]
    colour = "red" if left <= 0 else "yellow" if left < _NOTICE_DAYS else "green"
    texts = (row["path"], row["subject"], "\n".join(row["names"]), row["issuer"], row["notAfter"])
    return (*map(escape, texts), f"[{colour}]{left:.0f}[/]")


def _now() -> datetime:
    return datetime.now(UTC)


def _describe(status: CertificateStatus) -> str:
    return f"{status.path} for {', '.join(status.names)}, valid until {status.not_after:%Y-%m-%d}"


def _row(status: CertificateStatus, now: datetime) -> dict[str, Any]:
    return {
        "path": str(status.path),
        "subject": status.subject,
        "names": list(status.names),
        "issuer": status.issuer,
        "notBefore": status.not_before.isoformat(),
        "notAfter": status.not_after.isoformat(),
        "daysLeft": round(status.days_left(now), 1),
    }
