"""The Observer port: who is told what the flows did. Implementations must not block or raise."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from webhook.rollout.life import Rollout, Transition


class Observer(Protocol):
    """Hears of snapshots; requests are reported by the server, which knows their whole duration."""

    def snapshot_loaded(
        self, generation: int, built_at: datetime, policies: Sequence[tuple[str, str]]
    ) -> None:
        """Hear that a new snapshot serves; `policies` holds (name, version) pairs."""

    def rollout_changed(self, transition: Transition, rollout: Rollout) -> None:
        """Hear of a transition that is stored."""

    def rollout_noted(self, policy: str, message: str) -> None:
        """Hear what a person should know of a policy's versions, such as why one does not start."""

    def store_failed(self, doing: str, reason: str) -> None:
        """Hear that the store cannot do something now; what it keeps holds, and serving goes on."""

    def reload_failed(self, reason: str) -> None:
        """Hear that the last good snapshot keeps serving because the new one did not build."""
