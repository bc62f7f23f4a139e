"""Watches what happens while it happens: what must hold at each step, not only in the end (DESIGN G1, G2, G4).

Events are acknowledged when their fills are in SQL; signals are published when they are committed, with the same bytes;
batches are applied once, under the epoch of their owner.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from google.protobuf.message import Message

from dst.loop import Scope
from hlmonitor.v1 import events_pb2, ingest_pb2, storage_pb2

FillKey = tuple[str, str, int, int, str]
Query = Callable[[str], list[tuple[Any, ...]]]


@dataclass(slots=True)
class Witness:
    """What was seen so far."""

    query: Query
    """Asks SQL."""
    defects: list[str]
    signals: dict[str, bytes] = field(default_factory=dict)
    """Every committed signal, by id."""
    _fills: set[FillKey] = field(default_factory=set)
    _last_fill: int = 0
    _sent: dict[tuple[Scope, int], dict[int, FillKey]] = field(default_factory=lambda: defaultdict(dict))
    """Fills by gateway, partition and sequence that nobody has acknowledged."""
    _applied: dict[str, bytes] = field(default_factory=dict)
    """Batches of the open transaction."""
    _batches: dict[bytes, str] = field(default_factory=dict)
    """The name under which each batch was committed."""

    def standings(self) -> dict[int, tuple[int, int]]:
        """Epoch and last batch of each partition, as the open transaction sees them."""
        rows = self.query("SELECT partition_id, epoch, last_batch FROM hl_partition")
        return defaultdict(lambda: (0, 0), {partition: (epoch, last) for partition, epoch, last in rows})

    def begun(self) -> None:
        """A transaction begins."""
        self._applied.clear()

    def applied(self, batch: storage_pb2.CommitBatch, name: str, epoch: int) -> None:
        """A batch was applied; it counts if its transaction is committed."""
        if batch.epoch != epoch:
            self.defects.append(f"{name} was applied under epoch {epoch}")
        # What has no orders may well be said again: a signal that the stream had lost is confirmed a second time.
        if batch.units:
            content = storage_pb2.CommitBatch.FromString(batch.SerializeToString())
            content.number = 0
            self._applied[name] = content.SerializeToString(deterministic=True)

    def committed(self) -> None:
        """A transaction was committed."""
        for name, content in self._applied.items():
            if self._batches.setdefault(content, name) != name:
                self.defects.append(f"{name} was applied before, as {self._batches[content]}")
        self._applied.clear()
        for row, *key in self.query(
            f"SELECT rowid, address, coin, time_ms, tid, side FROM hl_fill WHERE rowid > {self._last_fill}"
        ):
            self._fills.add(tuple(key))
            self._last_fill = max(self._last_fill, row)
        for signal_id, payload in self.query(
            "SELECT signal_id, payload FROM hl_address_signals WHERE signal_id IS NOT NULL "
            "UNION ALL SELECT signal_id, payload FROM hl_void_signal"
        ):
            data = payload.encode() if isinstance(payload, str) else bytes(payload)
            if self.signals.setdefault(signal_id, data) != data:
                self.defects.append(f"{signal_id} was changed after its commit")

    def published(self, data: bytes) -> None:
        """The stream takes a signal."""
        signal_id = msgspec.json.decode(data)["id"]
        if self.signals.get(signal_id) != data:
            self.defects.append(f"{signal_id} was published before its commit, or with other bytes")

    def message(self, sender: Scope, receiver: Scope, message: Message) -> None:
        """A message is sent."""
        if isinstance(message, ingest_pb2.EventBatch):
            for event in message.events:
                if event.WhichOneof("event") == "fill":
                    self._sent[sender, event.partition][event.seq] = _key_of(event.fill)
        elif isinstance(message, ingest_pb2.BatchReply) and message.HasField("ack"):
            ack = message.ack
            waiting = self._sent[receiver, ack.partition]
            for seq in [seq for seq in waiting if seq <= ack.through_seq]:
                key = waiting.pop(seq)
                if key not in self._fills:
                    self.defects.append(f"{sender.name} acknowledged a fill that is not in SQL: {key}")


def _key_of(data: bytes) -> FillKey:
    fill = events_pb2.Fill.FromString(data)
    return fill.address, fill.coin, fill.time_ms, fill.tid, "B" if fill.side == events_pb2.SIDE_BUY else "A"
