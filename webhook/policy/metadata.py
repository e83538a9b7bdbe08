"""What a policy says of itself: the typed form of its METADATA header.

Owns names, defaults and meanings; reading them from a file is `header`'s part.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from webhook.admission.review import Operation
from webhook.policy.selector import KindSelector, NamespaceSelector


class Severity(enum.StrEnum):
    """How much a violation matters to a human."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class EnforcementAction(enum.StrEnum):
    """What a violation does."""

    DENY = "deny"
    WARN = "warn"
    AUDIT = "audit"
    """Logged only."""


class FailureAction(enum.StrEnum):
    """What it means when a policy cannot be evaluated."""

    DENY = "deny"
    ALLOW = "allow"
    WARN = "warn"


class Engine(enum.StrEnum):
    """Which evaluator runs a policy."""

    GRADATE = "gradate"
    REGOPY = "regopy"


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests a policy judges."""

    kinds: tuple[KindSelector, ...] = (KindSelector(None, "Pod"),)
    """`Pod` covers every workload; a workload kind named explicitly gives the policy the real object."""
    operations: frozenset[Operation] = frozenset({Operation.CREATE, Operation.UPDATE})
    namespaces: NamespaceSelector = field(default_factory=NamespaceSelector)


@dataclass(frozen=True, slots=True)
class RelatedResource:
    """A link for whoever reads the denial."""

    ref: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class PolicyMetadata:
    """The METADATA header of one policy; the defaults are those of a file without one."""

    name: str
    """Unique; lower-case letters, digits, `-` and `.`, at most 63 characters."""
    title: str = ""
    description: str = ""
    version: str = "0.0.0"
    """Semantic version (https://semver.org)."""
    severity: Severity = Severity.MEDIUM
    action: EnforcementAction = EnforcementAction.DENY
    match: Match = Match()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Declared parameters with their default values."""
    remediation: str = ""
    """How to fix a violation, for the author of the object."""
    related_resources: tuple[RelatedResource, ...] = ()
    failure_action: FailureAction | None = None
    """None leaves it to the settings."""
    engine: Engine = Engine.GRADATE
