"""Waiting for a condition in an event loop, instead of for a time; and how long a busy machine may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SOON = 1.5
"""Seconds that a shared machine may take for what is to happen at once: it pauses for a second, now and then."""


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Come back as soon as `condition` holds. Raises TimeoutError, later than a busy machine needs."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)
