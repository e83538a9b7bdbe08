"""What one evaluation fixes for the builtins that are not functions of their arguments alone.

The clock is read once before; random answers are drawn once for each key and then repeated, as in OPA.
Knows nothing of the program that is evaluated.
"""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from webhook.rego.builtins.failures import BuiltinError


def _ignore(_text: str) -> None:
    """Drop printed text."""


def _go_on() -> None:
    """Stop nothing."""


@dataclass(slots=True)
class EvaluationContext:
    """The fixed surroundings of one evaluation; one object for each evaluation, never shared."""

    now_ns: int
    """The evaluation's time, in nanoseconds since the Unix epoch."""
    seed: int | None = None
    """Seed of `rand.intn` and `uuid.rfc4122`; None takes one from the system."""
    print_sink: Callable[[str], None] = _ignore
    """Receives each printed line."""
    check: Callable[[], None] = _go_on
    """Ends the evaluation when its deadline has passed; for a builtin to ask now and then while it works."""
    test_cases: list[Any] = field(default_factory=list)
    """Names that `internal.test_case` noted, in order."""
    _answers: dict[tuple[str, str, int], Any] = field(default_factory=dict)
    _random: random.Random | None = None

    def random_integer(self, key: str, limit: int) -> int:
        """Give the evaluation's answer in [0, limit) for `key`; a negative limit counts as its absolute value.

        Raises:
            BuiltinError: the limit is zero and so leaves no answer.

        """
        if limit == 0:
            return 0
        bound = abs(limit)
        if bound >= 1 << 63:
            raise BuiltinError("bound does not fit in 64 bits")
        answer: int = self._remember(("rand.intn", key, bound), lambda source: source.randrange(bound))
        return answer

    def random_uuid(self, key: str) -> str:
        """Give the evaluation's version 4 UUID for `key`."""
        answer: str = self._remember(
            ("uuid.rfc4122", key, 0), lambda source: str(uuid.UUID(int=source.getrandbits(128), version=4))
        )
        return answer

    def _remember(self, key: tuple[str, str, int], draw: Callable[[random.Random], Any]) -> Any:
        if key not in self._answers:
            if self._random is None:
                self._random = random.Random(self.seed)  # noqa: S311 - OPA's answers are not for cryptography
            self._answers[key] = draw(self._random)
        return self._answers[key]
