"""The PolicySource port: where policy files come from."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from webhook.rego.ast import Source


class SourceError(Exception):
    """The source cannot be read; the message names what and the way out."""


class PolicySource(Protocol):
    """A place that holds Rego modules and tells when they change."""

    async def read(self) -> Sequence[Source]:
        """Read every module, in a stable order.

        Raises:
            SourceError: the place is missing or unreadable.

        """

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield once after each burst of changes, until closed."""
