"""The words of a hand-over in the KV bucket `hl_handover`, a key per wallet."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from hlmonitor.domain.addresses import Address
from hlmonitor.gateway.core.handover import Notice
from hlmonitor.runtime.kv import Put, bucket_config, follow, open_bucket
from hlmonitor.runtime.logs import Log

BUCKET = bucket_config("hl_handover", ttl_s=60.0)
QUIET_S = 10.0
"""A calm bucket is read anew this often, in case the server lost our watch."""
_PUT_TIMEOUT_S = 2.0


async def hear_notices(client: Client, on_notice: Callable[[Address, Notice], None]) -> None:
    """Call `on_notice` with every word of every gateway, ours too; never returns."""
    async for change in follow(client, BUCKET, quiet_s=QUIET_S):
        if isinstance(change, Put):
            with suppress(msgspec.DecodeError):
                on_notice(Address(change.key), msgspec.json.decode(change.value, type=Notice))


async def send_notices(
    client: Client, wake: asyncio.Event, take: Callable[[], dict[Address, Notice]], log: Log
) -> None:
    """Send what `take` gives whenever `wake` is set; never returns. What cannot be sent is said again."""
    while True:
        await wake.wait()
        wake.clear()
        notices = take()
        try:
            async with asyncio.timeout(_PUT_TIMEOUT_S):
                bucket = await open_bucket(client, BUCKET)
                for address, notice in notices.items():
                    await bucket.put(address, msgspec.json.encode(notice))
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("handover_notice_failed", notices=len(notices), error=repr(error))
