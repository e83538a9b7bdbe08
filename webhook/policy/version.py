"""A policy version: immutable content under a digest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NewType

from webhook.policy.metadata import PolicyMetadata
from webhook.rego.ast import Module, Source

Digest = NewType("Digest", str)
"""`sha256:` and 64 hexadecimal digits."""

RULES = ("deny", "warn", "violation", "patch")
"""The rules that Gradate asks a policy for."""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One policy as it was written, with everything that its verdicts depend on."""

    metadata: PolicyMetadata
    package: str
    """As a reference, without `data`: `gradate.credential_env`."""
    rules: frozenset[str]
    """Which of `RULES` the policy defines."""
    sources: tuple[Source, ...]
    """The policy's own module first, then the library modules it imports, by path."""
    digest: Digest
    """Over modules, metadata and parameters; paths take no part."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The effective ones: METADATA's, with the settings' laid over."""
    modules: tuple[Module, ...] = field(default=(), compare=False, repr=False)
    """The sources as they were parsed, for whoever compiles them next; empty once they are let go of."""

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.metadata.name

    @property
    def semantic_version(self) -> str:
        """METADATA's version."""
        return self.metadata.version

    @property
    def path(self) -> str:
        """The file that defines the policy."""
        return self.sources[0].path

    def entrypoint(self, rule: str) -> str:
        """Give the reference of one rule: `data.gradate.credential_env.deny`."""
        return f"data.{self.package}.{rule}"
