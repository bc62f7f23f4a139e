from aggregates import START_MS, WHALE, Desk

from hlmonitor.v1 import events_pb2

SELL = events_pb2.SIDE_SELL


def test_order_whose_fills_and_status_came_gives_one_signal() -> None:
    desk = Desk()
    desk.fill(sz="0.4", px="100", tid=1)
    desk.fill(sz="0.6", px="101", tid=2, start_position="0.4")
    assert desk.signals() == []
    desk.status()
    (signal,) = desk.signals()
    assert signal["id"] == f"{signal['address']}:BTC:1:open:{START_MS}-1"
    assert (signal["direction"], signal["side"], signal["size"], signal["price"]) == ("open", "LONG", "1", "100.6")
    assert (signal["complete"], signal["kind"], signal["fills"], signal["number"]) == (True, "order", 2, 1)
    assert (signal["fee"], signal["start_position"], signal["end_position"]) == ("0.2", "0", "1")
    assert (signal["close_rate"], signal["position_rate"]) == (None, None)


def test_status_before_fills_waits_for_them() -> None:
    desk = Desk()
    desk.status()
    desk.fill(sz="0.4", tid=1)
    assert desk.signals() == []
    desk.fill(sz="0.6", tid=2, start_position="0.4")
    (signal,) = desk.signals()
    assert (signal["size"], signal["complete"], signal["trigger"]) == ("1", True, "status")


def test_price_of_very_long_numbers_is_exact() -> None:
    desk = Desk()
    desk.fill(sz="1000000000000.00000001", px="9876543210.12345678", tid=1)
    desk.fill(sz="0.00000001", px="0.00000001", tid=2, start_position="1000000000000.00000001")
    desk.status(orig_sz="1000000000000.00000002")
    (signal,) = desk.signals()
    assert signal["notional_usd"] == "9876543210123456780098.7654321012345679"


def test_repeated_first_fill_counts_once() -> None:
    desk = Desk()
    for _ in range(3):
        desk.fill()
    desk.status()
    desk.fill()
    desk.status()
    (signal,) = desk.signals()
    assert signal["size"] == "1"


def test_fill_crossing_zero_gives_close_then_open() -> None:
    desk = Desk()
    desk.fill(sz="3", start_position="-1", dir="Short > Long", closed_pnl="-5", fee="0.3")
    desk.status(orig_sz="3")
    close, opened = desk.signals()
    assert (close["direction"], close["side"], close["size"], close["close_rate"]) == ("close", "SHORT", "1", "1")
    assert (close["start_position"], close["end_position"], close["closed_pnl"], close["fee"]) == (
        "-1",
        "0",
        "-5",
        "0.1",
    )
    assert (opened["direction"], opened["side"], opened["size"], opened["close_rate"]) == ("open", "LONG", "2", None)
    assert (opened["start_position"], opened["end_position"], opened["closed_pnl"], opened["fee"]) == (
        "0",
        "2",
        "0",
        "0.2",
    )
    assert (close["number"], opened["number"]) == (1, 2)


def test_close_of_a_short_has_its_rate() -> None:
    desk = Desk()
    desk.fill(sz="1", start_position="-4", dir="Close Short")
    desk.status()
    (signal,) = desk.signals()
    assert (signal["side"], signal["close_rate"]) == ("SHORT", "0.25")


def test_spot_sale_closes_and_its_rate_is_of_the_balance() -> None:
    desk = Desk()
    desk.fill(coin="@107", side=SELL, sz="1", start_position="3", dir="Sell")
    desk.status(coin="@107")
    (signal,) = desk.signals()
    assert (signal["asset_type"], signal["symbol"], signal["direction"]) == ("spot", "HYPEUSDC", "close")
    assert (signal["side"], signal["close_rate"]) == ("LONG", "0.333333333")


def test_canceled_order_with_fills_gives_what_was_filled() -> None:
    desk = Desk()
    desk.fill(sz="0.4")
    desk.status(status="canceled", orig_sz="1", remaining_sz="0.6")
    (signal,) = desk.signals()
    assert (signal["size"], signal["complete"], signal["status"]) == ("0.4", True, "canceled")


def test_rejected_order_without_fills_stores_nothing() -> None:
    desk = Desk()
    desk.status(status="iocCancelRejected", remaining_sz="1")
    assert desk.partition.outbox.is_idle
    assert desk.partition.wallet(next(iter(desk.partition.wallets))).orders == {}


def test_status_whose_fills_are_missing_asks_for_backfill_then_goes_out_incomplete() -> None:
    desk = Desk()
    desk.fill(sz="0.4")
    desk.status()
    desk.wait(1.5)
    (request,) = desk.partition.take_requests()
    assert (request.address, request.feed) == (desk.partition.wallets.popitem()[0], events_pb2.FEED_USER_FILLS)


def test_missing_fills_end_with_the_grace() -> None:
    desk = Desk()
    desk.fill(sz="0.4")
    desk.status()
    desk.wait(9)
    assert desk.signals() == []
    desk.wait(1.5)
    (signal,) = desk.signals()
    assert (signal["size"], signal["complete"], signal["trigger"]) == ("0.4", False, "grace")


def test_fill_after_the_grace_goes_into_the_next_signal_of_its_leg() -> None:
    desk = Desk()
    desk.fill(sz="0.4", tid=1)
    desk.status()
    desk.wait(11)
    desk.fill(sz="0.6", tid=2, start_position="0.4")
    first, second = desk.signals()
    assert (first["size"], second["size"], second["complete"], second["trigger"]) == ("0.4", "0.6", True, "status")
    assert second["id"] == f"{second['address']}:BTC:1:open:{START_MS}-2"


def test_status_of_fills_that_never_came_becomes_a_gap() -> None:
    desk = Desk()
    desk.status()
    desk.wait(11)
    assert desk.signals() == []
    (gap,) = [gap for batch in desk.batches for gap in batch.gaps]
    assert (gap.state, gap.reason) == ("unprovable", "no fill of order 1 was seen")


def test_order_without_an_end_goes_out_as_partial_after_the_timeout() -> None:
    desk = Desk()
    desk.fill(sz="0.4", tid=1)
    desk.wait(299)
    assert desk.signals() == []
    desk.wait(2)
    desk.fill(sz="0.6", tid=2, start_position="0.4")
    desk.status()
    partial, final = desk.signals()
    assert (partial["size"], partial["complete"], partial["trigger"]) == ("0.4", False, "timeout")
    assert (final["size"], final["complete"], final["trigger"]) == ("0.6", True, "status")


def test_wallet_with_timeout_zero_gets_a_signal_for_every_fill_and_leg() -> None:
    desk = Desk(order_timeout_s=0)
    desk.fill(sz="0.4", tid=1)
    desk.fill(sz="0.6", tid=2, start_position="0.4")
    assert [signal["size"] for signal in desk.signals()] == ["0.4", "0.6"]
    desk.status()
    assert len(desk.signals()) == 2


def test_liquidation_closes_one_second_after_its_last_fill() -> None:
    desk = Desk()
    fields = {"side": SELL, "dir": "Liquidated Cross Long", "hash": "0x0"}
    desk.fill(sz="1", start_position="2", tid=1, **fields)
    desk.wait(0.5)
    desk.fill(sz="1", start_position="1", tid=2, **fields)
    desk.wait(0.5)
    assert desk.signals() == []
    desk.wait(1)
    (signal,) = desk.signals()
    assert (signal["kind"], signal["size"], signal["close_rate"], signal["complete"]) == ("liquidation", "2", "1", True)
    assert signal["oid"] < 0
    rows = [row for batch in desk.batches for unit in batch.units for row in unit.rows]
    assert [(row.order_status, row.finished) for row in rows] == [("open", False), ("filled", True)]


def test_status_for_the_id_of_a_liquidation_is_no_order() -> None:
    for status_first in (True, False):
        desk = Desk()
        if status_first:
            desk.status(oid=9, orig_sz="2")
        desk.fill(sz="2", start_position="2", oid=9, side=SELL, dir="Liquidated Cross Long")
        if not status_first:
            desk.status(oid=9, orig_sz="2")
        desk.wait(15)
        assert [signal["kind"] for signal in desk.signals()] == ["liquidation"]
        assert [gap for batch in desk.batches for gap in batch.gaps] == []


def test_status_for_the_id_of_a_liquidation_that_is_told_already_is_taken_back() -> None:
    desk = Desk()
    liquidation = {"sz": "2", "start_position": "2", "oid": 9, "side": SELL, "dir": "Liquidated Cross Long"}
    desk.fill(**liquidation)
    desk.wait(2)
    # A new owner knows the fill's identity, not the order id that it came with.
    desk.partition.wallet(WHALE).system_oids.clear()
    desk.status(oid=9, orig_sz="2")
    desk.wait(2)
    desk.fill(**liquidation)
    desk.wait(15)
    assert [signal["kind"] for signal in desk.signals()] == ["liquidation"]
    assert [gap for batch in desk.batches for gap in batch.gaps] == []


def test_maker_hit_by_a_twap_slice_belongs_to_its_own_order() -> None:
    desk = Desk()
    desk.fill(sz="0.4", tid=1, hash="0x" + "0" * 64, crossed=False)
    desk.fill(sz="0.6", tid=2, start_position="0.4", crossed=False)
    desk.status()
    (signal,) = desk.signals()
    assert (signal["kind"], signal["fills"], signal["oid"]) == ("order", 2, 1)


def test_twap_is_one_order_whatever_its_slices_are_called() -> None:
    desk = Desk()
    twap = {"twap_id": 77, "feed": events_pb2.FEED_USER_TWAP_SLICE_FILLS}
    desk.fill(sz="0.5", oid=10, tid=1, **twap)
    desk.fill(sz="0.5", oid=11, tid=2, start_position="0.5", time_ms=START_MS + 30_000, **twap)
    desk.status(oid=0, twap_id=77, status="finished", orig_sz="1")
    (signal,) = desk.signals()
    assert (signal["kind"], signal["twap_id"], signal["fills"], signal["feed"]) == ("twap", 77, 2, "userTwapSliceFills")


def test_unknown_dir_and_status_pass_as_unknown() -> None:
    desk = Desk()
    desk.fill(dir="Teleported Long")
    desk.status(status="vanished")
    (signal,) = desk.signals()
    assert (signal["kind"], signal["status"], signal["size"]) == ("unknown", "vanished", "1")


def test_fills_before_the_watch_are_summed_but_not_told() -> None:
    desk = Desk(watch_from_ms=START_MS)
    desk.fill(sz="0.4", tid=1, time_ms=START_MS - 5)
    desk.fill(sz="0.6", tid=2, start_position="0.4")
    desk.status()
    desk.fill(sz="0.4", tid=1, time_ms=START_MS - 5)
    (signal,) = desk.signals()
    assert (signal["size"], signal["complete"], signal["start_position"]) == ("0.6", True, "0.4")


def test_kind_does_not_hang_on_whether_a_fill_before_the_watch_came_first_or_last() -> None:
    seen = []
    early = {"sz": "0.4", "tid": 1, "time_ms": START_MS - 5, "dir": "Teleported Long"}
    late = {"sz": "0.6", "tid": 2, "start_position": "0.4"}
    for fills in ([early, late], [late, early]):
        desk = Desk(watch_from_ms=START_MS)
        desk.status()
        for fields in fills:
            desk.fill(**fields)
        seen += [(signal["kind"], signal["size"]) for signal in desk.signals()]
    assert seen == [("unknown", "0.6"), ("unknown", "0.6")]


def test_timers_stand_still_while_a_wallet_catches_up() -> None:
    desk = Desk()
    desk.fill(sz="0.4")
    desk.status()
    desk.partition.gap(
        events_pb2.Gap(
            address=desk.partition.wallets.copy().popitem()[0],
            feed=events_pb2.FEED_USER_FILLS,
            from_ms=1,
            reason="reconnect",
        ),
        desk.now,
    )
    desk.wait(30)
    assert desk.signals() == []
    desk.wait(31)
    assert [signal["complete"] for signal in desk.signals()] == [False]


def test_removed_wallet_is_flushed_at_the_end_of_its_grace() -> None:
    desk = Desk(order_timeout_s=900)
    desk.fill(sz="0.4")
    desk.watch(removed_at_ms=int(desk.now_s * 1000))
    desk.wait(299)
    assert desk.signals() == []
    desk.wait(2)
    assert [signal["trigger"] for signal in desk.signals()] == ["removal"]


def test_numbers_are_dense_over_orders() -> None:
    desk = Desk()
    for oid in range(1, 6):
        desk.fill(oid=oid, tid=oid, sz="2", start_position="-1", dir="Short > Long")
        desk.status(oid=oid, orig_sz="2")
    assert [signal["number"] for signal in desk.signals()] == list(range(1, 11))


def test_same_signals_for_any_order_of_fills_within_a_millisecond() -> None:
    fields = [
        {"sz": "1", "tid": 9, "start_position": "0"},
        {"sz": "2", "tid": 3, "start_position": "1"},
        {"sz": "3", "tid": 5, "start_position": "3"},
    ]
    seen = set()
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        desk = Desk()
        for index in order:
            desk.fill(**fields[index])
        desk.status(orig_sz="6")
        (signal,) = desk.signals()
        seen.add((signal["id"], signal["start_position"], signal["end_position"]))
    assert seen == {(f"{desk.rows[0].address}:BTC:1:open:{START_MS}-9", "0", "6")}
