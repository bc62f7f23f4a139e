"""The writer's storage as the contract states it, in memory: commits in, what a new owner is told out.

The writer's own tests pin that real databases do the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from hlmonitor.aggregator.core.inputs import FillInput, StatusInput
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.recall import AskFor, lookup_of
from hlmonitor.storage.dao.signals import LOST
from hlmonitor.v1 import events_pb2, storage_pb2
from hlmonitor.writer.core.positions import Step, end_of_chain
from hlmonitor.writer.io.load import UNPUBLISHED_AT_ONCE

Item = storage_pb2.LoadPartitionResponse


class ContractError(AssertionError):
    """A batch says what the contract forbids."""


@dataclass
class Stored:
    """What is durable of one partition."""

    epoch: int = 1
    last_batch: int = 0
    fills: dict[bytes, storage_pb2.FillRow] = field(default_factory=dict)
    rows: dict[bytes, storage_pb2.OrderRow] = field(default_factory=dict)
    statuses: dict[bytes, storage_pb2.StatusRow] = field(default_factory=dict)
    signals: dict[str, storage_pb2.SignalRow] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    """Highest signal number per address."""
    published: dict[str, int] = field(default_factory=dict)
    """Stream sequence per signal id."""
    watermarks: dict[tuple[str, int], storage_pb2.Watermark] = field(default_factory=dict)
    gaps: list[storage_pb2.GapRow] = field(default_factory=list)
    tells_positions: bool = False
    """A new owner is told where the positions were left."""

    def acquire(self) -> int:
        """A new owner: its epoch."""
        self.epoch += 1
        self.last_batch = 0
        return self.epoch

    def apply(self, batch: storage_pb2.CommitBatch) -> None:
        """Commit a batch; one that was committed already changes nothing."""
        if batch.epoch != self.epoch:
            raise ContractError(f"epoch {batch.epoch} is not {self.epoch}")
        if batch.number <= self.last_batch:
            return
        if batch.number != self.last_batch + 1:
            raise ContractError(f"batch {batch.number} follows {self.last_batch}")
        self.last_batch = batch.number
        if batch.removed:
            self.rows |= {key: _finished(row) for key, row in self.rows.items() if row.address in batch.removed}
        for unit in batch.units:
            self._apply_unit(unit)
        self._add([signal for unit in batch.units for signal in unit.signals])
        for row in batch.enriched:
            self._enrich(row)
        self.watermarks |= {(row.address, row.feed): row for row in batch.watermarks}
        self.gaps += batch.gaps
        self.published |= {mark.signal_id: mark.published_seq for mark in batch.published}
        for rewind in batch.rewound:
            self._rewind(rewind)

    def load(self, *, is_recent: Callable[[storage_pb2.FillRow], bool] = lambda _: True) -> list[Item]:
        """What LoadPartition streams. `is_recent`: which finished fills lie above the watermark less the overlap."""
        unfinished = {row.order_id for row in self.rows.values() if not row.finished}
        unsent = {row.order_id for row in self.rows.values() if not row.finished and not row.signal_sent}
        awake = unsent | (unfinished & self.statuses.keys())
        with_row = {row.order_id for row in self.rows.values()}
        held, known = [], b""
        for row in self.fills.values():
            is_waited_for = row.order_id in self.statuses or is_recent(row)
            is_open = row.order_id in awake or (row.order_id not in with_row and is_waited_for)
            if is_open:
                held.append(Item(fill=row))
            elif is_recent(row):
                known += row.digest + row.order_id
        return [
            *held,
            *(Item(order=row) for row in self.rows.values() if row.order_id in awake),
            Item(resting_orders=b"".join(sorted(unfinished - awake))),
            *(Item(status=row) for row in self.statuses.values()),
            *(Item(unpublished=self._as_stored(row)) for row in self._unpublished()[:UNPUBLISHED_AT_ONCE]),
            *(Item(watermark=row) for row in self.watermarks.values()),
            *(Item(gap=row) for row in self.open_gaps()),
            Item(known_fills=known),
            *(Item(last_position=row) for row in self._last_positions() if self.tells_positions),
            *(Item(counter=self._counter(address)) for address in self.numbers),
        ]

    def open_gaps(self) -> Iterable[storage_pb2.GapRow]:
        """The gaps whose last word is that they are open."""
        last = {(row.address, row.feed, row.from_ms): row for row in self.gaps}
        return [row for row in last.values() if row.state == "open"]

    def answer(
        self, partition: Partition, value: FillInput | StatusInput, received_at_ms: int, now: Now
    ) -> list[AskFor]:
        """Answer what a partition must ask before it takes an event in; returns what that was."""
        questions: list[AskFor] = []
        while question := partition.question(value, received_at_ms):
            assert question.what not in questions, "a question is answered once"
            questions.append(question.what)
            asked = lookup_of([question], partition.outbox)
            answer = self.lookup(asked)
            partition.recall.learn(asked, answer)
            for row in answer.resting_fills:
                partition.wake(row, now)
        return questions

    def lookup(self, asked: storage_pb2.LookupRequest) -> storage_pb2.LookupResponse:
        """What is stored of these fills and orders."""
        filled = {row.order_id for row in self.fills.values()}
        unfinished = {row.order_id for row in self.rows.values() if not row.finished}
        return storage_pb2.LookupResponse(
            known_fills=b"".join(key + self.fills[key].order_id for key in asked.digests if key in self.fills),
            finished_orders=[key for key in asked.order_ids if key in filled and key not in unfinished],
            resting_fills=[
                row
                for row in self.fills.values()
                if row.order_id in asked.resting_orders and row.order_id in unfinished
            ],
        )

    def read_signals(self, asked: storage_pb2.ReadSignalsRequest) -> list[storage_pb2.SignalRow]:
        """A wallet's signals from a number on, with where the stream has them."""
        rows = [
            self._as_stored(row)
            for row in self.signals.values()
            if row.address == asked.address and row.number >= asked.from_number
        ]
        return sorted(rows, key=lambda row: row.number)[: asked.most]

    def _as_stored(self, row: storage_pb2.SignalRow) -> storage_pb2.SignalRow:
        copy = storage_pb2.SignalRow.FromString(row.SerializeToString())
        if row.signal_id in self.published:
            copy.published_seq = self.published[row.signal_id]
        return copy

    def _rewind(self, rewind: storage_pb2.Rewind) -> None:
        for row in self.signals.values():
            is_after = row.address == rewind.address and row.number > rewind.published_number
            if is_after and row.signal_id in self.published:
                self.published[row.signal_id] = LOST

    def _apply_unit(self, unit: storage_pb2.OrderUnit) -> None:
        for fill in unit.fills:
            self.fills.setdefault(fill.digest, storage_pb2.FillRow.FromString(fill.SerializeToString()))
        for mark in unit.marks:
            self._mark(mark)
        self.rows |= {row.order_key: row for row in unit.rows}
        for status in unit.statuses:
            if status.resolved:
                self.statuses.pop(status.order_id, None)
            else:
                self.statuses[status.order_id] = status

    def _enrich(self, row: storage_pb2.FillRow) -> None:
        known = self.fills[row.digest]
        if not events_pb2.Fill.FromString(known.fill).HasField("oid"):
            known.fill = row.fill

    def _mark(self, mark: storage_pb2.FillMark) -> None:
        row = self.fills[mark.digest]
        closes = mark.leg == storage_pb2.LEG_CLOSE
        if row.HasField("close_number" if closes else "open_number"):
            raise ContractError(f"signal {mark.number} takes a fill that a signal has")
        if closes:
            row.close_number = mark.number
        else:
            row.open_number = mark.number

    def _add(self, signals: list[storage_pb2.SignalRow]) -> None:
        fresh: dict[str, list[int]] = {}
        for signal in signals:
            if self.signals.setdefault(signal.signal_id, signal) != signal:
                raise ContractError(f"other content under {signal.signal_id}")
            fresh.setdefault(signal.address, []).append(signal.number)
        for address, numbers in fresh.items():
            last = self.numbers.get(address, 0)
            if sorted(numbers) != list(range(last + 1, last + 1 + len(numbers))):
                raise ContractError(f"numbers {numbers} follow {last}")
            self.numbers[address] = last + len(numbers)

    def _last_positions(self) -> Iterable[storage_pb2.LastPosition]:
        """By wallet and coin what the latest fill left, if that is known."""
        latest: dict[tuple[str, str], list[events_pb2.Fill]] = {}
        for row in self.fills.values():
            fill = events_pb2.Fill.FromString(row.fill)
            found = latest.setdefault((fill.address, fill.coin), [])
            if not found or fill.time_ms > found[0].time_ms:
                found[:] = [fill]
            elif fill.time_ms == found[0].time_ms:
                found.append(fill)
        for (address, coin), fills in latest.items():
            steps = [
                _step(fill) for fill in sorted(fills, key=lambda fill: fill.tid) if fill.HasField("start_position")
            ]
            if steps:
                end, time_ms = str(end_of_chain(steps)), fills[0].time_ms
                yield storage_pb2.LastPosition(address=address, coin=coin, position=end, time_ms=time_ms)

    def _counter(self, address: str) -> storage_pb2.AddressCounter:
        confirmed = [
            (row.number, self.published[row.signal_id], row.signal_id)
            for row in self.signals.values()
            if row.address == address and self.published.get(row.signal_id, LOST) != LOST
        ]
        number, seq, signal_id = max(confirmed, default=(0, 0, ""))
        return storage_pb2.AddressCounter(
            address=address,
            next_number=self.numbers[address] + 1,
            published_seq=seq,
            published_number=number,
            published_id=signal_id,
        )

    def _unpublished(self) -> list[storage_pb2.SignalRow]:
        waiting = [row for row in self.signals.values() if self.published.get(row.signal_id, LOST) == LOST]
        return sorted(waiting, key=lambda row: (row.address, row.number))


def _finished(row: storage_pb2.OrderRow) -> storage_pb2.OrderRow:
    finished = storage_pb2.OrderRow.FromString(row.SerializeToString())
    finished.finished = True
    return finished


def _step(fill: events_pb2.Fill) -> Step:
    start, size = Decimal(fill.start_position), Decimal(fill.sz)
    return Step(start, start + (size if fill.side == events_pb2.SIDE_BUY else -size))
