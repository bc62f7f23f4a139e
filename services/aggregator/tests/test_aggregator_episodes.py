"""Trades without orders: what is stored of them, and what survives a change of owner or of feed (DESIGN §6.11)."""

from typing import Any

import pytest
from aggregates import START_MS, WHALE, Desk
from stored import Stored

from hlmonitor.aggregator.core import tracked
from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.requests import ResumeRequest
from hlmonitor.aggregator.core.restore import Restorer
from hlmonitor.v1 import events_pb2

TRADES = events_pb2.FEED_TRADES
TRADE: dict[str, Any] = {
    "feed": TRADES, "oid": None, "start_position": None, "dir": "", "fee": "", "fee_token": "", "closed_pnl": "",
}  # fmt: skip


def positions(desk: Desk, at_ms: int = START_MS - 1, **sizes: str) -> None:
    rows = [events_pb2.Position(coin=coin, szi=size) for coin, size in sizes.items()]
    dex = events_pb2.DexState(account_value="10", time_ms=at_ms, positions=rows)
    perps = events_pb2.AccountSnapshot.Perps(dexes=[dex])
    desk.partition.snapshot(events_pb2.AccountSnapshot(address=WHALE, perps=perps), START_MS)


def stored_fills(desk: Desk) -> list[events_pb2.Fill]:
    desk.commit()
    rows = [row for batch in desk.batches for unit in batch.units for row in unit.fills]
    return [events_pb2.Fill.FromString(row.fill) for row in rows]


def heir_of(desk: Desk) -> Desk:
    """A new owner that loads what was committed."""
    desk.commit()
    stored = Stored(tells_positions=True)
    for batch in desk.batches:
        stored.apply(batch)
    heir = Desk(now_s=desk.now_s, stored=stored)
    heir.partition.outbox = Outbox(0, stored.acquire())
    heir.partition.decider.outbox = heir.partition.recall.outbox = heir.partition.outbox
    restorer = Restorer(heir.partition, heir.now)
    for item in stored.load():
        restorer.take(item)
    restorer.finish()
    return heir


def test_a_trade_is_stored_with_the_position_that_was_followed() -> None:
    desk = Desk()
    positions(desk, BTC="3")
    desk.fill(**TRADE)
    desk.fill(**TRADE, tid=2, time_ms=START_MS + 5)
    assert [fill.start_position for fill in stored_fills(desk)] == ["3", "4"]


def test_a_trade_of_an_unknown_position_is_stored_without_one() -> None:
    desk = Desk()
    desk.fill(**TRADE)
    (fill,) = stored_fills(desk)
    assert not fill.HasField("start_position")
    assert not fill.HasField("oid")


def test_positions_without_their_time_seed_nothing() -> None:
    desk = Desk()
    positions(desk, at_ms=0, BTC="3")
    desk.fill(**TRADE)
    assert [signal["seeded"] for signal in desk.signals()] == [False]


def test_what_rest_tells_of_a_told_trade_is_stored() -> None:
    desk = Desk()
    desk.fill(**TRADE)
    desk.fill(oid=77, fee="0.3", start_position="5", replayed=True)
    assert len(desk.signals()) == 1
    (row,) = [row for batch in desk.batches for row in batch.enriched]
    fill = events_pb2.Fill.FromString(row.fill)
    assert (fill.oid, fill.fee, fill.start_position, fill.feed) == (77, "0.3", "5", TRADES)


def test_an_episode_goes_on_with_the_next_owner() -> None:
    desk = Desk()
    positions(desk, BTC="-4")
    desk.fill(**TRADE)
    heir = heir_of(desk)
    heir.fill(**TRADE, tid=2, time_ms=START_MS + 1_000)
    heir.wait(2.5)
    (signal,) = heir.signals()
    assert (signal["fills"], signal["direction"], signal["close_rate"], signal["kind"]) == (
        2,
        "close",
        "0.5",
        "episode",
    )
    assert signal["oid"] < 0


def test_an_episode_that_the_next_owner_hears_of_again_is_told_once() -> None:
    desk = Desk()
    positions(desk, BTC="-4")
    desk.fill(**TRADE)
    desk.wait(2.5)
    heir = heir_of(desk)
    heir.fill(**TRADE)
    heir.fill(replayed=True, start_position="-4")
    heir.wait(400)
    assert len(desk.signals()) == 1
    assert heir.signals() == []


def test_a_wallets_own_feed_that_tells_a_trade_too_tells_nothing_new() -> None:
    desk = Desk()
    positions(desk)
    desk.fill(**TRADE)
    desk.fill()
    desk.wait(400)
    assert [signal["kind"] for signal in desk.signals()] == ["episode"]


def test_a_trade_that_the_wallets_own_feed_told_tells_nothing_new() -> None:
    desk = Desk()
    positions(desk)
    desk.partition.gap(events_pb2.Gap(address=WHALE, feed=TRADES, from_ms=0, reason="moved"), desk.now)
    desk.fill()
    desk.fill(**TRADE)
    desk.status()
    assert [(signal["kind"], signal["oid"]) for signal in desk.signals()] == [("order", 1)]


def test_the_venues_own_fills_that_only_rest_shows_keep_their_kind() -> None:
    desk = Desk()
    positions(desk, BTC="4")
    desk.fill(**TRADE, side=events_pb2.SIDE_SELL)
    desk.fill(
        tid=2, oid=9, side=events_pb2.SIDE_SELL, start_position="3", sz="3", dir="Settlement", replayed=True,
        time_ms=START_MS + 9,
    )  # fmt: skip
    desk.fill(**TRADE, tid=3, time_ms=START_MS + 5_000)
    desk.wait(2.5)
    told = {signal["kind"]: signal for signal in desk.signals() if signal["direction"] == "close"}
    assert told.keys() == {"episode", "settlement"}
    (opened,) = [signal for signal in desk.signals() if signal["direction"] == "open"]
    assert (opened["start_position"], opened["seeded"]) == ("0", True)


def test_a_removed_wallet_that_comes_back_is_not_followed_any_more() -> None:
    desk = Desk()
    positions(desk, BTC="3")
    desk.partition.watch({}, desk.now)
    desk.watch()
    desk.fill(**TRADE)
    assert [signal["seeded"] for signal in desk.signals()] == [False]


def test_late_trades_are_told_of_by_no_signal() -> None:
    desk = Desk(ahead_ms=START_MS + 7 * 86_400_000)
    positions(desk, BTC="3")
    desk.fill(**TRADE, replayed=True)
    desk.wait(400)
    assert desk.signals() == []
    assert [gap.state for batch in desk.batches for gap in batch.gaps] == ["late"]


def test_the_feed_is_taken_up_again_only_by_who_follows_it() -> None:
    desk = Desk()
    desk.partition.opened(WHALE)
    desk.fill(**TRADE)
    desk.partition.opened(WHALE)
    asked = [item.feed for item in desk.partition.take_requests() if isinstance(item, ResumeRequest)]
    assert asked == [events_pb2.FEED_USER_FILLS, events_pb2.FEED_USER_TWAP_SLICE_FILLS] * 2 + [TRADES]


def test_positions_are_followed_through_many_trades_without_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked, "MAX_MOVES", 10)
    desk = Desk()
    positions(desk, BTC="3")
    for tid in range(1, 102):
        desk.fill(**TRADE, tid=tid, time_ms=START_MS + tid * 3_000)
    assert stored_fills(desk)[-1].start_position == "103"
    assert all(len(moves) <= 10 for moves in desk.partition.wallet(WHALE).tracked._moves.values())
