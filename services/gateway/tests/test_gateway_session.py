"""What is told of one wallet: opened, resumed, caught up, lost, full."""

from collections.abc import Iterable

from hlmonitor.domain.addresses import Address
from hlmonitor.gateway.core.connection import subscriptions_of
from hlmonitor.gateway.core.feeds import FEEDS, Catchup
from hlmonitor.gateway.core.session import Session, SessionLimits
from hlmonitor.gateway.core.window import Window
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.v1 import ingest_pb2
from hlmonitor.venue.core import frames, wire

ADDRESS = Address("0x" + "ab" * 20)
FILLS, SLICES = FEEDS


def fill(time: int, oid: int = 1, tid: int = 1) -> wire.Fill:
    return wire.Fill(
        coin="BTC", px="1.50", sz="2", side="B", time=time, start_position="0.0", dir="Open Long", oid=oid, tid=tid
    )


def mode(abstraction: str, user: str = ADDRESS) -> frames.AccountMode:
    return frames.AccountMode(user, abstraction)


def fills(*rows: wire.Fill, snapshot: bool = False, user: str = ADDRESS) -> frames.UserFills:
    return frames.UserFills(channel="userFills", user=user, is_snapshot=snapshot, rows=list(rows))


def slices(*rows: wire.TwapSliceFill, snapshot: bool = False) -> frames.TwapSliceFills:
    return frames.TwapSliceFills(channel="userTwapSliceFills", user=ADDRESS, is_snapshot=snapshot, rows=list(rows))


def update(oid: int, status: str = "filled") -> wire.OrderUpdate:
    order = wire.Order(coin="BTC", side="A", limit_px="1", sz="0.5", oid=oid, timestamp=1, orig_sz="2")
    return wire.OrderUpdate(order=order, status=status, status_timestamp=3)


class Wallet:
    """A session, and what it told since the last look."""

    def __init__(self, most: int = 100) -> None:
        self.window = Window(most, most)
        self.session = Session(ADDRESS, self.window, SessionLimits(10, 15))
        self.now = 0.0
        self.connection = self.session.connect()

    def told(self) -> list[pb.Event]:
        return self.window.take(range(64), 1000)

    def kinds(self) -> list[str | None]:
        return [event.WhichOneof("event") for event in self.told()]

    def acknowledge_all(self) -> None:
        self.told()
        for partition in range(64):
            self.window.acknowledge(partition, 10**9)

    def sees(self, *received: frames.Frame) -> None:
        for frame in received:
            self.session.frame(self.connection, frame, self.now, 1000)

    def open(self, *rows: wire.Fill) -> None:
        self.session.acknowledged(self.connection, self.now, 1000)
        self.sees(fills(*rows, snapshot=True), slices(snapshot=True))

    def lose(self, reason: str = "closed") -> None:
        """The connection ends, and another one is opened."""
        self.session.lost(self.connection, reason, self.now, 2000)
        self.connection = self.session.connect()

    def resume(
        self,
        feed: pb.Feed.ValueType = FILLS,
        watermark_ms: int = 50,
        oids: Iterable[int] = (),
        gap_ms: int | None = None,
    ) -> object:
        gaps = [] if gap_ms is None else [ingest_pb2.OpenGap(from_ms=gap_ms)]
        resume = ingest_pb2.Resume(address=ADDRESS, feed=feed, watermark_ms=watermark_ms, gaps=gaps, open_oids=oids)
        return self.session.resume(resume, 1000)


def test_everything_is_subscribed_for_one_user() -> None:
    assert {subscription.user for subscription in subscriptions_of(ADDRESS)} == {ADDRESS}
    assert len(subscriptions_of(ADDRESS)) == 7


def test_ends_of_orders_are_listened_to_before_fills_or_one_between_the_two_would_go_unheard() -> None:
    kinds = [subscription.type for subscription in subscriptions_of(ADDRESS)]
    assert kinds.index("orderUpdates") < min(kinds.index("userFills"), kinds.index("userTwapSliceFills"))


def test_opened_is_told_after_all_acknowledgements_and_first_snapshots() -> None:
    wallet = Wallet()
    wallet.sees(fills(fill(10), snapshot=True))
    wallet.session.acknowledged(wallet.connection, 0, 1000)
    assert wallet.kinds() == ["fill"]
    wallet.sees(slices(snapshot=True))
    assert wallet.kinds() == ["opened"]


def test_a_snapshot_that_never_comes_is_not_waited_for_longer_than_its_timeout() -> None:
    wallet = Wallet()
    wallet.session.acknowledged(wallet.connection, 0, 1000)
    wallet.session.tick(9, 1000)
    assert wallet.kinds() == []
    wallet.session.tick(11, 1000)
    assert wallet.kinds() == ["opened"]
    work = wallet.session.resume(ingest_pb2.Resume(address=ADDRESS, feed=FILLS, watermark_ms=5), 1000)
    assert work is not None
    assert work.reads_rows


def test_a_fill_keeps_every_field_as_the_venue_wrote_it() -> None:
    wallet = Wallet()
    row = wire.Fill(
        coin="xyz:CL", px="80.3660", sz="3.732", side="A", time=9, start_position="-1.0", dir="New Dir", oid=5, tid=7,
        closed_pnl="0.10", hash="0x1", crossed=True, fee="-0.01", fee_token="UP", cloid="0x2", builder_fee="0.001",
        liquidation=wire.Liquidation(mark_px="80", method="market"),
    )  # fmt: skip
    wallet.sees(fills(row))
    (event,) = wallet.told()
    told = pb.Fill.FromString(event.fill)
    assert told == pb.Fill(
        address=ADDRESS, coin="xyz:CL", px="80.3660", sz="3.732", side=pb.SIDE_SELL, time_ms=9, start_position="-1.0",
        dir="New Dir", oid=5, tid=7, closed_pnl="0.10", hash="0x1", crossed=True, fee="-0.01", fee_token="UP",
        cloid="0x2", builder_fee="0.001", liquidation=pb.Liquidation(mark_px="80", method="market"), feed=FILLS,
    )  # fmt: skip
    assert not told.liquidation.HasField("liquidated_user")
    assert not told.replayed


def test_snapshot_rows_are_replayed_and_slices_carry_their_twap() -> None:
    wallet = Wallet()
    wallet.sees(slices(wire.TwapSliceFill(fill=fill(10), twap_id=42), snapshot=True))
    told = pb.Fill.FromString(wallet.told()[0].fill)
    assert (told.replayed, told.twap_id, told.feed) == (True, 42, SLICES)


def test_another_users_frame_is_left_out() -> None:
    wallet = Wallet()
    wallet.sees(fills(fill(1), user="0x" + "cd" * 20))
    assert wallet.told() == []


def test_a_number_beyond_64_bits_costs_only_its_row() -> None:
    wallet = Wallet()
    wallet.sees(fills(fill(1, oid=2**70), fill(2)))
    assert len(wallet.told()) == 1
    assert len(wallet.session.rejected) == 1


def test_a_status_is_attributed_and_unknown_ones_pass() -> None:
    wallet = Wallet()
    wallet.sees(frames.OrderUpdates(channel="orderUpdates", rows=[update(5, "neverSeenCanceled")]))
    told = wallet.told()[0].order_status
    assert (told.address, told.oid, told.status) == (ADDRESS, 5, "neverSeenCanceled")
    assert (told.orig_sz, told.remaining_sz, told.side, told.status_time_ms) == ("2", "0.5", pb.SIDE_SELL, 3)


def test_the_end_of_a_twap_is_a_status_and_its_activation_is_not() -> None:
    wallet = Wallet()
    state = wire.TwapState(coin="BTC", side="B", sz="1.0", executed_sz="0.25", timestamp=7)
    rows = [
        wire.TwapHistoryRow(time=12, state=state, status=wire.TwapStatus(status=status), twap_id=42)
        for status in ("activated", "waitingForTrigger", "terminated")
    ]
    wallet.sees(frames.TwapHistory(channel="userTwapHistory", user=ADDRESS, rows=rows))
    (event,) = wallet.told()
    told = event.order_status
    assert (told.twap_id, told.oid, told.status, told.status_time_ms) == (42, 0, "terminated", 12_000)
    assert (told.orig_sz, told.remaining_sz) == ("1.0", "0.75")


def test_a_snapshot_older_than_the_watermark_proves_the_stretch() -> None:
    wallet = Wallet()
    wallet.open(fill(49), fill(69))
    wallet.told()
    assert wallet.resume(watermark_ms=70) is None
    told = wallet.told()[0].caught_up
    assert (told.feed, told.from_ms, told.through_ms) == (FILLS, 70, 70)


def test_a_snapshot_that_begins_at_the_watermark_proves_nothing() -> None:
    wallet = Wallet()
    wallet.open(fill(50))
    work = wallet.session.resume(ingest_pb2.Resume(address=ADDRESS, feed=FILLS, watermark_ms=50), 1000)
    assert work is not None
    assert (work.reads_rows, work.from_ms, work.to_ms) == (True, 50, None)


def test_an_open_gap_is_read_from_its_start() -> None:
    wallet = Wallet()
    wallet.open(fill(49))
    work = wallet.session.resume(
        ingest_pb2.Resume(address=ADDRESS, feed=FILLS, watermark_ms=60, gaps=[ingest_pb2.OpenGap(from_ms=40)]), 1000
    )
    assert work is not None
    assert (work.reads_rows, work.from_ms) == (True, 40)


def test_statuses_of_open_and_replayed_orders_are_read_again_because_they_have_no_snapshot() -> None:
    wallet = Wallet()
    wallet.open(fill(40, oid=4), fill(60, oid=6))
    resume = ingest_pb2.Resume(address=ADDRESS, feed=FILLS, watermark_ms=50, open_oids=[9, -3])
    work = wallet.session.resume(resume, 1000)
    assert work is not None
    assert (work.reads_rows, work.oids) == (False, (6, 9))


def test_a_lost_connection_is_a_gap_from_the_last_row_and_voids_the_work() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    work = wallet.session.resume(ingest_pb2.Resume(address=ADDRESS, feed=SLICES, watermark_ms=50), 1000)
    assert work is not None
    wallet.sees(fills(fill(80)))
    wallet.told()
    wallet.lose()
    gaps = [event.gap for event in wallet.told()]
    assert [(gap.feed, gap.from_ms, gap.reason) for gap in gaps if gap.feed == FILLS] == [(FILLS, 80, "closed")]
    assert not gaps[0].HasField("to_ms")
    assert wallet.session.is_void(work)


def test_a_gap_is_told_once_until_it_is_caught_up() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    wallet.lose()
    assert wallet.kinds().count("gap") == 2
    wallet.open(fill(40))
    wallet.lose()
    assert wallet.kinds().count("gap") == 0
    wallet.open(fill(40))
    wallet.resume()
    assert not wallet.session.is_caught_up
    wallet.session.caught_up(SLICES, 0, 90, 1000)
    wallet.lose()
    assert [event.gap.from_ms for event in wallet.told() if event.HasField("gap")] == [50, 90]


def test_an_answer_to_an_older_opening_does_not_hide_the_gap_that_was_told_since() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    wallet.lose()
    wallet.open()
    assert wallet.resume(watermark_ms=60) is not None
    work = wallet.session.resume(
        ingest_pb2.Resume(
            address=ADDRESS, feed=FILLS, watermark_ms=60, gaps=[ingest_pb2.OpenGap(from_ms=40, reason="closed")]
        ),
        1000,
    )
    assert work is not None
    assert work.from_ms == 40
    assert wallet.resume(watermark_ms=60, gap_ms=40) is None


def test_a_second_answer_to_an_opening_has_only_the_ends_of_orders_asked_for_that_the_first_did_not_name() -> None:
    wallet = Wallet()
    wallet.open(fill(60))
    wallet.resume(watermark_ms=50, oids=[7])
    work = wallet.resume(watermark_ms=50, oids=[7, 8, -9])
    assert isinstance(work, Catchup)
    assert (work.oids, work.reads_rows, work.generation) == ((8,), False, None)
    assert wallet.resume(watermark_ms=50, oids=[7, 8]) is None
    assert wallet.resume(SLICES, watermark_ms=50) is not None
    assert wallet.resume(SLICES, watermark_ms=50, oids=[8]) is None


def test_an_attempt_that_never_opened_is_no_gap() -> None:
    wallet = Wallet()
    wallet.lose("cannot_open")
    assert wallet.told() == []


def test_a_full_window_is_a_gap_and_the_wallet_is_taken_up_again_when_there_is_room() -> None:
    wallet = Wallet(most=4)
    wallet.open(fill(10))
    wallet.resume()
    wallet.resume(SLICES)
    wallet.sees(*(fills(fill(time, tid=time)) for time in (20, 30, 40, 50)))
    assert not wallet.session.is_keeping
    told = wallet.told()
    assert [event.gap.reason for event in told if event.HasField("gap")] == ["window_full", "window_full"]
    kept = [pb.Fill.FromString(event.fill).time_ms for event in told if event.HasField("fill")]
    assert kept == [10, 20]
    # The slices' feed showed nothing yet, so the venue's clock as last seen stands in for its last row.
    gaps = {event.gap.feed: event.gap.from_ms for event in told if event.HasField("gap")}
    assert gaps == {FILLS: 30, SLICES: 20}
    wallet.session.tick(1, 1000)
    assert not wallet.session.is_keeping
    wallet.acknowledge_all()
    wallet.session.tick(2, 1000)
    assert wallet.session.is_keeping
    assert wallet.kinds() == ["opened"]
    work = wallet.session.resume(ingest_pb2.Resume(address=ADDRESS, feed=FILLS, watermark_ms=15), 1000)
    assert work is not None
    assert work.reads_rows


def test_a_full_window_cuts_no_frame_of_fills_in_two() -> None:
    wallet = Wallet(most=4)
    wallet.open(fill(10))
    wallet.resume()
    wallet.resume(SLICES)
    liquidated = [fill(20, tid=tid) for tid in range(1, 6)]
    wallet.sees(fills(*liquidated), fills(fill(30, tid=6), fill(30, tid=7)))
    told = wallet.told()
    kept = [pb.Fill.FromString(event.fill).time_ms for event in told if event.HasField("fill")]
    assert kept == [10] + [20] * len(liquidated)
    assert {event.gap.feed: event.gap.from_ms for event in told if event.HasField("gap")}[FILLS] == 30


def test_account_states_without_room_are_left_out_and_are_no_gap() -> None:
    wallet = Wallet(most=1)
    state = wire.ClearinghouseState(margin_summary=wire.MarginSummary(), asset_positions=[], time=5)
    wallet.sees(*[frames.PerpStates(ADDRESS, [("", state)])] * 3)
    assert wallet.kinds() == ["account_snapshot"]
    assert wallet.session.is_keeping


def test_an_unanswered_opened_is_told_again() -> None:
    wallet = Wallet()
    wallet.open(fill(10))
    wallet.resume()
    wallet.told()
    wallet.session.tick(14, 1000)
    assert wallet.kinds() == []
    wallet.session.tick(16, 1000)
    assert wallet.kinds() == ["opened"]


def test_work_that_was_given_up_is_asked_for_again() -> None:
    wallet = Wallet()
    wallet.open()
    work = wallet.session.resume(ingest_pb2.Resume(address=ADDRESS, feed=FILLS, watermark_ms=5), 1000)
    assert work is not None
    wallet.session.gave_up(work)
    wallet.told()
    wallet.session.tick(16, 1000)
    assert wallet.kinds() == ["opened"]


def test_a_covered_stretch_is_not_told_while_it_would_close_an_open_gap() -> None:
    wallet = Wallet()
    wallet.open(fill(10))
    wallet.resume(watermark_ms=50)
    wallet.told()
    wallet.session.covered(FILLS, 5, 9, 1000)
    assert wallet.kinds() == ["caught_up"]
    wallet.lose()
    wallet.told()
    wallet.session.covered(FILLS, 5, 9, 1000)
    assert wallet.kinds() == []


def test_a_new_aggregator_is_told_what_was_forwarded_without_reading_it_again() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    wallet.resume(watermark_ms=50)
    wallet.session.caught_up(SLICES, 45, 50, 1000)
    wallet.sees(fills(fill(90)))
    wallet.told()
    wallet.session.reopen(1, 1000)
    assert wallet.kinds() == ["opened"]
    assert wallet.resume(watermark_ms=60, oids=[7]) is None
    told = wallet.told()[0].caught_up
    # That the stream showed nothing else until 90 is no proof, so the watermark stays.
    assert (told.from_ms, told.through_ms) == (60, 60)


def test_a_gap_that_a_new_aggregator_knows_of_is_read_though_the_stream_never_broke() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    wallet.resume(watermark_ms=50)
    wallet.session.reopen(1, 1000)
    work = wallet.resume(watermark_ms=60, gap_ms=55)
    assert isinstance(work, Catchup)
    assert (work.reads_rows, work.from_ms) == (True, 55)


def test_what_rest_has_shown_is_proven_to_the_next_aggregator() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    wallet.resume(watermark_ms=50)
    wallet.session.covered(FILLS, 50, 95, 1000)
    wallet.told()
    wallet.session.reopen(1, 1000)
    assert wallet.resume(watermark_ms=60) is None
    told = next(event.caught_up for event in wallet.told() if event.HasField("caught_up"))
    assert (told.from_ms, told.through_ms) == (60, 95)


def test_ends_of_orders_are_looked_for_since_the_wallet_was_taken_up_until_they_were_heard() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    wallet.resume(watermark_ms=50)
    assert wallet.session.ends_heard_through_ms(80) == 50
    wallet.session.heard_ends(70)
    assert wallet.session.ends_heard_through_ms(80) == 70


def test_a_new_aggregator_that_knows_less_than_was_covered_has_it_read() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    wallet.resume(watermark_ms=50)
    wallet.session.reopen(1, 1000)
    work = wallet.session.resume(ingest_pb2.Resume(address=ADDRESS, feed=FILLS, watermark_ms=49), 1000)
    assert work is not None
    assert (work.reads_rows, work.from_ms) == (True, 49)


def test_a_wallet_is_caught_up_when_what_had_to_be_read_was_read_and_not_before() -> None:
    wallet = Wallet()
    wallet.open(fill(50))
    wallet.resume(SLICES, watermark_ms=50)
    assert isinstance(wallet.resume(watermark_ms=50), Catchup)
    wallet.session.caught_up(SLICES, 50, 60, 1000)
    assert not wallet.session.is_caught_up
    wallet.session.caught_up(FILLS, 50, 60, 1000)
    assert wallet.session.is_caught_up


def test_a_wallet_without_connection_is_not_introduced() -> None:
    wallet = Wallet()
    wallet.session.reopen(1, 1000)
    assert wallet.told() == []


def test_the_wallets_account_mode_is_told_and_nobody_elses() -> None:
    wallet = Wallet()
    wallet.sees(mode("unifiedAccount"), mode("portfolioMargin", user="0x" + "cd" * 20))
    assert [event.account_snapshot.abstraction for event in wallet.told()] == ["unifiedAccount"]


class Moving(Wallet):
    """A live wallet of which a second connection is being opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open(fill(49), fill(69, tid=2))
        self.resume(watermark_ms=70)
        self.resume(SLICES, watermark_ms=70)
        self.session.caught_up(SLICES, 70, 70, 1000)
        self.first, self.connection = self.connection, self.session.connect()
        self.told()

    def fills_told(self) -> list[int]:
        return [pb.Fill.FromString(event.fill).tid for event in self.told() if event.HasField("fill")]

    def move(self) -> None:
        """The second connection is whole, for long enough, and the first one is closed."""
        self.open(fill(69, tid=2))
        self.now += self.session.limits.overlap_s
        assert self.session.is_relieved(self.first, self.now)
        self.session.lost(self.first, "rotated", self.now, 2000)


def test_frames_of_both_connections_are_forwarded_and_what_was_told_is_left_out_of_the_second_snapshot() -> None:
    wallet = Moving()
    wallet.sees(fills(fill(49), fill(69, tid=2), fill(80, tid=3), snapshot=True))
    wallet.session.frame(wallet.first, fills(fill(80, tid=3)), 0, 1000)
    wallet.sees(fills(fill(90, tid=4)))
    assert wallet.fills_told() == [3, 3, 4]


def test_a_second_connection_takes_the_first_ones_place_without_a_word() -> None:
    wallet = Moving()
    wallet.move()
    assert wallet.told() == []
    assert wallet.session.is_caught_up
    wallet.sees(fills(fill(99, tid=9)))
    assert wallet.fills_told() == [9]
    wallet.lose()
    assert {event.gap.reason for event in wallet.told()} == {"closed"}


def test_a_second_connection_relieves_the_first_only_when_it_has_shown_everything_for_a_while() -> None:
    wallet = Moving()
    wallet.session.acknowledged(wallet.connection, 0, 1000)
    wallet.sees(fills(snapshot=True))
    assert not wallet.session.is_relieved(wallet.first, 100)
    wallet.sees(slices(snapshot=True))
    assert not wallet.session.is_relieved(wallet.first, 1.9)
    assert wallet.session.is_relieved(wallet.first, 2.0)
    assert not wallet.session.is_relieved(wallet.connection, 0)


def test_a_second_connection_that_ends_first_changes_nothing() -> None:
    wallet = Moving()
    wallet.open()
    wallet.told()
    wallet.lose()
    assert wallet.told() == []
    assert wallet.session.is_caught_up


def test_when_the_first_ends_before_the_second_is_whole_there_is_a_gap_from_what_the_first_showed() -> None:
    wallet = Moving()
    wallet.sees(fills(fill(95, tid=7), snapshot=True))
    wallet.told()
    wallet.session.lost(wallet.first, "closed", 1, 2000)
    gaps = {event.gap.feed: event.gap.from_ms for event in wallet.told()}
    assert gaps == {FILLS: 70, SLICES: 70}
    wallet.session.acknowledged(wallet.connection, 1, 1000)
    wallet.sees(slices(snapshot=True))
    assert wallet.kinds() == ["opened"]


def test_when_the_first_ends_just_after_the_second_is_whole_the_wallet_is_opened_by_the_second() -> None:
    wallet = Moving()
    wallet.open(fill(69), fill(95, tid=7))
    wallet.told()
    wallet.session.lost(wallet.first, "closed", 1, 2000)
    assert wallet.kinds() == ["gap", "gap", "opened"]
    work = wallet.session.resume(ingest_pb2.Resume(address=ADDRESS, feed=FILLS, watermark_ms=70), 1000)
    assert work is not None
    # Its snapshot reaches back far enough for the rows; statuses have no snapshot.
    assert (work.reads_rows, work.oids) == (False, (1,))


def test_work_goes_on_while_a_connection_is_replaced_and_ends_with_a_gap() -> None:
    wallet = Moving()
    wallet.session.reopen(0, 1000)
    work = wallet.session.resume(ingest_pb2.Resume(address=ADDRESS, feed=FILLS, watermark_ms=5), 1000)
    assert work is not None
    wallet.move()
    assert not wallet.session.is_void(work)
    wallet.lose()
    assert wallet.session.is_void(work)


def test_a_wallet_that_is_let_go_is_told_and_late_frames_do_not_open_it_again() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    wallet.told()
    wallet.session.stopping(2000, gap="no_slot")
    assert wallet.kinds() == ["gap", "gap", "closed"]
    wallet.open(fill(50))
    assert "opened" not in wallet.kinds()


def test_a_wallet_that_another_gateway_has_is_let_go_without_a_gap() -> None:
    wallet = Wallet()
    wallet.open(fill(40))
    wallet.told()
    wallet.session.stopping(2000, gap=None)
    assert wallet.kinds() == ["closed"]
