"""Writes units within an open transaction; what the database refuses for its data is told apart, unit by unit."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage import DataRejectedError, is_data_error
from hlmonitor.storage.dao import dead_letters, fills, orders, positions, progress, signals
from hlmonitor.storage.dao.dead_letters import DeadLetterValues
from hlmonitor.storage.dao.signals import VoidValues
from hlmonitor.v1 import storage_pb2
from hlmonitor.writer.core.voids import void_of
from hlmonitor.writer.io.rows import address_of
from hlmonitor.writer.io.units import Unit

REASON_LETTERS = 1000


async def write(connection: AsyncConnection, units: Sequence[Unit]) -> Counter[str]:
    """Write the readable units and dead-letter the rest; returns how many rows were there already, by table.

    A unit that the database refuses gets its `reason`. Halves are tried under savepoints until it stands alone.
    """
    present: Counter[str] = Counter()
    await _write_or_halve(connection, [unit for unit in units if unit.reason is None], present)
    await _keep_refused(connection, [unit for unit in units if unit.reason is not None])
    return present


async def _write_or_halve(connection: AsyncConnection, units: Sequence[Unit], present: Counter[str]) -> None:
    if not units:
        return
    try:
        async with connection.begin_nested():
            found = await _write_all(connection, units)
    except Exception as error:
        if not is_data_error(error):
            raise
        if len(units) == 1:
            units[0].reason = _reason(error)
            return
        middle = len(units) // 2
        await _write_or_halve(connection, units[:middle], present)
        await _write_or_halve(connection, units[middle:], present)
    else:
        present["hl_fill"] += found


async def _write_all(connection: AsyncConnection, units: Sequence[Unit]) -> int:
    found = await fills.add(connection, new := [row for unit in units for row in unit.fills])
    await fills.mark(connection, "close", [mark for unit in units for mark in unit.close_marks])
    await fills.mark(connection, "open", [mark for unit in units for mark in unit.open_marks])
    if found:
        # A fill that was stored before it was taken: its row stays, its marks are new.
        closing = [(row["digest"], row["close_number"]) for row in new]
        opening = [(row["digest"], row["open_number"]) for row in new]
        await fills.mark(connection, "close", _marks(closing))
        await fills.mark(connection, "open", _marks(opening))
    await fills.enrich(connection, [row for unit in units for row in unit.enriched])
    await orders.put(connection, [row for unit in units for row in unit.orders])
    await progress.put_statuses(connection, [row for unit in units for row in unit.statuses])
    await signals.add(connection, [row for unit in units for row in unit.signals])
    await progress.raise_watermarks(connection, [row for unit in units for row in unit.watermarks])
    await progress.put_gaps(connection, [row for unit in units for row in unit.gaps])
    await positions.put(connection, [row for unit in units for row in unit.positions])
    return found


def _marks(taken: Sequence[tuple[bytes, int | None]]) -> list[fills.Mark]:
    return [fills.Mark(key=digest, number=number) for digest, number in taken if number is not None]


async def _keep_refused(connection: AsyncConnection, units: Sequence[Unit]) -> None:
    if not units:
        return
    letters = [
        DeadLetterValues(
            partition_id=unit.batch.partition,
            epoch=unit.batch.epoch,
            batch=unit.batch.number,
            kind=unit.kind,
            order_id=unit.order_id,
            reason=unit.reason or "",
            signal_ids=unit.signal_ids_json,
            body=unit.source.SerializeToString(),
            created_ms=unit.stamp.now_ms,
        )
        for unit in units
    ]
    await dead_letters.add(connection, letters)
    await signals.add_void(connection, [row for unit in units for row in _void_values(unit)])


def voids_of(source: storage_pb2.OrderUnit, reason: str) -> list[storage_pb2.SignalRow]:
    """What is published under the numbers of a refused unit."""
    try:
        address_of(source.address)
    except DataRejectedError:
        # What is no wallet has no numbers.
        return []
    return [void_of(signal, reason) for signal in source.signals]


def _void_values(unit: Unit) -> list[VoidValues]:
    if not isinstance(unit.source, storage_pb2.OrderUnit):
        return []
    return [
        VoidValues(
            signal_id=void.signal_id,
            address=void.address,
            number=void.number,
            subject=void.subject,
            payload=void.payload,
            partition_id=unit.stamp.partition,
            created_ms=unit.stamp.now_ms,
        )
        for void in voids_of(unit.source, unit.reason or "")
    ]


def _reason(error: Exception) -> str:
    """One line that says what the database disliked, without the statement's values."""
    cause = getattr(error, "orig", None) or error
    # PostgreSQL takes no NUL in a text.
    return f"{type(cause).__name__}: {cause}".replace("\x00", " ")[:REASON_LETTERS]
