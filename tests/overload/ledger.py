"""What the load sent: the simulator's ledger, wallet by wallet."""

from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import msgspec

from hlmonitor.local.stack import Stack


class SentFill(msgspec.Struct, frozen=True, tag_field="type", tag="fill", rename="camel"):
    """A fill as the exchange did it."""

    address: str
    coin: str
    oid: int
    tid: int
    time: int
    side: str
    px: Decimal
    sz: Decimal
    start_position: Decimal
    dir: str
    closed_pnl: Decimal
    fee: Decimal


class SentOrder(msgspec.Struct, frozen=True, tag_field="type", tag="order"):
    """An order; in a load each ends in the block in which it came."""

    address: str


async def sent_fills(stack: Stack) -> AsyncIterator[list[SentFill]]:
    """Each wallet's fills, oldest first."""
    decoder = msgspec.json.Decoder(SentFill | SentOrder)
    fills: list[SentFill] = []
    address = ""
    async with (
        aiohttp.ClientSession(read_bufsize=1 << 20) as session,
        session.get(f"{stack.venue_url}/control/ledger") as reply,
    ):
        async for line in reply.content:
            row = decoder.decode(line)
            if row.address != address and fills:
                yield fills
                fills = []
            address = row.address
            if isinstance(row, SentFill):
                fills.append(row)
    if fills:
        yield fills
