"""`gradate webhook-config`: the configuration that makes an API server call Gradate.

Owns the shape of Validating- and MutatingWebhookConfiguration. They are plain dicts dumped as YAML, not a
template: a dict cannot be indented wrongly, needs no quoting rules and is what the schema test reads.
Must not know a running server.
Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import yaml
from cryptography.hazmat.primitives.serialization import Encoding

from webhook.tls.material import check_time, read_certificates

Manifest = dict[str, Any]

VALIDATE_PATH = "/validate"
MUTATE_PATH = "/mutate"
SYSTEM_NAMESPACE = "kube-system"
OWN_NAMESPACE = "gradate-system"

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SERVICE = re.compile(
    rf"(?P<name>[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?)\.(?P<namespace>{_LABEL})(?:\.svc(?:\.[a-z0-9.-]+)?)?"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[A-Za-z0-9._-]+)*)/?"
)
_HIGHEST_PORT = 65_535
_WRITES = ("CREATE", "UPDATE")
_WORKLOADS = {
    "": ("podtemplates", "replicationcontrollers"),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "batch": ("cronjobs", "jobs"),
}


@dataclass(frozen=True, slots=True)
class UrlEndpoint:
    """A server that the API server reaches by URL."""

    base: str
    """`https://host[:port][/path]` without a trailing slash."""
    namespace: str = OWN_NAMESPACE
    """The namespace that Gradate would run in; excluded from admission."""

    def client_config(self, path: str) -> Manifest:
        """Give the part of `clientConfig` that says where to call."""
        return {"url": self.base + path}


@dataclass(frozen=True, slots=True)
class ServiceEndpoint:
    """A server behind a Service of the cluster."""

    name: str
    namespace: str
    port: int = 443
    prefix: str = ""
    """Path in front of Gradate's own paths."""

    def client_config(self, path: str) -> Manifest:
        """Give the part of `clientConfig` that says where to call."""
        service = {
            "name": self.name,
            "namespace": self.namespace,
            "port": self.port,
            "path": self.prefix + path,
        }
        return {"service": service}


Endpoint = UrlEndpoint | ServiceEndpoint


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """What the two configurations have in common."""

    name: str
    endpoint: Endpoint
    ca_bundle: bytes
    """PEM certificates."""
    failure_policy: str
    """`Fail` or `Ignore`: what the API server does when Gradate does not answer."""
    timeout_seconds: int
    excluded_namespaces: tuple[str, ...]
    also: tuple[tuple[str, str], ...] = ()
    """Group and resource of what else is validated, for policies of other kinds than Pod."""


def build_configurations(settings: WebhookSettings) -> tuple[Manifest, Manifest]:
    """Build the validating and the mutating configuration."""
    validating = _webhook(settings, f"validate.admission.{settings.name}", VALIDATE_PATH)
    validating["rules"] = [
        _rule("", ("pods", "pods/ephemeralcontainers", "pods/resize"), _WRITES),
        *(_rule(group, resources, _WRITES) for group, resources in _WORKLOADS.items()),
        *({**_rule(group, (resource,), _WRITES), "scope": "*"} for group, resource in settings.also),
    ]
    mutating = _webhook(settings, f"mutate.admission.{settings.name}", MUTATE_PATH)
    mutating["reinvocationPolicy"] = "IfNeeded"
    mutating["rules"] = [
        # What a policy would set cannot be changed any more in a Pod that exists, except for a new
        # ephemeral container.
        _rule("", ("pods",), ("CREATE",)),
        _rule("", ("pods/ephemeralcontainers",), ("UPDATE",)),
        *(_rule(group, resources, _WRITES) for group, resources in _WORKLOADS.items()),
    ]
    return (
        _configuration("ValidatingWebhookConfiguration", settings.name, validating),
        _configuration("MutatingWebhookConfiguration", settings.name, mutating),
    )


def _configuration(kind: str, name: str, webhook: Manifest) -> Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "gradate"}},
        "webhooks": [webhook],
    }


def _webhook(settings: WebhookSettings, name: str, path: str) -> Manifest:
    bundle = base64.b64encode(settings.ca_bundle).decode("ascii")
    return {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {**settings.endpoint.client_config(path), "caBundle": bundle},
        "failurePolicy": settings.failure_policy,
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": settings.timeout_seconds,
        # The API server sets this label itself, so no tenant can leave or enter by editing labels.
        "namespaceSelector": {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": list(settings.excluded_namespaces),
                }
            ]
        },
    }


def _rule(group: str, resources: Sequence[str], operations: Sequence[str]) -> Manifest:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": list(operations),
        "resources": list(resources),
        "scope": "Namespaced",
    }


def parse_url(_context: click.Context, _parameter: click.Parameter, value: str | None) -> UrlEndpoint | None:
    """Parse `https://host[:port][/path]` by the API server's own rules."""
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise _bad_url(value, str(error).lower()) from error
    for refused, reason in (
        (parts.scheme != "https", "the API server calls https only"),
        (not parts.hostname, "it names no host"),
        (port == 0, "port 0 cannot be called"),
        ("@" in parts.netloc, "user and password are not permitted"),
        ("?" in value or "#" in value, "query and fragment are not permitted"),
        (re.search(r"\s", value) is not None, "it holds white space"),
    ):
        if refused:
            raise _bad_url(value, reason)
    path = parts.path.rstrip("/").removesuffix(VALIDATE_PATH).removesuffix(MUTATE_PATH)
    return UrlEndpoint(f"https://{parts.netloc}{path}")


def _bad_url(value: str, reason: str) -> click.BadParameter:
    return click.BadParameter(f"{value!r}: {reason}; write https://host[:port][/path]")


def parse_service(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> ServiceEndpoint | None:
    """Parse `NAME.NAMESPACE[:PORT][/PATH]`; the `.svc` of a DNS name may follow the namespace."""
    if value is None:
        return None
    match = _SERVICE.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!r}: write NAME.NAMESPACE, such as gradate.gradate-system:443")
    port = int(match["port"] or 443)
    if not 1 <= port <= _HIGHEST_PORT:
        raise click.BadParameter(f"{value!r}: a port is a number from 1 to {_HIGHEST_PORT}")
    return ServiceEndpoint(match["name"], match["namespace"], port, match["path"])


def check_names(
    _context: click.Context, _parameter: click.Parameter, value: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    """Check names of Kubernetes objects."""
    for name in (value,) if isinstance(value, str) else value:
        if not re.fullmatch(_LABEL, name):
            raise click.BadParameter(f"{name!r}: a name is lower-case letters, digits and -")
    return value


def parse_resources(
    _context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Parse `[GROUP/]RESOURCE` such as `services` and `networking.k8s.io/ingresses`."""
    for text in value:
        if not re.fullmatch(r"(?:[a-z0-9.-]+/)?[a-z0-9]+", text):
            raise click.BadParameter(f"{text!r}: write RESOURCE or GROUP/RESOURCE, such as apps/deployments")
    return tuple((group, resource) for group, _, resource in (text.rpartition("/") for text in value))


@click.command("webhook-config")
@click.option(
    "--url", metavar="URL", callback=parse_url, help="Where the API server calls Gradate outside the cluster."
)
@click.option(
    "--service",
    metavar="NAME.NAMESPACE[:PORT]",
    callback=parse_service,
    help="The Service in front of Gradate inside the cluster.",
)
@click.option(
    "--ca",
    required=True,
    type=click.Path(path_type=Path),
    help="PEM file of the CA that signed Gradate's serving certificate.",
)
@click.option(
    "--failure-policy",
    type=click.Choice(["Fail", "Ignore"], case_sensitive=False),
    default="Fail",
    show_default=True,
    help="What the API server does when Gradate does not answer.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.IntRange(1, 30),
    default=5,
    show_default=True,
    help="Seconds that the API server waits.",
)
@click.option(
    "--exclude-namespace",
    "excluded",
    metavar="NAMESPACE",
    callback=check_names,
    multiple=True,
    help="Never call Gradate for this namespace, beside kube-system and Gradate's own. Repeatable.",
)
@click.option(
    "--also",
    metavar="[GROUP/]RESOURCE",
    callback=parse_resources,
    multiple=True,
    help="Have this resource validated too, for policies of other kinds than Pod. Repeatable.",
)
@click.option(
    "--name", callback=check_names, default="gradate", show_default=True, help="Name of both configurations."
)
def webhook_config(
    *,
    url: UrlEndpoint | None,
    service: ServiceEndpoint | None,
    ca: Path,
    failure_policy: str,
    timeout_seconds: int,
    excluded: tuple[str, ...],
    also: tuple[tuple[str, str], ...],
    name: str,
) -> None:
    """Print the Validating- and MutatingWebhookConfiguration for a cluster.

    kube-system and Gradate's own namespace are never sent to Gradate, so that a cluster can start, and
    Gradate can restart, while it is down. If the network plugin runs in a namespace of its own, exclude
    that one too.
    """
    endpoint = url or service
    if endpoint is None or (url and service):
        raise click.UsageError("give either --url or --service: it is where the API server calls Gradate")
    settings = WebhookSettings(
        name=name,
        endpoint=endpoint,
        ca_bundle=read_bundle(ca, datetime.now(UTC)),
        failure_policy=failure_policy,
        timeout_seconds=timeout_seconds,
        excluded_namespaces=tuple(dict.fromkeys((SYSTEM_NAMESPACE, endpoint.namespace, *excluded))),
        also=also,
    )
    manifests = build_configurations(settings)
    click.echo(yaml.safe_dump_all(manifests, sort_keys=False, width=float("inf")), nl=False)


def read_bundle(path: Path, now: datetime) -> bytes:
    """Read the certificates of a CA file as PEM, leaving out whatever else it holds.

    Raises:
        webhook.tls.errors.TlsError: unreadable, no certificate, or one that is not valid at `now`.

    """
    certificates = read_certificates(path)
    for certificate in certificates:
        check_time(path, certificate, now)
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
