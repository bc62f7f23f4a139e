"""Waiting for something that another process does."""

import asyncio
from collections.abc import Callable

_POLL_S = 0.02


async def eventually(holds: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    """Return as soon as the condition holds.

    Raises:
        AssertionError: it did not in time; the message names it by `what`.
    """
    try:
        async with asyncio.timeout(timeout_s):
            # Nothing tells when another process has done something, so it has to be looked at.
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise AssertionError(f"after {timeout_s} s it still does not hold that {what}") from None
