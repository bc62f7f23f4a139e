"""Decided signals: `hl_address_signals`, and `hl_void_signal` for numbers whose signal could not be stored.

Only rows with a `signal_id` are ours.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple, TypedDict

from sqlalchemy import ColumnElement, Table, Update, and_, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.dialects import KEYS_AT_ONCE, among, insert_if_absent
from hlmonitor.storage.original import hl_address_signals
from hlmonitor.storage.tables import hl_address_counter, hl_void_signal

LOST = 0
"""`published_seq` of a signal that was published once and that the stream does not have any more."""


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


class Publishable(NamedTuple):
    """A signal with the bytes that are published. The columns of a void one are empty."""

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
    published_seq: int | None = None
    """None when it was never confirmed; LOST when the stream lost it."""


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


async def set_lost(connection: AsyncConnection, address: str, after_number: int) -> None:
    """Note that the stream has lost what it had confirmed of a wallet after this number."""
    for table in (hl_address_signals, hl_void_signal):
        was_published = and_(
            table.c.address == address, table.c.number > after_number, table.c.published_seq.is_not(None)
        )
        await connection.execute(update(table).where(was_published).values(published_seq=LOST))


async def unpublished(connection: AsyncConnection, partition: int, most: int) -> list[Publishable]:
    """The partition's first signals that are to be published, by wallet and number."""
    tables = (hl_address_signals.c, hl_void_signal.c)
    waiting = [
        and_(table.partition_id == partition, or_(table.published_seq.is_(None), table.published_seq == LOST))
        for table in tables
    ]
    return await _publishable(connection, waiting[0], waiting[1], most)


async def numbered(connection: AsyncConnection, address: str, from_number: int, most: int) -> list[Publishable]:
    """A wallet's signals from a number on, published or not."""
    tables = (hl_address_signals.c, hl_void_signal.c)
    wanted = [and_(table.address == address, table.number >= from_number) for table in tables]
    return await _publishable(connection, wanted[0], wanted[1], most)


async def ids_of_last_published(connection: AsyncConnection, partition: int) -> dict[str, str]:
    """Ids of the signals that the counters of the partition's wallets name as published last, as far as stored."""
    counter = hl_address_counter.c
    found: dict[str, str] = {}
    for table in (hl_address_signals, hl_void_signal):
        query = select(table.c.address, table.c.signal_id).where(
            counter.partition_id == partition,
            table.c.address == counter.address,
            table.c.number == counter.published_number,
        )
        found.update((address, signal_id) for address, signal_id in await connection.execute(query))
    return found


async def _publishable(
    connection: AsyncConnection, real_ones: ColumnElement[bool], voids: ColumnElement[bool], most: int
) -> list[Publishable]:
    real, void, zero = hl_address_signals.c, hl_void_signal.c, Decimal(0)
    query = (
        select(*(real[field] for field in Publishable._fields))
        .where(real_ones, real.signal_id.is_not(None))
        .order_by(real.address, real.number)
        .limit(most)
    )
    found = [Publishable(*row) for row in await connection.execute(query)]
    query = (
        select(void.signal_id, void.address, void.number, void.subject, void.payload, void.created_ms)
        .add_columns(void.published_seq)
        .where(voids)
        .order_by(void.address, void.number)
        .limit(most)
    )
    for signal_id, address, number, subject, payload, created_ms, published_seq in await connection.execute(query):
        no_trade = ("", "", "", "", "", zero, zero, zero, zero)
        found.append(
            Publishable(
                signal_id, address, number, subject, payload, *no_trade, created_ms, published_seq=published_seq
            )
        )
    return sorted(found, key=lambda signal: (signal.address, signal.number))[:most]


def _publish(table: Table) -> Update:
    return update(table).where(table.c.signal_id == bindparam("key")).values(published_seq=bindparam("seq"))
