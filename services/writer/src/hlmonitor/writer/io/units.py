"""The parts of a batch that are applied together or dead-lettered together, as rows."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import Message

from hlmonitor.storage import DataRejectedError
from hlmonitor.storage.dao.fills import FillValues, Mark
from hlmonitor.storage.dao.orders import OrderValues
from hlmonitor.storage.dao.positions import PositionValues
from hlmonitor.storage.dao.progress import GapValues, StatusValues, WatermarkValues
from hlmonitor.storage.dao.signals import SignalValues
from hlmonitor.v1 import storage_pb2
from hlmonitor.writer.io import rows

M = TypeVar("M", bound=Message)


@dataclass(slots=True)
class Unit:
    """All rows of one order, or one row that belongs to no order."""

    batch: storage_pb2.CommitBatch
    stamp: rows.Stamp
    kind: str
    source: Message
    order_id: bytes = b""
    reason: str | None = None
    """Why it cannot be stored; known before the database is asked when the message itself is unreadable."""
    fills: list[FillValues] = field(default_factory=list)
    enriched: list[FillValues] = field(default_factory=list)
    close_marks: list[Mark] = field(default_factory=list)
    open_marks: list[Mark] = field(default_factory=list)
    orders: list[OrderValues] = field(default_factory=list)
    statuses: list[StatusValues] = field(default_factory=list)
    signals: list[SignalValues] = field(default_factory=list)
    watermarks: list[WatermarkValues] = field(default_factory=list)
    gaps: list[GapValues] = field(default_factory=list)
    positions: list[PositionValues] = field(default_factory=list)

    @property
    def sent_signals(self) -> list[storage_pb2.SignalRow]:
        """The signals of the unit as they came."""
        return list(self.source.signals) if isinstance(self.source, storage_pb2.OrderUnit) else []

    @property
    def signal_ids_json(self) -> str:
        """The ids of its signals."""
        return json.dumps([signal.signal_id for signal in self.sent_signals])


def weight_of(batch: storage_pb2.CommitBatch) -> int:
    """How many rows a batch writes."""
    rows_of_orders = sum(
        len(unit.fills) + len(unit.marks) + len(unit.rows) + len(unit.statuses) + len(unit.signals)
        for unit in batch.units
    )
    progress = len(batch.watermarks) + len(batch.gaps) + len(batch.published) + len(batch.rewound)
    return rows_of_orders + progress + len(batch.position_cache) + len(batch.enriched)


def units_of(batch: storage_pb2.CommitBatch, stamp: rows.Stamp) -> list[Unit]:
    """The units of a batch, orders first."""
    return [
        *(_read(Unit(batch, stamp, "order", row), row, _fill_order) for row in batch.units),
        *(_read(Unit(batch, stamp, "watermark", row), row, _fill_watermark) for row in batch.watermarks),
        *(_read(Unit(batch, stamp, "gap", row), row, _fill_gap) for row in batch.gaps),
        *(_read(Unit(batch, stamp, "position", row), row, _fill_position) for row in batch.position_cache),
        *(_read(Unit(batch, stamp, "enriched", row), row, _fill_enriched) for row in batch.enriched),
    ]


def _read(unit: Unit, message: M, fill_in: Callable[[Unit, M], None]) -> Unit:
    try:
        fill_in(unit, message)
    except DataRejectedError as error:
        unit.reason = str(error)
    return unit


def _fill_watermark(unit: Unit, row: storage_pb2.Watermark) -> None:
    unit.watermarks.append(rows.watermark_values(row, unit.stamp))


def _fill_gap(unit: Unit, row: storage_pb2.GapRow) -> None:
    unit.gaps.append(rows.gap_values(row, unit.stamp))


def _fill_position(unit: Unit, row: storage_pb2.PositionCacheRow) -> None:
    unit.positions.append(rows.position_values(row, unit.stamp))


def _fill_enriched(unit: Unit, row: storage_pb2.FillRow) -> None:
    unit.order_id = row.order_id
    unit.enriched.append(rows.fill_values(row, unit.stamp))


def _fill_order(unit: Unit, message: storage_pb2.OrderUnit) -> None:
    stamp = unit.stamp
    unit.order_id = message.order_id
    rows.address_of(message.address)
    unit.fills.extend(rows.fill_values(row, stamp) for row in message.fills)
    for mark in message.marks:
        marks = unit.close_marks if rows.leg_name(mark.leg) == "close" else unit.open_marks
        marks.append(Mark(key=mark.digest, number=mark.number))
    unit.orders.extend(rows.order_values(row, stamp) for row in message.rows)
    unit.statuses.extend(rows.status_values(row, stamp) for row in message.statuses)
    unit.signals.extend(rows.signal_values(signal, message.order_id, stamp) for signal in message.signals)
