"""The agenda: whom to ask about one kind of request, and in which role; found once per snapshot, not per request.

Policies without a rollout are asked alone. The versions of a policy that is rolling out share a route, which says what
each of them does in a namespace. Knows the snapshot; must not know how a version is asked.
"""

from collections.abc import Iterable, Sequence

import msgspec

from webhook.flows.snapshot import Snapshot
from webhook.flows.trial import Contender
from webhook.policy.index import MatchedPolicy
from webhook.rollout.policy_exception import PolicyException
from webhook.rollout.route import Assignment, Route

_REMEMBERED = 4_096
_ROLES = 4


class Asked(msgspec.Struct, frozen=True):
    """A version that decides alone, wherever its policy matches."""

    contender: Contender
    exceptions: Sequence[PolicyException]
    """Those of the policy."""
    in_process: bool
    """Whether it has not to be waited for."""


class Roles(msgspec.Struct, frozen=True):
    """What the versions of one policy do in one namespace; None where no version that matches has the role."""

    assignment: Assignment
    decide: Contender | None
    warn: Contender | None
    fallback: Contender | None
    candidate: Contender | None
    """The version that a trial is about."""
    stable: Contender | None
    """The version that a trial compares it with."""


class RollingPolicy:
    """A policy that is rolling out, as far as it matches one kind of request."""

    __slots__ = ("_contenders", "_roles", "_route", "exceptions", "in_process")

    def __init__(
        self, route: Route, contenders: Iterable[Contender], exceptions: Sequence[PolicyException]
    ) -> None:
        self._route = route
        self._contenders: dict[str, Contender] = {
            contender.match.policy.digest: contender for contender in contenders
        }
        self._roles: list[Roles] = []
        self.exceptions = exceptions
        """Those of the policy."""
        self.in_process = all(
            contender.loaded.evaluator.in_process for contender in self._contenders.values()
        )
        """Whether no version has to be waited for."""

    def roles(self, namespace: str) -> Roles:
        """Tell who does what in a namespace."""
        assignment = self._route.assign(namespace)
        for roles in self._roles:
            if roles.assignment is assignment:
                return roles
        roles = self._resolve(assignment)
        if len(self._roles) < _ROLES:
            self._roles.append(roles)
        return roles

    def _resolve(self, assignment: Assignment) -> Roles:
        candidate = None if assignment.rollout is None else assignment.rollout.candidate
        stable = assignment.fallback if assignment.decide == candidate else assignment.decide
        versions = (assignment.decide, assignment.warn, assignment.fallback, candidate, stable)
        return Roles(assignment, *(self._contenders.get(version or "") for version in versions))


class Agenda:
    """Whom to ask about one kind of request."""

    __slots__ = ("alone", "matches", "rolling")

    def __init__(self, snapshot: Snapshot, matches: Sequence[MatchedPolicy]) -> None:
        self.matches = matches
        alone: list[Asked] = []
        contenders: dict[str, list[Contender]] = {}
        for match in matches:
            loaded = snapshot.versions[match.position]
            if loaded.route is None:
                exceptions = snapshot.exceptions.get(match.policy.name, ())
                alone.append(Asked(Contender(loaded, match), exceptions, loaded.evaluator.in_process))
            else:
                contenders.setdefault(match.policy.name, []).append(Contender(loaded, match))
        self.alone = tuple(alone)
        self.rolling = tuple(
            RollingPolicy(versions[0].loaded.route, versions, snapshot.exceptions.get(name, ()))
            for name, versions in contenders.items()
            if versions[0].loaded.route is not None
        )


class Agendas:
    """The agendas of one snapshot."""

    __slots__ = ("_agendas", "snapshot")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._agendas: dict[int, Agenda] = {}

    def __len__(self) -> int:
        return len(self._agendas)

    def find(self, matches: Sequence[MatchedPolicy]) -> Agenda:
        """Give the agenda for what the index found.

        The index gives the same sequence for the same kind of request, so it is known by its identity; an agenda
        keeps its sequence, which therefore stays the only one with this identity.
        """
        agenda = self._agendas.get(id(matches))
        if agenda is None:
            agenda = Agenda(self.snapshot, matches)
            if len(self._agendas) >= _REMEMBERED:
                self._agendas.clear()
            self._agendas[id(matches)] = agenda
        return agenda
