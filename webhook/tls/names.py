"""The names that a certificate speaks for: DNS names and IP addresses."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from webhook.tls.errors import InvalidNameError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 1123 labels, with RFC 6125's wildcard as the whole first label.
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_DNS_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_LONGEST_DNS_NAME = 253


@dataclass(frozen=True, slots=True)
class SubjectNames:
    """What goes into the subject alternative name."""

    dns: tuple[str, ...] = ()
    ips: tuple[IpAddress, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All names as text, DNS names first."""
        return (*self.dns, *(str(ip) for ip in self.ips))


def parse_names(texts: Sequence[str]) -> SubjectNames:
    """Sort texts such as `gradate.example.svc` and `10.0.0.1` into names, duplicates dropped, order kept.

    Raises:
        InvalidNameError: empty, or a text that is neither a DNS name nor an IP address.

    """
    dns: dict[str, None] = {}
    ips: dict[IpAddress, None] = {}
    for text in texts:
        bare = text.strip().removeprefix("[").removesuffix("]")
        try:
            ips[ipaddress.ip_address(bare)] = None
        except ValueError:
            dns[_check_dns_name(text.strip())] = None
    if not dns and not ips:
        raise InvalidNameError("a serving certificate needs at least one DNS name or IP address; pass --name")
    return SubjectNames(tuple(dns), tuple(ips))


def _check_dns_name(text: str) -> str:
    name = text.lower().removesuffix(".")
    looks_like_ip = re.fullmatch(r"[0-9.]+", name) is not None
    if looks_like_ip or len(name) > _LONGEST_DNS_NAME or not _DNS_NAME.fullmatch(name):
        raise InvalidNameError(
            f"{text!r} is neither a DNS name nor an IP address; write it like "
            "gradate.gradate-system.svc or 10.0.0.1, without scheme or port"
        )
    return name
