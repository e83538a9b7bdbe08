"""The Evaluator port: one policy version, ready to judge input documents.

An evaluator never raises: an engine that fails, hangs or runs over its budget is data
(`EvaluationFailure`), because a failing policy must not become a failing server.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from webhook.policy.version import PolicyVersion


class Purpose(enum.Enum):
    """What an evaluation is for; it selects the rules that run."""

    VALIDATE = "validate"
    """The rules `deny`, `warn` and `violation`."""
    MUTATE = "mutate"
    """The rule `patch`."""


@dataclass(frozen=True, slots=True)
class EvaluationFailure:
    """Why an evaluation gave no answer."""

    code: str
    """Machine-readable: `eval_conflict_error`, `eval_cancel_error`, `engine_crashed`, `deadline_exceeded`, …"""
    message: str
    """One sentence for a human; holds no value of the evaluated object."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one evaluation said."""

    outputs: Mapping[str, Sequence[object]] = field(default_factory=dict)
    """JSON values by rule name (`deny`, `warn`, `violation`, `patch`); rules without a result are absent."""
    failure: EvaluationFailure | None = None
    """Set when there is no answer; `outputs` is then empty."""


class Evaluator(Protocol):
    """One policy version on one engine."""

    @property
    def engine(self) -> str:
        """Name of the engine: `gradate` or `regopy`."""

    @property
    def in_process(self) -> bool:
        """Whether an evaluation runs on the caller's thread in microseconds, never yielding to the loop."""

    @property
    def mutates(self) -> bool:
        """Whether the policy defines `patch`."""

    async def evaluate(
        self, document: Mapping[str, object], purpose: Purpose, deadline_ns: int
    ) -> Evaluation:
        """Judge `document`; `deadline_ns` is on the monotonic clock."""

    async def aclose(self) -> None:
        """Release the engine's resources."""


class EvaluatorFactory(Protocol):
    """Turns policy versions into evaluators."""

    async def build(self, version: PolicyVersion) -> Evaluator:
        """Compile `version` and warm it.

        Raises:
            webhook.policy.errors.PolicyError: the version does not compile; names file, line and reason.

        """
