"""What is stored and published of a wallet."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from world import World

from hlmonitor.runtime.streams import read_stream


@dataclass(frozen=True, slots=True)
class StoredFill:
    """A row of `hl_fill`."""

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
    close_number: int | None
    """The signal that took what it closed."""
    open_number: int | None


@dataclass(frozen=True, slots=True)
class RecordedGap:
    """A row of `hl_gap` of the feed of fills; the bounds are ms of venue time."""

    from_ms: int
    to_ms: int
    state: str

    def holds(self, time_ms: int) -> bool:
        """Whether what happened then may be lost: the second bound is known again."""
        return self.from_ms <= time_ms < self.to_ms

    def touches(self, time_ms: int) -> bool:
        """Whether what happened then may have been told in parts."""
        return self.from_ms <= time_ms <= self.to_ms


class Signal(msgspec.Struct, frozen=True):
    """What the account asks of a v1 message."""

    id: str
    number: int
    coin: str
    oid: int
    direction: str
    size: Decimal
    price: Decimal
    fills: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Books:
    """Everything of one wallet."""

    fills: list[StoredFill]
    gaps: list[RecordedGap]
    stored: list[bytes]
    """Payloads of the signals in SQL, by number."""
    published: list[bytes]
    """Those of the stream, in its order."""


async def books_of(world: World, address: str) -> Books:
    """Read a wallet's."""
    fills = await world.rows(
        "SELECT coin, oid, tid, time_ms AS time, side, px, sz, start_position, dir, closed_pnl, fee, close_number,"
        " open_number FROM hl_fill WHERE address = :address",
        address=address,
    )
    gaps = await world.rows(
        "SELECT from_ms, to_ms, state, updated_ms FROM hl_gap WHERE address = :address AND feed = 'userFills'",
        address=address,
    )
    signals = await world.rows(
        "SELECT payload FROM hl_address_signals WHERE address = :address ORDER BY number", address=address
    )
    stream = await read_stream(world.nats, "HL_SIGNALS", f"hl.signals.v1.{address}.>")
    return Books(
        [_fill(row) for row in fills],
        [_gap(row) for row in gaps],
        [bytes(row["payload"]) for row in signals],
        [message.data for message in stream],
    )


def _fill(row: dict[str, Any]) -> StoredFill:
    amounts = {name: Decimal(row[name]) for name in ("px", "sz", "start_position", "closed_pnl", "fee")}
    return StoredFill(**{**row, **amounts})


def _gap(row: dict[str, Any]) -> RecordedGap:
    return RecordedGap(row["from_ms"], row["updated_ms"] if row["to_ms"] is None else row["to_ms"], row["state"])
