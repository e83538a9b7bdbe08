"""Listen addresses: parsed, bound, and what went wrong said in one line.

Owns sockets before anybody listens on them. Must not know what is served.
"""

import errno
import re
import socket
from dataclasses import dataclass

from webhook.server.errors import (
    AddressForbiddenError,
    AddressInUseError,
    ListenAddressError,
    ServerError,
)

_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<plain>[^:\[\]]*)):(?P<port>\d{1,5})", re.ASCII)
_LARGEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a port; port 0 lets the system choose one."""

    host: str
    """Empty for every address of the machine."""
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> ListenAddress:
    """Read `host:port`, `[ipv6]:port` or `:port`.

    Raises:
        ListenAddressError: it is none of these.

    """
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or int(match["port"]) > _LARGEST_PORT:
        raise ListenAddressError(
            f"{text!r} is not a listen address; write host:port, like 0.0.0.0:8443 or [::]:8443"
        )
    return ListenAddress(match["bracketed"] or match["plain"] or "", int(match["port"]))


def bind(address: ListenAddress, *, setting: str, share: bool = False) -> socket.socket:
    """Bind a socket that does not listen yet.

    Args:
        address: where.
        setting: what a person changes to listen elsewhere, such as `--listen`.
        share: let other processes of this user bind the same port (SO_REUSEPORT).

    Raises:
        AddressInUseError, AddressForbiddenError, ListenAddressError: it cannot be bound.

    """
    family, where = _resolve(address, setting)
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(where)
    except OSError as error:
        bound.close()
        raise explain(error, address, setting) from error
    bound.setblocking(False)
    return bound


def reserve(address: ListenAddress, *, setting: str) -> tuple[socket.socket, ListenAddress]:
    """Hold a port for worker processes that will share it; give the holding socket and the actual address.

    Raises:
        AddressInUseError, AddressForbiddenError, ListenAddressError: it cannot be bound.

    """
    # A socket that shares would bind beside a foreign process that shares too, and take half of its
    # connections: so the port must be free of everybody first.
    with bind(address, setting=setting) as probe:
        free = address_of(probe, address)
    return bind(free, setting=setting, share=True), free


def address_of(bound: socket.socket, asked: ListenAddress) -> ListenAddress:
    """Give the address of a bound socket, with the port that the system chose."""
    return ListenAddress(asked.host, bound.getsockname()[1])


def _resolve(address: ListenAddress, setting: str) -> tuple[socket.AddressFamily, tuple[str, int]]:
    host = address.host or "0.0.0.0"  # noqa: S104  an empty host means every address, as in Go
    try:
        found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ListenAddressError(
            f"cannot listen on {address}: {host!r} is no address of this machine; change {setting}"
        ) from error
    family, _, _, _, where = found[0]
    return family, (str(where[0]), int(where[1]))


def explain(error: OSError, address: ListenAddress, setting: str) -> ServerError:
    """Say in one line why nobody can listen there, and what to change."""
    if error.errno == errno.EADDRINUSE:
        return AddressInUseError(
            f"cannot listen on {address}: another process does; stop it, or choose another port with {setting}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return AddressForbiddenError(
            f"cannot listen on {address}: this user may not; choose a port above 1023 with {setting}"
        )
    reason = error.strerror or str(error)
    return ListenAddressError(f"cannot listen on {address}: {reason.lower()}; change {setting}")
