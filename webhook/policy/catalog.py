"""The catalog: every policy version that a set of files defines.

Owns which modules are policies, libraries and tests. Must not know where the files are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.policy.version import PolicyVersion
from webhook.rego.ast import Source


@dataclass(frozen=True, slots=True)
class Catalog:
    """All policies, by path."""

    policies: tuple[PolicyVersion, ...] = ()
    tests: tuple[Source, ...] = ()
    """Modules whose package or file name ends in `_test`."""
    libraries: tuple[Source, ...] = ()
    """Modules without a rule that Gradate asks for."""

    def get(self, name: str) -> PolicyVersion | None:
        """Find a policy by name."""
        return next((policy for policy in self.policies if policy.name == name), None)


def read_catalog(sources: Sequence[Source]) -> Catalog:
    """Read every policy of a set of modules.

    Raises:
        PolicySyntaxError: a module does not parse.
        MetadataError: a header is wrong.
        DuplicatePolicyError: two files define one policy.

    """
    raise NotImplementedError


def override_parameters(catalog: Catalog, overrides: Mapping[str, Mapping[str, Any]]) -> Catalog:
    """Lay parameters over those of METADATA, by policy name.

    Raises:
        UnknownParameterError: no such policy, or a policy that declares parameters has none of this name.

    """
    raise NotImplementedError
