"""Whether a chain of certificates leads from a leaf to a root, by the rules of Go's `x509.Certificate.Verify`.

Knows nothing of how certificates are written or shown. Time comes in with the question.
"""

import datetime as dt
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from webhook.rego.builtins.x509_fields import EXTENDED_KEY_USAGES, certificate_fields, extension

ANY_USAGE = EXTENDED_KEY_USAGES[0]
SERVER_USAGE = EXTENDED_KEY_USAGES[1]
_MAX_CHAIN = 32


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a chain has to fulfil."""

    moment: dt.datetime
    """When every certificate in it must be valid; with a time zone."""
    host: str = ""
    """Name or address that the leaf must be for; empty when it does not matter."""
    usages: tuple[str, ...] = (SERVER_USAGE,)
    """Object identifiers of extended key usages, one of which must be allowed."""


def find_chain(
    certificates: Sequence[x509.Certificate], requirements: Requirements
) -> list[x509.Certificate] | None:
    """Find a chain from the last certificate to the first, over the others where needed; leaf first, None without one.

    Names that a certificate authority is limited to are checked by the `cryptography` package, which refuses more.
    """
    root, *intermediates, leaf = certificates
    if not _is_current(leaf, requirements.moment) or not _is_for_host(leaf, requirements.host):
        return None
    for chain in _chains([leaf], root, intermediates, requirements.moment):
        if _allows_usage(chain, requirements.usages) and _respects_names(chain, requirements.moment):
            return chain
    return None


def _chains(
    chain: list[x509.Certificate],
    root: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    moment: dt.datetime,
) -> Iterator[list[x509.Certificate]]:
    """Give the ways on from the last certificate of a chain."""
    if len(chain) > _MAX_CHAIN:
        return
    if chain == [root]:
        yield chain
        return
    for issuer in (root, *intermediates):
        if issuer in chain or not _issued(issuer, chain[-1]):
            continue
        if not _is_current(issuer, moment) or not _may_issue(issuer, len(chain) - 1):
            continue
        if issuer == root:
            yield [*chain, root]
        else:
            yield from _chains([*chain, issuer], root, intermediates, moment)


def _issued(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    hashed = subject.signature_hash_algorithm
    return hashed is None or hashed.name not in ("md5", "sha1")


def _is_current(certificate: x509.Certificate, moment: dt.datetime) -> bool:
    if certificate_fields(certificate)["UnhandledCriticalExtensions"]:
        return False
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def _may_issue(certificate: x509.Certificate, below: int) -> bool:
    """Say whether a certificate is an authority's, with at most so many other authorities below it."""
    basic = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    if basic is None or not basic.ca or (usage is not None and not usage.key_cert_sign):
        return False
    return basic.path_length is None or below <= basic.path_length


def _allows_usage(chain: Sequence[x509.Certificate], usages: Sequence[str]) -> bool:
    """Say whether one of the usages is allowed all along a chain; a certificate that names none allows all."""
    remaining = set(usages)
    if ANY_USAGE in remaining:
        return True
    for certificate in chain:
        named = {item.dotted_string for item in extension(certificate, x509.ExtendedKeyUsage) or ()}
        if named and ANY_USAGE not in named:
            remaining &= named
    return bool(remaining)


def _respects_names(chain: Sequence[x509.Certificate], moment: dt.datetime) -> bool:
    leaf, *authorities = chain
    if not any(extension(authority, x509.NameConstraints) for authority in authorities):
        return True
    authority_policy = ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, Criticality.AGNOSTIC, None
    )
    builder = (
        PolicyBuilder()
        .store(Store([authorities[-1]]))
        .time(moment)
        .extension_policies(ca_policy=authority_policy, ee_policy=ExtensionPolicy.permit_all())
    )
    try:
        builder.build_client_verifier().verify(leaf, list(authorities[:-1]))
    except VerificationError:
        return False
    return True


def _is_for_host(certificate: x509.Certificate, host: str) -> bool:
    if not host:
        return True
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return False
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return any(_matches_name(name, host) for name in names.get_values_for_type(x509.DNSName))
    return address in names.get_values_for_type(x509.IPAddress)


def _matches_name(pattern: str, host: str) -> bool:
    """Match a host name; a star stands for the whole first label."""
    wanted, given = pattern.lower().rstrip(".").split("."), host.lower().rstrip(".").split(".")
    if len(wanted) != len(given) or not all(given):
        return False
    return wanted[1:] == given[1:] and (wanted[0] == given[0] or (wanted[0] == "*" and len(wanted) > 1))
