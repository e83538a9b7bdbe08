"""Errors of the rollout package.

RolloutError
├── InvalidDuration
├── InvalidStrategy
└── TransitionRefused
"""

from collections.abc import Sequence
from dataclasses import dataclass


class RolloutError(Exception):
    """Root of what the rollout package raises; the message is for the person who asked."""


class InvalidDuration(RolloutError):  # noqa: N818 - reads as what is wrong
    """A text is no duration; the message says which forms are."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a strategy."""

    field: str
    """Where, as the user wrote it: `steps[0].percent`; empty for the document itself."""
    reason: str
    """What is wrong and what would be right."""

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


class InvalidStrategy(RolloutError):  # noqa: N818 - reads as what is wrong
    """A strategy cannot be used; `problems` holds everything found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


class TransitionRefused(RolloutError):  # noqa: N818 - reads as what happened
    """A verb does not apply to a rollout as it stands; nothing changed."""
