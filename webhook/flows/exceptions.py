"""Exceptions: permission for named workloads to violate a policy, granted, listed, revoked."""

import re
import secrets
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from webhook.flows.operation_errors import InvalidField, unknown
from webhook.flows.operator import Ask, Operator, View, find_finding, require_policy
from webhook.flows.rollout_views import moment
from webhook.flows.signals import settle_by_exception
from webhook.ports.store import NotInStore
from webhook.rollout.duration import parse_duration
from webhook.rollout.errors import InvalidDuration
from webhook.rollout.policy_exception import ExceptionId, PolicyException

NEVER = "never"
_LATEST_NS = 2**63 - 1  # what a store keeps
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WORKLOAD = re.compile(r"[^/\s]+/[^/\s]+|\*")


class ExceptionState(StrEnum):
    """Whether an exception permits anything."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class GrantException(Ask, frozen=True, kw_only=True):
    """A permission to grant."""

    policy: str = ""
    namespace: str = ""
    """A name or a shell pattern."""
    workload: str = ""
    """`Deployment/web`, or a shell pattern such as `*/web`; `*` is every workload."""
    finding: str = ""
    """Stands for policy, namespace and workload of this finding, where they are empty."""
    reason: str
    owner: str
    """Who answers for it."""
    expires: str
    """A duration (`30d`, `72h`), a date (`2027-03-31`, that day included), a time (RFC 3339), or `never`."""


class ListExceptions(Ask, frozen=True, kw_only=True):
    """Which exceptions."""

    policy: str | None = None
    state: ExceptionState | None = None
    unused: bool = False
    """Only those in force that never permitted anything."""


class ExceptionName(Ask, frozen=True, kw_only=True):
    """One exception."""

    id: str


class ExceptionView(View, frozen=True, kw_only=True):
    """One permission."""

    id: str
    policy: str
    namespace: str
    workload: str
    reason: str
    owner: str
    state: ExceptionState
    granted_by: str
    granted_at: datetime
    expires_at: datetime | None
    """Null lasts until it is revoked."""
    revoked_by: str
    """Empty when nobody has."""
    revoked_at: datetime | None
    used_at: datetime | None
    """When it last permitted something."""


class ExceptionList(View, frozen=True, kw_only=True):
    """Permissions, newest first."""

    items: tuple[ExceptionView, ...]


class Granted(View, frozen=True, kw_only=True):
    """A permission that was granted, and what it settled."""

    exception: ExceptionView
    settled: int
    """Unreviewed findings that it made false positives."""


async def grant_exception(operator: Operator, ask: GrantException) -> Granted:
    """Permit workloads to violate a policy; findings that it covers are false positives from now on."""
    now_ns = operator.clock.now_ns()
    ask = await _filled_in(operator, ask)
    for field in ("policy", "namespace", "workload", "reason", "owner"):
        if not getattr(ask, field).strip():
            raise InvalidField(field, "is empty")
    if _WORKLOAD.fullmatch(ask.workload) is None:
        raise InvalidField(
            "workload", f"{ask.workload!r} is no workload; write Kind/name, like Deployment/web or */web"
        )
    await require_policy(operator.store, ask.policy)
    exception = PolicyException(
        id=ExceptionId(f"x-{secrets.token_hex(5)}"),
        policy=ask.policy,
        namespace=ask.namespace,
        workload=ask.workload,
        reason=ask.reason.strip(),
        owner=ask.owner.strip(),
        granted_by=operator.name,
        granted_ns=now_ns,
        expires_ns=read_expiry(ask.expires, now_ns),
    )
    await operator.store.grant(exception)
    settled = await settle_by_exception(operator.store, exception, now_ns)
    return Granted(exception=_view(exception, now_ns), settled=len(settled))


async def list_exceptions(operator: Operator, ask: ListExceptions) -> ExceptionList:
    """List exceptions, newest first."""
    if ask.policy is not None:
        await require_policy(operator.store, ask.policy)
    now_ns = operator.clock.now_ns()
    views = [_view(exception, now_ns) for exception in await operator.store.exceptions(ask.policy)]
    if ask.unused:
        views = [view for view in views if view.state is ExceptionState.ACTIVE and view.used_at is None]
    return ExceptionList(items=tuple(view for view in views if ask.state in (None, view.state)))


async def revoke_exception(operator: Operator, ask: ExceptionName) -> ExceptionView:
    """End an exception at once; revoking it again changes nothing."""
    now_ns = operator.clock.now_ns()
    try:
        revoked = await operator.store.revoke(ExceptionId(ask.id), operator.name, now_ns)
    except NotInStore as error:
        known = [exception.id for exception in await operator.store.exceptions()]
        raise unknown("exception", ask.id, known) from error
    return _view(revoked, now_ns)


def read_expiry(text: str, now_ns: int) -> int | None:
    """Read when an exception ends, as wall-clock nanoseconds; None for `never`.

    Raises:
        InvalidField: it is no duration, date or time, or it is past.

    """
    text = text.strip()
    if text == NEVER:
        return None
    expires_ns = _read_moment(text)
    if expires_ns is None:
        try:
            expires_ns = now_ns + parse_duration(text)
        except InvalidDuration as error:
            reason = f"{text!r} is neither a duration (30d, 72h) nor a date (2027-03-31), nor {NEVER!r}"
            raise InvalidField("expires", reason) from error
    if expires_ns <= now_ns:
        raise InvalidField("expires", f"{text} is past")
    if expires_ns > _LATEST_NS:
        raise InvalidField("expires", f"{text} is beyond the year 2262; say {NEVER!r}")
    return expires_ns


def _read_moment(text: str) -> int | None:
    try:
        if _DATE.fullmatch(text):
            # "Until the 31st" includes that day, in UTC.
            day = date.fromisoformat(text) + timedelta(days=1)
            moment_ = datetime(day.year, day.month, day.day, tzinfo=UTC)
        elif text[:4].isdigit() and "T" in text:
            moment_ = datetime.fromisoformat(text)
        else:
            return None
    except (ValueError, OverflowError) as error:
        raise InvalidField("expires", f"{text!r} is no date: {error}") from error
    if moment_.tzinfo is None:
        raise InvalidField("expires", f"{text!r} has no time zone; append Z for UTC")
    return int(moment_.timestamp()) * 1_000_000_000


async def _filled_in(operator: Operator, ask: GrantException) -> GrantException:
    if not ask.finding:
        return ask
    finding = await find_finding(operator, ask.finding)
    return GrantException(
        policy=ask.policy or finding.policy,
        namespace=ask.namespace or finding.namespace,
        workload=ask.workload or finding.owner,
        finding=ask.finding,
        reason=ask.reason,
        owner=ask.owner,
        expires=ask.expires,
    )


def _view(exception: PolicyException, now_ns: int) -> ExceptionView:
    state = ExceptionState.ACTIVE if exception.is_in_force(now_ns) else ExceptionState.EXPIRED
    if exception.revoked_ns is not None:
        state = ExceptionState.REVOKED
    return ExceptionView(
        id=exception.id,
        policy=exception.policy,
        namespace=exception.namespace,
        workload=exception.workload,
        reason=exception.reason,
        owner=exception.owner,
        state=state,
        granted_by=exception.granted_by,
        granted_at=moment(exception.granted_ns),
        expires_at=None if exception.expires_ns is None else moment(exception.expires_ns),
        revoked_by=exception.revoked_by or "",
        revoked_at=None if exception.revoked_ns is None else moment(exception.revoked_ns),
        used_at=None if exception.used_ns is None else moment(exception.used_ns),
    )
