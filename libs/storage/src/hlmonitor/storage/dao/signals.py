"""Decided signals: `hl_address_signals`, and `hl_void_signal` for numbers whose signal could not be stored.

Only rows with a `signal_id` are ours.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple, TypedDict

from sqlalchemy import Table, Update, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.dialects import KEYS_AT_ONCE, among, insert_if_absent
from hlmonitor.storage.original import hl_address_signals
from hlmonitor.storage.tables import hl_void_signal


class SignalValues(TypedDict):
    """A row of `hl_address_signals`."""

    signal_id: str
    address: str
    number: int
    subject: str
    payload: bytes
    partition_id: int
    order_id: bytes
    symbol: str
    coin_type: str
    asset_type: str
    direction: str
    side: str
    position_rate: Decimal
    position_size: str | None
    """None when the account's value was unknown."""
    close_rate: Decimal
    price: Decimal
    size: Decimal
    created_at: int
    expired_at: int


class VoidValues(TypedDict):
    """A row of `hl_void_signal`."""

    signal_id: str
    address: str
    number: int
    subject: str
    payload: bytes
    partition_id: int
    created_ms: int


class Published(TypedDict):
    """A signal that the stream confirmed."""

    key: str
    seq: int


class Numbered(NamedTuple):
    """Which number a signal has, and the bytes that are published."""

    signal_id: str
    address: str
    number: int
    payload: bytes


class Unpublished(NamedTuple):
    """A signal that was never confirmed. The columns of a void one are empty."""

    signal_id: str
    address: str
    number: int
    subject: str
    payload: bytes
    symbol: str
    coin_type: str
    asset_type: str
    direction: str
    side: str
    position_rate: Decimal
    close_rate: Decimal
    price: Decimal
    size: Decimal
    created_at: int
    position_size: str | None = None


class Kept(NamedTuple):
    """A signal as people and tools look at it: the bytes that are published and the original's columns."""

    signal_id: str
    address: str
    number: int
    payload: bytes
    symbol: str
    direction: str
    side: str
    position_rate: Decimal
    close_rate: Decimal
    price: Decimal
    size: Decimal
    published_seq: int | None


async def kept(connection: AsyncConnection) -> list[Kept]:
    """Every signal of ours that is stored, by wallet and number; rows of the original have no id and are left out."""
    table = hl_address_signals.c
    query = (
        select(*(table[field] for field in Kept._fields))
        .where(table.signal_id.is_not(None))
        .order_by(table.address, table.number)
    )
    return [Kept(*row) for row in await connection.execute(query)]


async def stored(connection: AsyncConnection, signal_ids: Sequence[str]) -> dict[str, Numbered]:
    """Those of these signals that are stored, void ones included."""
    found: dict[str, Numbered] = {}
    for start in range(0, len(signal_ids), KEYS_AT_ONCE):
        some = signal_ids[start : start + KEYS_AT_ONCE]
        real, void = hl_address_signals.c, hl_void_signal.c
        for query in (
            select(real.signal_id, real.address, real.number, real.payload).where(
                among(connection, real.signal_id, some)
            ),
            select(void.signal_id, void.address, void.number, void.payload).where(
                among(connection, void.signal_id, some)
            ),
        ):
            for signal_id, address, number, payload in await connection.execute(query):
                found[signal_id] = Numbered(signal_id, address, number, payload)
    return found


async def add(connection: AsyncConnection, rows: Sequence[SignalValues]) -> None:
    """Insert the signals that are not there; those that are stay as they are."""
    if rows:
        await connection.execute(insert_if_absent(connection, hl_address_signals, ("signal_id",)), rows)


async def add_void(connection: AsyncConnection, rows: Sequence[VoidValues]) -> None:
    """Keep the numbers of signals whose unit was dead-lettered."""
    if rows:
        await connection.execute(insert_if_absent(connection, hl_void_signal, ("signal_id",)), rows)


async def set_published(connection: AsyncConnection, rows: Sequence[Published]) -> None:
    """Note the stream sequences of confirmed signals."""
    if not rows:
        return
    for table in (hl_address_signals, hl_void_signal):
        await connection.execute(_publish(table), rows)


async def unpublished(connection: AsyncConnection, partition: int) -> list[Unpublished]:
    """The partition's signals without confirmation, by wallet and number."""
    real, void = hl_address_signals.c, hl_void_signal.c
    waiting = select(*(real[field] for field in Unpublished._fields)).where(
        real.partition_id == partition, real.signal_id.is_not(None), real.published_seq.is_(None)
    )
    signals = [Unpublished(*row) for row in await connection.execute(waiting)]
    voids = select(void.signal_id, void.address, void.number, void.subject, void.payload, void.created_ms).where(
        void.partition_id == partition, void.published_seq.is_(None)
    )
    zero = Decimal(0)
    for row in await connection.execute(voids):
        signal_id, address, number, subject, payload, created_ms = row
        signals.append(
            Unpublished(
                signal_id, address, number, subject, payload, "", "", "", "", "", zero, zero, zero, zero, created_ms
            )
        )
    return sorted(signals, key=lambda signal: (signal.address, signal.number))


def _publish(table: Table) -> Update:
    return update(table).where(table.c.signal_id == bindparam("key")).values(published_seq=bindparam("seq"))
