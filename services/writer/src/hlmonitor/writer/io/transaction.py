"""One group commit: everything that happens between BEGIN and COMMIT, and the replies that it earns."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.runtime.clock import wall_ms
from hlmonitor.storage.dao import counters, dead_letters, orders, partitions, signals
from hlmonitor.storage.dao.signals import Numbered
from hlmonitor.v1 import storage_pb2
from hlmonitor.writer.core.batches import NEVER_ACQUIRED, Standing, Verdict, judge
from hlmonitor.writer.core.numbers import NumberedSignal, NumberMismatch, next_numbers
from hlmonitor.writer.io.apply import voids_of, write
from hlmonitor.writer.io.rows import Stamp
from hlmonitor.writer.io.units import Unit, units_of

Batch = storage_pb2.CommitBatch
Reply = storage_pb2.CommitReply
Reason = storage_pb2.Refused.Reason


CONFLICT = "another signal is stored under this id"


@dataclass(slots=True)
class Outcome:
    """What a transaction did; true once it is committed."""

    replies: list[Reply] = field(default_factory=list)
    """One per batch, in the order of the group."""
    present: Counter[str] = field(default_factory=Counter)
    """Rows that were stored already, by table."""
    refused_units: list[Unit] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    """Ids of signals that are stored with other content."""


@dataclass(frozen=True, slots=True)
class GroupCommit:
    """Applies groups of batches, at most one batch per partition, sorted by partition."""

    signal_expiry_ms: int

    async def run(self, connection: AsyncConnection, group: Sequence[Batch]) -> Outcome:
        """Judge each batch, write those that may be, and note it in `hl_partition`; a refused one harms no other."""
        outcome = Outcome()
        standings = await self._standings(connection, group)
        stored = await signals.stored(connection, _signal_ids(group))
        numbers = await counters.of_addresses(connection, {row.address for batch in group for row in _signals(batch)})
        applied: list[Batch] = []
        for batch in group:
            reply = await self._judge(connection, batch, standings[batch.partition], stored, numbers)
            outcome.replies.append(reply)
            if reply.WhichOneof("result") is None:
                applied.append(batch)
        await self._apply(connection, applied, stored, outcome)
        for reply in outcome.replies:
            if reply.WhichOneof("result") is None:
                reply.done.SetInParent()
                _list_dead_letters(reply, outcome.refused_units)
        return outcome

    async def _standings(self, connection: AsyncConnection, group: Sequence[Batch]) -> dict[int, Standing]:
        locked = await partitions.lock(connection, {batch.partition for batch in group})
        known = {partition: Standing(state.epoch, state.last_batch) for partition, state in locked.items()}
        return {batch.partition: known.get(batch.partition, NEVER_ACQUIRED) for batch in group}

    async def _judge(
        self,
        connection: AsyncConnection,
        batch: Batch,
        standing: Standing,
        stored: Mapping[str, Numbered],
        numbers: dict[str, int],
    ) -> Reply:
        """The reply to a batch that is not applied; one without result when it is to be applied."""
        reply = Reply(partition=batch.partition, epoch=batch.epoch, number=batch.number)
        verdict = judge(standing, batch.epoch, batch.number)
        match verdict:
            case Verdict.APPLY:
                self._judge_numbers(batch, standing, stored, numbers, reply)
            case Verdict.ALREADY_DONE:
                reply.done.SetInParent()
                for letter in await dead_letters.of_batch(connection, batch.partition, batch.epoch, batch.number):
                    source = storage_pb2.OrderUnit.FromString(letter.body) if letter.signal_ids else None
                    reply.done.dead_letters.add(
                        order_id=letter.order_id,
                        reason=letter.reason,
                        signal_ids=letter.signal_ids,
                        voids=voids_of(source, letter.reason) if source else (),
                    )
            case Verdict.STALE_EPOCH:
                detail = f"partition {batch.partition} is at epoch {standing.epoch}"
                refuse(reply, Reason.REASON_STALE_EPOCH, detail, "epoch", standing)
            case Verdict.OUT_OF_ORDER:
                detail = f"the last batch of partition {batch.partition} is {standing.last_batch}"
                refuse(reply, Reason.REASON_OUT_OF_ORDER, detail, "number", standing)
            case _:
                assert_never(verdict)
        return reply

    def _judge_numbers(
        self,
        batch: Batch,
        standing: Standing,
        stored: Mapping[str, Numbered],
        numbers: dict[str, int],
        reply: Reply,
    ) -> None:
        new = [NumberedSignal(row.signal_id, row.address, row.number) for row in _signals(batch)]
        same = {row.signal_id for row in _signals(batch) if _is_stored(row, stored)}
        raised = next_numbers(new, same, numbers)
        if isinstance(raised, NumberMismatch):
            wrong = raised.signal
            detail = f"signal {wrong.signal_id} has number {wrong.number}, the next one is {raised.expected}"
            refuse(reply, Reason.REASON_INVALID, detail, "units.signals.number", standing)
        else:
            numbers.update(raised)

    async def _apply(
        self, connection: AsyncConnection, batches: Sequence[Batch], stored: Mapping[str, Numbered], outcome: Outcome
    ) -> None:
        if not batches:
            return
        now_ms = wall_ms()
        units = [
            unit for batch in batches for unit in units_of(batch, Stamp(batch.partition, now_ms, self.signal_expiry_ms))
        ]
        units += [conflict for unit in units for conflict in _leave_out_stored(unit, stored, outcome)]
        removed = [(batch.partition, address) for batch in batches for address in batch.removed]
        await orders.finish_all(connection, removed, now_ms)
        outcome.present.update(await write(connection, units))
        outcome.refused_units = [unit for unit in units if unit.reason is not None]
        await counters.raise_to(connection, _raised(batches))
        await _publish(connection, batches, stored)
        await partitions.advance(
            connection, [{"id": batch.partition, "batch": batch.number, "now_ms": now_ms} for batch in batches]
        )


def refuse(reply: Reply, reason: Reason.ValueType, detail: str, field: str, standing: Standing) -> None:
    """Make the reply a refusal; the owner may not send the batch again as it is."""
    reply.refused.CopyFrom(
        storage_pb2.Refused(
            reason=reason,
            detail=detail,
            field=field,
            retryable=False,
            current_epoch=standing.epoch,
            last_batch=standing.last_batch,
        )
    )


def _signals(batch: Batch) -> list[storage_pb2.SignalRow]:
    return [signal for unit in batch.units for signal in unit.signals]


def _signal_ids(group: Sequence[Batch]) -> list[str]:
    ids = {signal.signal_id for batch in group for signal in _signals(batch)}
    ids.update(mark.signal_id for batch in group for mark in batch.published)
    return sorted(ids)


def _is_stored(signal: storage_pb2.SignalRow, stored: Mapping[str, Numbered]) -> bool:
    known = stored.get(signal.signal_id)
    return known is not None and known.payload == signal.payload


def _leave_out_stored(unit: Unit, stored: Mapping[str, Numbered], outcome: Outcome) -> list[Unit]:
    """Stored signals stay as they are; other content under the same id is kept aside and reported (DESIGN G2)."""
    conflicts = []
    for signal in unit.sent_signals:
        if signal.signal_id not in stored:
            continue
        outcome.present["hl_address_signals"] += 1
        if not _is_stored(signal, stored):
            outcome.conflicts.append(signal.signal_id)
            source = storage_pb2.OrderUnit(order_id=unit.order_id, address=signal.address, signals=[signal])
            conflicts.append(Unit(unit.batch, unit.stamp, "signal", source, unit.order_id, CONFLICT))
    unit.signals = [row for row in unit.signals if row["signal_id"] not in stored]
    return conflicts


def _raised(batches: Sequence[Batch]) -> dict[str, tuple[int, int]]:
    """The counters after these batches, void numbers included: address to (partition, next number)."""
    raised: dict[str, tuple[int, int]] = {}
    for batch in batches:
        for signal in _signals(batch):
            _, number = raised.get(signal.address, (0, 0))
            raised[signal.address] = (batch.partition, max(number, signal.number + 1))
    return raised


async def _publish(connection: AsyncConnection, batches: Sequence[Batch], stored: Mapping[str, Numbered]) -> None:
    marks = [mark for batch in batches for mark in batch.published]
    await signals.set_published(
        connection, [{"key": mark.signal_id, "seq": mark.published_seq} for mark in marks if mark.signal_id in stored]
    )
    highest: dict[str, counters.Confirmed] = {}
    for mark in marks:
        signal = stored.get(mark.signal_id)
        if signal and signal.number > highest.get(signal.address, {"number": 0})["number"]:
            highest[signal.address] = {"wallet": signal.address, "seq": mark.published_seq, "number": signal.number}
    await counters.confirm(connection, list(highest.values()))
    for rewind in (row for batch in batches for row in batch.rewound):
        await signals.set_lost(connection, rewind.address, rewind.published_number)
        await counters.rewind(
            connection,
            {"wallet": rewind.address, "seq": rewind.published_seq, "number": rewind.published_number},
        )


def _list_dead_letters(reply: Reply, refused: Sequence[Unit]) -> None:
    for unit in refused:
        if (unit.batch.partition, unit.batch.number) == (reply.partition, reply.number):
            source = unit.source if isinstance(unit.source, storage_pb2.OrderUnit) else None
            reply.done.dead_letters.add(
                order_id=unit.order_id,
                reason=unit.reason,
                signal_ids=[signal.signal_id for signal in unit.sent_signals],
                voids=voids_of(source, unit.reason or "") if source else (),
            )
