"""Faults put into the core: the oracle must find each of them, or it proves nothing."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from checks import finish
from harness import World
from market import START_MS, Market
from oracle import Execution, TrueOrder

from hlmonitor.aggregator.core import convert, orders, signals
from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.inputs import StatusInput
from hlmonitor.aggregator.core.memory import Memory
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.orders import HeldFill, OrderState
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.restore import Restorer
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import Fill, FillDigest, Leg, Part, digest_of, split
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.v1 import storage_pb2

WHALE = Address("0x" + "ab" * 20)


def _fill(market: Market, order: TrueOrder, sz: str, px: str) -> None:
    market.execute(order, Fraction(sz), Fraction(px), Fraction(1, 10), Fraction(5, 2), 1)


def _trade(market: Market) -> None:
    """Short, add, flip to long, a canceled rest, a close in two fills within a millisecond."""
    short = market.place(WHALE, "BTC", "A")
    _fill(market, short, "0.1", "100.1")
    _fill(market, short, "0.2", "100.3")
    market.say(short, "filled")
    flip = market.place(WHALE, "BTC", "B")
    _fill(market, flip, "1.00000000000000003", "99.70000000000000001")
    market.say(flip, "filled")
    part = market.place(WHALE, "BTC", "B")
    _fill(market, part, "0.3", "101")
    market.say(part, "canceled", Fraction(1, 2))
    close = market.place(WHALE, "BTC", "A")
    for _ in range(2):
        market.execute(close, Fraction(1, 4), Fraction(102), Fraction(0), Fraction(1), 0)
    market.say(close, "filled")


def _repeat(world: World) -> None:
    """Each thing twice, once more as a replay, with commits and crashes between."""
    for told in world.market.told:
        world.tell(told)
        world.tell(told)
        world.freeze()
        world.tell(told, 1, replayed=True)
        world.restart(committed=told.what is world.market.told[0].what)
        world.commit_all()
        world.restart()
    for told in world.market.told:
        world.tell(told, replayed=True)


def _repeat_to_the_heir(world: World) -> None:
    """All fills, then to the next owner all of them again, and only then how their orders ended."""
    fills = [told for told in world.market.told if isinstance(told.what, Execution)]
    for told in fills:
        world.tell(told)
    world.commit_all()
    world.restart()
    for told in fills:
        world.tell(told)
    for told in world.market.told:
        world.tell(told)


def _turn_round(world: World) -> None:
    """The last thing first, and everything replayed."""
    for told in reversed(world.market.told):
        world.tell(told)
        world.tell(told, replayed=True)


def _turn_round_and_crash(world: World) -> None:
    """The last thing first, each committed and known to a new owner before the next."""
    for told in reversed(world.market.told):
        world.tell(told)
        world.commit_all()
        world.restart()


def _crash_and_wait(world: World) -> None:
    """Nothing is committed before the crash, and every order goes out in partials."""
    for told in world.market.told:
        world.tell(told)
        world.restart()
        world.wait(301, step_s=1.0)
        world.commit_all()


def _run() -> None:
    """The check that must pass on a sound core and fail on each faulty one."""
    for deliver in (_repeat, _repeat_to_the_heir, _turn_round, _turn_round_and_crash, _crash_and_wait):
        for watch_from_ms in (0, START_MS + 2):
            market = Market()
            _trade(market)
            world = World(market, {WHALE: WatchEntry(address=WHALE, watch_from_ms=watch_from_ms)})
            deliver(world)
            finish(world)


def _drops_first_key(patch: pytest.MonkeyPatch) -> None:
    add = OrderState.add

    def faulty(self: OrderState, held: HeldFill, now_s: float) -> None:
        add(self, held, now_s)
        if len(self.fills) == 1:
            self.fills = {FillDigest(b"lost"): held}

    patch.setattr(OrderState, "add", faulty)


def _ignores_start_position(patch: pytest.MonkeyPatch) -> None:
    def faulty(fill: Fill) -> tuple[Part, ...]:
        return split(msgspec.structs.replace(fill, start_position=Decimal(0)))

    patch.setattr(orders, "split", faulty)


def _uses_float(patch: pytest.MonkeyPatch) -> None:
    def faulty(values: Iterable[Decimal]) -> Decimal:
        return Decimal(repr(sum(float(value) for value in values)))

    patch.setattr(signals, "total", faulty)


def _opens_before_closing(patch: pytest.MonkeyPatch) -> None:
    def faulty(self: OrderState) -> list[Leg]:
        return [leg for leg in (Leg.OPEN, Leg.CLOSE) if leg in self._pending]

    patch.setattr(OrderState, "pending_legs", property(faulty))


def _takes_canceled_for_nothing(patch: pytest.MonkeyPatch) -> None:
    status = Partition.status

    def faulty(self: Partition, value: StatusInput, received_at_ms: int, now: Now) -> None:
        if value.status != "canceled":
            status(self, value, received_at_ms, now)

    patch.setattr(Partition, "status", faulty)


def _counts_snapshots_twice(patch: pytest.MonkeyPatch) -> None:
    def faulty(fill: Fill) -> FillDigest:
        digest = digest_of(fill)
        return FillDigest(digest[::-1]) if fill.replayed else digest

    patch.setattr(convert, "digest_of", faulty)


def _forgets_what_is_finished(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Memory, "order_of", lambda _, __: None)


def _acknowledges_at_receipt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Outbox, "needs_batch", property(lambda self: self.committed))


def _forgets_stored_statuses(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Restorer, "_status", lambda _, __: None)


def _forgets_the_counter(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Restorer, "_counter", lambda _, __: None)


def _forgets_marks(patch: pytest.MonkeyPatch) -> None:
    restore = Partition.restore

    def faulty(self: Partition, row: storage_pb2.FillRow, now: Now) -> OrderState:
        bare = storage_pb2.FillRow(digest=row.digest, fill=row.fill, order_id=row.order_id, uncounted=row.uncounted)
        return restore(self, bare, now)

    patch.setattr(Partition, "restore", faulty)


def _tells_what_is_older_than_the_watch(patch: pytest.MonkeyPatch) -> None:
    take = OrderState.add

    def faulty(self: OrderState, held: HeldFill, now_s: float) -> None:
        held.uncounted = False
        take(self, held, now_s)

    patch.setattr(OrderState, "add", faulty)


def _opens_whole_flips(patch: pytest.MonkeyPatch) -> None:
    def faulty(fill: Fill) -> tuple[Part, ...]:
        parts = split(fill)
        return (msgspec.structs.replace(parts[-1], leg=Leg.OPEN, sz=fill.sz),) if len(parts) > 1 else parts

    patch.setattr(orders, "split", faulty)


FAULTS = [
    _drops_first_key,
    _ignores_start_position,
    _uses_float,
    _opens_before_closing,
    _takes_canceled_for_nothing,
    _counts_snapshots_twice,
    _forgets_what_is_finished,
    _acknowledges_at_receipt,
    _forgets_stored_statuses,
    _forgets_the_counter,
    _forgets_marks,
    _tells_what_is_older_than_the_watch,
    _opens_whole_flips,
]


def test_sound_core_passes() -> None:
    _run()


@pytest.mark.parametrize("inject", FAULTS, ids=lambda inject: inject.__name__.strip("_"))
def test_fault_is_found(inject: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    inject(monkeypatch)
    with pytest.raises((AssertionError, KeyError, ValueError)):
        _run()
