"""What a check of an evidence bundle found, apart from what it takes to check one."""

from webhook.flows.operator import View
from webhook.rollout.life import Phase


class CheckedFact(View, frozen=True, kw_only=True):
    """One thing that was checked."""

    name: str
    passed: bool
    detail: str
    """What was found wrong, or what was looked at."""


class Verification(View, frozen=True, kw_only=True):
    """What a check of a bundle found."""

    passed: bool
    sha256: str
    """Of the file."""
    rollout: str
    policy: str
    version: str
    phase: Phase | None
    facts: tuple[CheckedFact, ...]
    taken_on_trust: tuple[str, ...]
