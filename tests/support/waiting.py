"""Waiting for what happens beside a test."""

import asyncio
from collections.abc import Callable


async def eventually(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something holds, or fail."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for knows nothing of the test
            await asyncio.sleep(0.005)
