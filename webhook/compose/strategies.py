"""The strategies that the settings give to policies."""

from collections.abc import Mapping
from typing import Any

from webhook.rollout.errors import InvalidStrategy, Problem
from webhook.rollout.strategy import Strategy
from webhook.rollout.strategy_document import parse_strategy
from webhook.settings.groups import RolloutSettings


class Strategies:
    """The strategies that the settings give to policies."""

    def __init__(self, settings: RolloutSettings) -> None:
        """Read them all, so that a mistake shows when the process starts.

        Raises:
            webhook.rollout.errors.InvalidStrategy: one contradicts itself.

        """
        self._default = _read_strategy("rollout.strategy", settings.strategy)
        self._own = {
            name: _read_strategy(f"rollout.strategies.{name}", document)
            for name, document in settings.strategies.items()
        }

    def of(self, policy: str) -> Strategy:
        """Give the strategy of a policy."""
        return self._own.get(policy, self._default)


def _read_strategy(setting: str, document: Mapping[str, Any]) -> Strategy:
    try:
        return parse_strategy(document)
    except InvalidStrategy as error:
        problems = [
            Problem(f"{setting}.{found.field}" if found.field else setting, found.reason)
            for found in error.problems
        ]
        raise InvalidStrategy(problems) from error
