"""Exceptions: granted, owned, expiring permission for named workloads to violate a named policy.

Honoured alike by stable and candidate, at admission and in scans. Knows names and time as a number, not who asks.
"""

import fnmatch
from dataclasses import dataclass
from typing import NewType

ExceptionId = NewType("ExceptionId", str)


@dataclass(frozen=True, slots=True)
class PolicyException:
    """One permission."""

    id: ExceptionId
    policy: str
    namespace: str
    """A name or a shell pattern."""
    workload: str
    """`Deployment/web`, or a shell pattern such as `*/web` or `*`; case counts."""
    reason: str
    owner: str
    """Who answers for it."""
    granted_by: str
    granted_ns: int
    expires_ns: int | None = None
    """From then on it permits nothing; None lasts until revoked."""
    revoked_ns: int | None = None
    revoked_by: str | None = None
    used_ns: int | None = None
    """When it last permitted something; None marks one that may be tidied away."""
    revision: int = 0

    def is_in_force(self, now_ns: int) -> bool:
        """Tell whether it permits anything at this time."""
        return self.revoked_ns is None and (self.expires_ns is None or now_ns < self.expires_ns)

    def covers(self, policy: str, namespace: str, workload: str, now_ns: int) -> bool:
        """Tell whether this workload (`Kind/name`) may violate this policy at this time."""
        return (
            policy == self.policy
            and self.is_in_force(now_ns)
            and fnmatch.fnmatchcase(namespace, self.namespace)
            and fnmatch.fnmatchcase(workload, self.workload)
        )
