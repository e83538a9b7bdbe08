"""Named health checks: what `/readyz` asks.

Owns how checks combine. Must not know what they look at, or HTTP.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec


class Health(msgspec.Struct, frozen=True, array_like=True):
    """What one check says."""

    ok: bool
    note: str = ""
    """Why not, or what a person should know although all is well."""


Probe = Callable[[], Health]
"""Looks at state in memory; must not block or raise."""


class NamedHealth(msgspec.Struct, frozen=True, array_like=True):
    """One check's name and what it says."""

    name: str
    health: Health


class Checks:
    """The checks of one process, in the order in which they were added."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}

    def add(self, name: str, probe: Probe) -> None:
        """Add a check, or replace the one of that name."""
        self._probes[name] = probe

    def look(self) -> tuple[NamedHealth, ...]:
        """Ask every check."""
        return tuple(NamedHealth(name, probe()) for name, probe in self._probes.items())


Look = Callable[[], Sequence[NamedHealth]]
"""Gives the health of everything that a process, or a supervisor, answers for."""


def all_well(found: Iterable[NamedHealth]) -> bool:
    """Tell whether no check fails."""
    return all(one.health.ok for one in found)


def report_checks(title: str, found: Sequence[NamedHealth], *, verbose: bool) -> str:
    """Say what was found in the form of the API server's `/readyz`.

    Source: https://kubernetes.io/docs/reference/using-api/health-checks/
    """
    well = all_well(found)
    if well and not verbose:
        return "ok"
    lines = [_line(one) for one in found]
    lines.append(f"{title} check {'passed' if well else 'failed'}")
    return "\n".join(lines) + "\n"


def _line(one: NamedHealth) -> str:
    note = one.health.note.replace("\n", " | ")
    if one.health.ok:
        return f"[+]{one.name} ok: {note}" if note else f"[+]{one.name} ok"
    return f"[-]{one.name} failed: {note or 'no reason given'}"
