"""A member of the system whose heartbeats go on while the test's own event loop is kept from running."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import nats
import structlog

from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.membership import join


@contextmanager
def joined(nats_url: str, member: Member) -> Iterator[None]:
    """Heartbeat from a thread of its own, so that no pause of the test makes others think the member dead."""
    left = Event()
    with ThreadPoolExecutor(1) as thread:
        staying = thread.submit(asyncio.run, _stay(nats_url, member, left))
        try:
            yield
        finally:
            left.set()
        staying.result()


async def _stay(nats_url: str, member: Member, left: Event) -> None:
    client = await nats.connect(nats_url)
    async with join(client, member, log=structlog.stdlib.get_logger()):
        await asyncio.to_thread(left.wait)
    await client.close()
