"""What must hold when everything was told and all timers ran out."""

import re
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec
from harness import ORDER_TIMEOUT_S, TWAP_FEED, Knowledge, World
from market import Told
from oracle import Execution, Fortune, TrueOrder, half_even, pieces, position_rate, signal_of, whole_signals

from hlmonitor.domain.watch import WatchEntry
from hlmonitor.v1 import events_pb2, storage_pb2

GRACE_S = 10.0
QUIET_S = 1.0
STORED_DECIMALS = 18
BACKFILL_S = 2.0
"""What asking for missing fills takes at most, the harness answering at once."""


class Sent(NamedTuple):
    """A signal, and what it took by the marks of the stored fills."""

    number: int
    says: dict[str, Any]
    order: TrueOrder
    leg: str
    taken: tuple[Execution, ...]
    fortune: Fortune
    """What the wallet was known to own when it was decided."""
    in_gap: bool
    """A gap of the wallet was open when it was decided."""


def finish(world: World) -> None:
    """Tell what was not told yet, cover all gaps, and let every timer run out."""
    begin_s = world.now_s
    for told in world.market.told:
        if not is_known(world, told):
            world.tell(told)
    for address in world.entries:
        for feed in (events_pb2.FEED_USER_FILLS, TWAP_FEED):
            world.caught_up(address, feed, 0, world.market.time_ms)
    world.wait(GRACE_S + 2 * BACKFILL_S)
    world.wait(ORDER_TIMEOUT_S + GRACE_S, step_s=5.0)
    world.commit_all()
    world.publish()
    check(world, begin_s)


def check(world: World, settled_s: float) -> None:
    """Everything that is promised of the signals of a world that has come to rest."""
    sent = signals_of(world)
    for signal in sent:
        _check_content(signal)
    _check_each_fill_once(world, sent)
    _check_whole_orders(world, sent, settled_s)
    _check_published(world)


def signals_of(world: World) -> list[Sent]:
    """All signals, each with the executions whose marks name it."""
    taken: dict[tuple[str, int], list[tuple[TrueOrder, str, Execution]]] = defaultdict(list)
    truth = {_key(order, one): (order, one) for order in world.market.orders for one in order.executions}
    for row in world.stored.fills.values():
        order, execution = truth[_key_of(row)]
        counts = is_counted(world, order, execution)
        assert row.uncounted != counts, "a fill counts from where signals start, unless it came late"
        if execution.time_ms >= _starts_ms(world, order) and not counts:
            assert _has_late_gap(world, order, execution), f"{execution} came late, and nothing tells it"
        for leg, number in (("close", row.close_number), ("open", row.open_number)):
            if number:
                assert counts, "a signal took a fill that does not count"
                taken[order.address, number].append((order, leg, execution))
    sent = []
    for stored in sorted(world.stored.signals.values(), key=lambda row: (row.address, row.number)):
        shares = taken.pop((stored.address, stored.number))
        (order,) = {id(order): order for order, _, _ in shares}.values()
        (leg,) = {leg for _, leg, _ in shares}
        executions = tuple(sorted((one for _, _, one in shares), key=lambda one: one.index))
        fortune = world.backed_by[stored.payload]
        in_gap = stored.payload in world.in_gaps
        sent.append(Sent(stored.number, msgspec.json.decode(stored.payload), order, leg, executions, fortune, in_gap))
    assert not taken, f"marks name signals that do not exist: {list(taken)}"
    return sent


def _check_content(signal: Sent) -> None:
    says = dict(signal.says)
    expected = signal_of(signal.order, signal.leg, signal.taken)
    for name, value in expected.items():
        told = says[name]
        if isinstance(value, Fraction):
            told = Fraction(Decimal(told))
        assert told == value, f"{name} is {says[name]}, should be {value}: {signal}"
    first = signal.taken[0]
    _check_oid(signal)
    tail = str(first.tid) if first.tid else "[0-9a-f]{16}"
    head = f"{signal.order.address}:{signal.order.coin}:{says['oid']}:{signal.leg}:{first.time_ms}-"
    assert re.fullmatch(re.escape(head) + tail, says["id"]), says["id"]
    assert says["number"] == signal.number
    rate = position_rate(signal.fortune, signal.order.coin, Fraction(says["notional_usd"]))
    assert (says["position_rate"] and Fraction(says["position_rate"])) == rate, f"{signal.fortune} backs {says}"
    word = None if rate is None else "Small" if rate < 5 else "Medium" if rate < 20 else "Large"
    assert says["position_size"] == word
    if not any(one.dir == "Teleported" for one in signal.order.executions):
        assert says["kind"] == _kind(signal.order, says["status"])


def _check_oid(signal: Sent) -> None:
    if signal.order.is_system or signal.order.twap_id is not None:
        assert signal.says["oid"] < 0
    else:
        assert signal.says["oid"] == signal.order.oid


def _check_each_fill_once(world: World, sent: list[Sent]) -> None:
    where = {(id(one), signal.leg): signal for signal in sent for one in signal.taken}
    assert len(where) == sum(len(signal.taken) for signal in sent), "a fill is in two signals of a leg"
    for order in world.market.orders:
        for execution in order.executions:
            legs = pieces(order.coin, execution) if is_counted(world, order, execution) else {}
            for leg in legs:
                assert (id(execution), leg) in where, f"no signal took the {leg} of {execution}"
            if len(legs) == 2:
                close, opened = where[id(execution), "close"], where[id(execution), "open"]
                assert close.number < opened.number, "open before close"


def _check_whole_orders(world: World, sent: list[Sent], settled_s: float) -> None:
    """Orders that no timer could cut: exactly one signal per leg, whatever happened on the way."""
    for index, order in enumerate(world.market.orders):
        mine = [signal for signal in sent if signal.order is order]
        expected = list(whole_signals(order, _starts_ms(world, order)))
        if not _is_whole(world, order, world.knowledge[index], settled_s):
            continue
        assert [(one.leg, list(one.taken)) for one in mine] == expected, f"{order} gave {mine}"
        for signal in mine:
            _check_whole(signal, order)
            _check_row(world, signal)
        assert not [
            gap
            for gap in world.stored.gaps
            if gap.address == order.address and gap.reason.endswith(f" {order.oid} was seen")
        ], f"{order} was taken for one without fills"
        wallet = world.partition.wallets[_entry(world, order).address]
        assert not [one for one in wallet.orders.values() if one.ref.oid == order.oid and one.fills], order


def _check_whole(signal: Sent, order: TrueOrder) -> None:
    says = {name: signal.says[name] for name in ("complete", "kind", "trigger", "status")}
    assert says == {
        "complete": not (order.is_system and signal.in_gap),
        "kind": _kind(order, signal.says["status"]),
        "trigger": "system" if order.is_system else "status",
        "status": None if order.is_system or order.end is None else order.end.text,
    }, f"{says} of {order}"


def _kind(order: TrueOrder, status: str | None) -> str:
    """What a signal must say of its order, told under this status."""
    end = order.end
    return "unknown" if end and end.is_strange and end.text == status else order.kind


def _check_row(world: World, signal: Sent) -> None:
    leg = storage_pb2.LEG_CLOSE if signal.leg == "close" else storage_pb2.LEG_OPEN
    oid = signal.says["oid"]
    (row,) = [row for row in world.stored.rows.values() if row.oid == oid and row.leg == leg]
    shares = [(one, pieces(signal.order.coin, one)[signal.leg].size) for one in signal.taken]
    size = sum((share for _, share in shares), Fraction(0))
    mean = sum((one.px * share for one, share in shares), Fraction(0)) / size
    assert (row.address, row.coin) == (signal.order.address, signal.order.coin)
    assert Fraction(row.total_size) == size, row
    assert Fraction(row.weighted_avg_px) == half_even(mean, STORED_DECIMALS), row
    assert row.finished, row
    assert row.signal_sent, row


def _is_whole(world: World, order: TrueOrder, known: Knowledge, settled_s: float) -> bool:
    """Whether all was told so soon that no timer ran out before (told later, it may have been cut in partials)."""
    timeout_s = world.least_timeouts_s[_entry(world, order).address]
    times = list(known.executions.values())
    if timeout_s == 0 or not times or _may_be_late(world, order):
        return False
    if order.is_system:
        return max(times) - min(times) < QUIET_S
    end = order.end
    if end is None or known.ended_s is None or end.orig == 0:
        return False
    if _straddles(world, order):
        # Its early fills may have been dropped and come only when they are asked for.
        return settled_s - min(*times, known.ended_s) < min(GRACE_S, timeout_s) - BACKFILL_S
    last_s = max(known.ended_s, *times)
    return last_s - min(times) < timeout_s and max(times) - known.ended_s < GRACE_S


def _straddles(world: World, order: TrueOrder) -> bool:
    return any(one.time_ms < _starts_ms(world, order) for one in order.executions)


def is_counted(world: World, order: TrueOrder, one: Execution) -> bool:
    """Whether signals tell of an execution: its wallet's had begun, and it did not come late (§6.9)."""
    if one.time_ms < _starts_ms(world, order):
        return False
    known = world.knowledge[world.market.orders.index(order)]
    if known.ages_s[one.index] > world.horizon_s:
        return False
    if world.age_s(one) <= world.horizon_s or not world.restarts:
        return True
    # It was in time when it was told first; an owner that had to hear of it again may have judged otherwise.
    key = _key(order, one)
    return not any(row.uncounted for row in world.stored.fills.values() if _key_of(row) == key)


def _has_late_gap(world: World, order: TrueOrder, one: Execution) -> bool:
    return any(
        gap.state == "late" and gap.address == order.address and gap.from_ms <= one.time_ms <= gap.to_ms
        for gap in world.stored.gaps
    )


def _may_be_late(world: World, order: TrueOrder) -> bool:
    return any(world.age_s(one) > world.horizon_s for one in order.executions)


def _starts_ms(world: World, order: TrueOrder) -> int:
    entry = _entry(world, order)
    return entry.watch_from_ms if entry.backfill_from_ms is None else entry.backfill_from_ms


def _check_published(world: World) -> None:
    for address in world.entries:
        stored = {row.number: row for row in world.stored.signals.values() if row.address == address}
        assert sorted(stored) == list(range(1, len(stored) + 1)), "numbers are not dense"
        messages = world.streams[address].messages
        assert messages == [(stored[n].signal_id, stored[n].payload) for n in sorted(stored)], "not all was published"


def _entry(world: World, order: TrueOrder) -> WatchEntry:
    return next(entry for address, entry in world.entries.items() if address == order.address)


def _key(order: TrueOrder, one: Execution) -> tuple[str, str, int, int, int, Fraction]:
    return order.address, order.coin, one.oid, one.time_ms, one.tid, one.start


def _key_of(row: storage_pb2.FillRow) -> tuple[str, str, int, int, int, Fraction]:
    fill = events_pb2.Fill.FromString(row.fill)
    return fill.address, fill.coin, fill.oid, fill.time_ms, fill.tid, Fraction(fill.start_position)


def is_known(world: World, told: Told) -> bool:
    """Whether a gateway has forwarded it at least once (or need not: the order goes on)."""
    known = world.knowledge[world.market.orders.index(told.order)]
    if isinstance(told.what, Execution):
        return told.what.index in known.executions
    return not told.what.is_final or known.ended_s is not None
