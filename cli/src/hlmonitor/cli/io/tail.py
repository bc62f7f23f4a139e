"""Live signals from the stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

import msgspec
from nats.aio.client import Client

from hlmonitor.cli.core.lines import SignalView
from hlmonitor.domain.addresses import Address
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.streams import follow_stream, last_seq
from hlmonitor.runtime.watchlist import WatchList

STREAM = "HL_SIGNALS"
SUBJECTS = "hl.signals.v1.>"


class Seen(NamedTuple):
    """A signal as it came."""

    raw: bytes
    view: SignalView
    seen_at_ms: int
    """Now for a new one; for one from the past, when the stream took it in."""


async def signals(client: Client, address: Address | None, since_ms: int | None) -> AsyncGenerator[Seen, None]:
    """Signals of a wallet or of all, new ones or those since a time too; never ends.

    Raises:
        nats.errors.Error: NATS did not answer at the start.
    """
    subject = f"hl.signals.v1.{address}.>" if address else SUBJECTS
    newest = await last_seq(client, STREAM)
    start = newest if since_ms is None else 0
    async with aclosing(follow_stream(client, STREAM, subject, after_seq=start, since_ms=since_ms)) as messages:
        async for message in messages:
            view = msgspec.json.decode(message.data, type=SignalView)
            is_new = message.seq > newest
            yield Seen(message.data, view, wall_ms() if is_new else message.stored_at_ms)


async def labels(client: Client) -> dict[str, str]:
    """The users' names of the wallets.

    Raises:
        nats.errors.Error: NATS did not answer.
    """
    held = await WatchList(client).read()
    return {address: stored.entry.label for address, stored in held.items() if stored.entry and stored.entry.label}
