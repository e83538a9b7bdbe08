"""The Observer port: who is told what the flows did. Implementations must not block or raise."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class Observer(Protocol):
    """Hears of snapshots; requests are reported by the server, which knows their whole duration."""

    def snapshot_loaded(
        self, generation: int, built_at: datetime, policies: Sequence[tuple[str, str]]
    ) -> None:
        """Hear that a new snapshot serves; `policies` holds (name, version) pairs."""

    def reload_failed(self, reason: str) -> None:
        """Hear that the last good snapshot keeps serving because the new one did not build."""
