"""Errors of policies.

PolicyError
├── PolicySyntaxError         the Rego does not parse
├── MetadataError             a METADATA header holds what it must not
├── DuplicatePolicyError      two files define one policy
├── UnknownParameterError     settings name a policy or parameter that does not exist
└── BrokenPoliciesError       several of these at once
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file; line 0 stands for the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class PolicyError(Exception):
    """Root of everything that this package raises; the message names file, line and reason."""


class PolicySyntaxError(PolicyError):
    """A module that does not parse; the message is the compiler's."""


class MetadataError(PolicyError):
    """A METADATA header with an unknown key or a bad value."""

    def __init__(self, place: Place, field: str, reason: str) -> None:
        super().__init__(place, field, reason)
        self.place = place
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place}: METADATA {self.field}: {self.reason}"


class DuplicatePolicyError(PolicyError):
    """Two files define policies of one name."""

    def __init__(self, name: str, first: str, second: str) -> None:
        super().__init__(name, first, second)
        self.name = name
        self.first = first
        self.second = second

    def __str__(self) -> str:
        return (
            f"{self.second}: policy {self.name!r} is already defined in {self.first}; "
            "rename one (custom.name in METADATA)"
        )


class UnknownParameterError(PolicyError):
    """Settings give a parameter to a policy that declares no such one, or to no loaded policy."""


class BrokenPoliciesError(PolicyError):
    """Several policies are broken; the message has one paragraph for each."""

    def __init__(self, errors: Sequence[PolicyError]) -> None:
        super().__init__(*errors)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)
