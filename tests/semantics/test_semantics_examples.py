"""Runs the examples of docs/semantics.md through the aggregator's core."""

from dataclasses import dataclass, field
from typing import Any, assert_never

import pytest
from aggregates import START_MS, WHALE, Desk
from semantics import (
    Account,
    AsksAgain,
    Covered,
    Ended,
    Example,
    Gap,
    Input,
    Output,
    Positions,
    RecordsGap,
    RecordsLate,
    Removed,
    Returned,
    Signal,
    Trade,
    Wait,
)
from semantics_examples import RULES

from hlmonitor.aggregator.core.requests import BackfillRequest
from hlmonitor.v1 import events_pb2

EXAMPLES = [pytest.param(example, id=f"{rule.title}: {example.title}") for rule in RULES for example in rule.examples]
FEED = events_pb2.FEED_USER_FILLS
DAY_MS = 86_400_000


@dataclass
class Teller:
    """Tells a partition an example's story, and takes what comes of each line."""

    example: Example
    desk: Desk = field(init=False)
    heard: int = 0
    gaps: int = 0

    def __post_init__(self) -> None:
        watch_from_ms = START_MS + self.example.watch_from if self.example.watch_from else 0
        backfill_from, days_later = self.example.backfill_from, self.example.days_later
        self.desk = Desk(
            watch_from_ms=watch_from_ms,
            order_timeout_s=self.example.order_timeout_s,
            backfill_from_ms=None if backfill_from is None else START_MS + backfill_from,
            ahead_ms=0 if days_later is None else START_MS + days_later * DAY_MS,
        )

    def tell(self, given: Input) -> None:
        match given:
            case Trade():
                self._trade(given)
            case Ended():
                self.desk.status(
                    status=given.status,
                    orig_sz=given.of,
                    remaining_sz=given.left,
                    coin=given.coin,
                    oid=given.oid if given.twap_id is None else 0,
                    twap_id=given.twap_id,
                )
            case Wait():
                self.desk.wait(given.seconds)
            case Account():
                self._account(given)
            case Positions():
                self._positions(given)
            case Gap():
                feed = events_pb2.FEED_TRADES if given.trades else FEED
                message = events_pb2.Gap(address=WHALE, feed=feed, from_ms=START_MS, reason="reconnect")
                self.desk.partition.gap(message, self.desk.now)
            case Covered():
                feed = events_pb2.FEED_TRADES if given.trades else FEED
                covered = events_pb2.CaughtUp(address=WHALE, feed=feed, from_ms=0, through_ms=START_MS + 1)
                self.desk.partition.caught_up(covered, self.desk.now)
            case Removed():
                self.desk.watch(removed_at_ms=int(self.desk.now_s * 1000))
            case Returned():
                self.desk.watch()
            case _:
                assert_never(given)

    def new_signals(self) -> list[dict[str, Any]]:
        signals = self.desk.signals()[self.heard :]
        self.heard += len(signals)
        return signals

    def others(self) -> list[Output]:
        """Requests and records since the last call; what a gateway is asked when it opens is no part of the rules."""
        self.desk.commit()
        requests = [item for item in self.desk.partition.take_requests() if isinstance(item, BackfillRequest)]
        rows = [gap for batch in self.desk.batches for gap in batch.gaps]
        new, self.gaps = rows[self.gaps :], len(rows)
        lost = [RecordsGap(gap.reason) for gap in new if gap.state == "unprovable"]
        late = [RecordsLate(gap.from_ms - START_MS, gap.to_ms - START_MS) for gap in new if gap.state == "late"]
        return [*(AsksAgain() for _ in requests), *lost, *late]

    def _trade(self, trade: Trade) -> None:
        fields: dict[str, Any] = {
            "side": events_pb2.SIDE_BUY if trade.buys else events_pb2.SIDE_SELL,
            "sz": trade.sz,
            "px": trade.px,
            "start_position": trade.was,
            "coin": trade.coin,
            "oid": trade.oid,
            "tid": trade.tid,
            "time_ms": START_MS + trade.at,
            "dir": trade.said,
            "fee": "0",
        }
        self.desk.fill(**(fields | dict(trade.more)))

    def _positions(self, told: Positions) -> None:
        rows = [events_pb2.Position(coin=coin, szi=size) for coin, size in told.sizes.items()]
        dex = events_pb2.DexState(account_value="1000", time_ms=START_MS + told.at, positions=rows)
        perps = events_pb2.AccountSnapshot.Perps(dexes=[dex])
        self.desk.partition.snapshot(events_pb2.AccountSnapshot(address=WHALE, perps=perps), START_MS)

    def _account(self, account: Account) -> None:
        dexes = [events_pb2.DexState(dex=dex, account_value=value) for dex, value in account.values.items()]
        balances = [events_pb2.SpotBalance(coin=coin, total=total) for coin, total in account.balances.items()]
        snapshot = events_pb2.AccountSnapshot(address=WHALE, abstraction=account.mode)
        if dexes:
            snapshot.perps.CopyFrom(events_pb2.AccountSnapshot.Perps(dexes=dexes))
        if balances:
            snapshot.spot.CopyFrom(events_pb2.AccountSnapshot.Spot(balances=balances))
        self.desk.partition.snapshot(snapshot, START_MS)


def fields_of(expected: Signal) -> dict[str, Any]:
    return {
        "direction": expected.leg,
        "side": expected.side,
        "size": expected.size,
        "price": expected.px,
        "close_rate": expected.close_rate,
        "complete": expected.complete,
        "trigger": expected.trigger,
        "kind": expected.kind,
    } | dict(expected.also)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_happens_as_it_is_told(example: Example) -> None:
    teller = Teller(example)
    for given, outputs in example.steps():
        teller.tell(given)
        expected = [fields_of(output) for output in outputs if isinstance(output, Signal)]
        found = teller.new_signals()
        # A signal too many is shown whole.
        names = [*expected, *found[len(expected) :]]
        shown = [{name: signal[name] for name in wanted} for signal, wanted in zip(found, names, strict=False)]
        assert shown == expected, given
        assert teller.others() == [output for output in outputs if not isinstance(output, Signal)], given
    assert [row.number for row in teller.desk.rows] == list(range(1, len(teller.desk.rows) + 1))


@pytest.mark.parametrize("example", EXAMPLES)
def test_nothing_comes_when_everything_is_said_again(example: Example) -> None:
    teller = Teller(example)
    for given, _ in example.steps():
        teller.tell(given)
    teller.new_signals()
    for given, _ in example.steps():
        if isinstance(given, Trade | Ended):
            teller.tell(given)
    assert teller.new_signals() == []


def test_every_example_has_its_own_title() -> None:
    titles = [parameter.id for parameter in EXAMPLES]
    assert len(set(titles)) == len(titles)
