"""Errors of what people ask for: verbs on rollouts, verdicts, exceptions.

OperationError
├── UnknownName         nothing is called that; the message names what is most like it
├── OperationRefused    it does not apply to what is there; nothing changed
└── InvalidField        a value that was given is unusable

A store that fails raises what its port says.
"""

from collections.abc import Iterable

from webhook.policy.likeness import nearest


class OperationError(Exception):
    """Root of what an operation raises; the message is for the person who asked."""


class UnknownName(OperationError):  # noqa: N818 - reads as what is wrong
    """There is nothing of that name."""


class OperationRefused(OperationError):  # noqa: N818 - reads as what happened
    """What was asked for does not apply to what is there; nothing changed."""


class InvalidField(OperationError):  # noqa: N818 - reads as what is wrong
    """A value that was given is unusable; `field` is its name as the API spells it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def unknown(noun: str, name: str, known: Iterable[str]) -> UnknownName:
    """Say that nothing is called that, and what was probably meant."""
    meant = nearest(name, known)
    hint = f"; did you mean {meant}?" if meant else ""
    return UnknownName(f"there is no {noun} {name!r}{hint}")
