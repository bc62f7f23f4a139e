"""What each feed begins with, and on which beat it goes on (facts 1.5, 1.8)."""

import json
import zlib
from base64 import b64decode
from decimal import Decimal
from typing import Any

from venue_frames import parse

from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.faults import FaultBoard
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.orders import Side, Tif
from hlmonitor.simulator.core.outcomes import OutcomeSpec, Question
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.io.clock import TimeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.server import Simulator
from hlmonitor.simulator.testing import GENESIS_MS, request, wallet
from hlmonitor.simulator.wire.feeds import FeedConfig
from hlmonitor.simulator.wire.frames import Frame
from hlmonitor.simulator.wire.subscriptions import SPECS, Subscription, normalise

A, B = wallet(0xA), wallet(0xB)
BLOCK_MS = 500


class Stage:
    """A market without agents, and somebody who hears everything that was subscribed to, with its block time."""

    def __init__(self, feeds: FeedConfig | None = None) -> None:
        market = MarketConfig(ExchangeConfig(block_ms=BLOCK_MS), agents=False)
        config = ServerConfig(time=TimeConfig(speed=0, genesis_ms=GENESIS_MS), feeds=feeds or FeedConfig())
        self.simulator = Simulator(market, config, seed=1)
        self.heard: list[tuple[int, dict[str, Any]]] = []
        self.block(lambda exchange: [exchange.deposit(address, Decimal(1_000_000)) for address in (A, B)])

    def send(self, frame: Frame, _faults: FaultBoard, _now_ms: int, _about: Subscription) -> None:
        parse(frame.data)
        self.heard.append((self.simulator.market.exchange.state.now_ms, json.loads(frame.data)))

    def subscribe(self, kind: str, **fields: object) -> Any:  # noqa: ANN401 any JSON
        """Subscribe; return the data of the first frame, None if the feed starts in silence."""
        universe = self.simulator.market.exchange.state.universe
        self.simulator.hub.add(self, normalise({"type": kind, **fields}, universe), self.simulator.faults)
        heard, self.heard = self.heard, []
        return heard[0][1]["data"] if heard else None

    def block(self, action: Any = lambda _: None) -> list[Any]:  # noqa: ANN401 what it returns is not used
        """Make a block with an action; return the data of the frames that it sent."""
        self.simulator._commands.append(action)
        self.simulator.step(self.simulator.clock.next_ms())
        heard, self.heard = self.heard, []
        return [frame["data"] for _, frame in heard]

    def beats(self, seconds: int) -> list[int]:
        """Return after how many milliseconds frames came, over a time in which nothing happens."""
        start = self.simulator.market.exchange.state.now_ms
        for _ in range(seconds * 1_000 // BLOCK_MS):
            self.simulator.step(self.simulator.clock.next_ms())
        heard, self.heard = self.heard, []
        return [time_ms - start for time_ms, _ in heard]


def trade(sz: str = "1", px: str = "66650") -> Any:  # noqa: ANN401 an action
    def run(exchange: Exchange) -> None:
        exchange.place(B, request(Side.SELL, sz, px))
        exchange.place(A, request(Side.BUY, sz, px, tif=Tif.IOC))

    return run


def test_feeds_of_events_start_in_silence_whatever_happened_before() -> None:
    stage = Stage()
    stage.block(trade())
    for kind in ("orderUpdates", "userEvents", "notification"):
        assert stage.subscribe(kind, user=A) is None


def test_feeds_of_rows_start_with_a_flagged_snapshot_and_go_on_without_the_flag() -> None:
    stage = Stage()
    stage.block(trade())
    names = {"userFills": "fills", "userHistoricalOrders": "orderHistory", "userFundings": "fundings"}
    names |= {"userTwapSliceFills": "twapSliceFills", "userTwapHistory": "history"}
    for kind, rows in names.items():
        first = stage.subscribe(kind, user=A)
        assert (first["isSnapshot"], first["user"], list(first)[2]) == (True, A, rows)
    assert all("isSnapshot" not in data for data in stage.block(trade()))


def test_the_ledger_snapshot_is_the_whole_history() -> None:
    stage = Stage(FeedConfig(snapshot_rows=1))
    for _ in range(5):
        stage.block(lambda exchange: exchange.deposit(A, Decimal(7)))
    first = stage.subscribe("userNonFundingLedgerUpdates", user=A)
    assert [row["delta"]["usdc"] for row in first["nonFundingLedgerUpdates"]] == ["1000000.0"] + ["7.0"] * 5
    (more,) = stage.block(lambda exchange: exchange.deposit(A, Decimal(8)))
    assert [row["delta"] for row in more["nonFundingLedgerUpdates"]] == [{"type": "deposit", "usdc": "8.0"}]


def test_the_backfill_of_trades_is_a_plain_array_of_at_most_thirty() -> None:
    stage = Stage()
    assert stage.subscribe("trades", coin="BTC") is None
    for _ in range(31):
        stage.block(trade())
    backfill = stage.subscribe("trades", coin="BTC")
    assert len(backfill) == 30
    assert all("isSnapshot" not in row for row in backfill)


def test_states_come_again_every_four_and_a_half_seconds_though_nothing_changed() -> None:
    for kind in ("allDexsClearinghouseState", "clearinghouseState", "openOrders", "twapStates"):
        stage = Stage()
        assert stage.subscribe(kind, user=A)
        assert stage.beats(14) == [4_500, 9_000, 13_500]


def test_books_and_mids_have_the_venues_beats() -> None:
    beats: list[tuple[dict[str, Any], list[int]]] = [
        ({"kind": "l2Book", "coin": "BTC"}, [5_000, 10_000]),
        ({"kind": "allMids"}, [5_000, 10_000]),
        ({"kind": "l2Book", "coin": "BTC", "fast": True}, list(range(500, 11_001, 500))),
    ]
    for fields, expected in beats:
        stage = Stage()
        stage.subscribe(**fields)
        assert stage.beats(11) == expected


def test_a_fast_book_has_five_levels_and_an_ordinary_one_twenty() -> None:
    stage = Stage()
    prices = [str(60_000 + number) for number in range(25)]
    stage.block(lambda exchange: exchange.place(A, *[request(Side.BUY, "0.01", px) for px in prices]))
    assert len(stage.subscribe("l2Book", coin="BTC")["levels"][0]) == 20
    fast = stage.subscribe("l2Book", coin="BTC", fast=True)
    assert [level["px"] for level in fast["levels"][0]] == [f"{60_024 - number}.0" for number in range(5)]
    coarse = stage.subscribe("l2Book", coin="BTC", nSigFigs=4)
    assert coarse["levels"][0][:2] == [{"px": "60020.0", "sz": "0.05", "n": 5}, {"px": "60010.0", "sz": "0.1", "n": 10}]


def test_the_best_prices_come_in_each_block_that_changed_them_and_in_no_other() -> None:
    stage = Stage()
    assert stage.subscribe("bbo", coin="BTC")["bbo"] == [None, None]
    (data,) = stage.block(lambda exchange: exchange.place(A, request(Side.BUY, "1", "60000")))
    assert data["bbo"] == [{"px": "60000.0", "sz": "1.0", "n": 1}, None]
    assert stage.block(lambda exchange: exchange.place(A, request(Side.BUY, "1", "50000"))) == []


def test_a_candle_comes_with_every_trade_and_is_whole() -> None:
    stage = Stage()
    assert stage.subscribe("candle", coin="BTC", interval="1h") is None
    stage.block(trade("1", "66650"))
    (candle,) = stage.block(trade("2", "66660"))
    assert {key: candle[key] for key in "sionhlcv"} == {
        "s": "BTC",
        "i": "1h",
        "o": "66650.0",
        "n": 2,
        "h": "66660.0",
        "l": "66650.0",
        "c": "66660.0",
        "v": "3.0",
    }
    assert candle["T"] - candle["t"] == 3_599_999
    assert stage.subscribe("candle", coin="BTC", interval="1m")["n"] == 2


def test_every_25th_frame_of_all_dexes_lacks_the_main_one() -> None:
    stage = Stage(FeedConfig(lacks_main_every=3))
    frames = [stage.subscribe("allDexsClearinghouseState", user=A)]
    while len(frames) < 6:
        frames += stage.block()
    mains = ["" in dict(frame["clearinghouseStates"]) for frame in frames]
    assert mains == [True, True, False, True, True, False]
    assert FeedConfig().lacks_main_every == 25


def test_contexts_are_sent_when_they_changed() -> None:
    stage = Stage()
    first = stage.subscribe("activeAssetCtx", coin="BTC")
    assert (first["coin"], first["ctx"]["oraclePx"]) == ("BTC", "66650.0")
    assert stage.beats(3) == []
    stage.block(lambda exchange: exchange.set_oracle("BTC", Decimal(70_000)))
    assert stage.beats(3) == [500]
    assert stage.subscribe("activeAssetCtx", coin="@107")["ctx"]["coin"] == "@107"


def packed(data: str) -> Any:  # noqa: ANN401 any JSON
    return json.loads(zlib.decompress(b64decode(data), wbits=-15))


def test_fast_contexts_are_all_coins_first_and_then_only_the_fields_that_changed() -> None:
    stage = Stage()
    first = packed(stage.subscribe("fastAssetCtxs"))
    assert first.keys() == stage.simulator.market.exchange.state.universe.by_coin.keys()
    assert first["BTC"] == {"markPx": "66650.0", "midPx": None}
    assert stage.beats(3) == []
    stage.block(lambda exchange: exchange.set_oracle("BTC", Decimal(70_000)))
    changes = [packed(data) for _ in range(6) for data in stage.block()]
    assert changes == [{"BTC": {"markPx": "70000.0"}}]


def test_the_main_mids_have_those_of_spot_and_other_dexes_name_themselves() -> None:
    stage = Stage()
    main = stage.subscribe("allMids")
    assert list(main) == ["mids"]
    assert {"BTC", "@107", "PURR/USDC"} <= main["mids"].keys()
    other = stage.subscribe("allMids", dex="xyz")
    assert other["dex"] == "xyz"
    assert all(coin.startswith("xyz:") for coin in other["mids"])


def test_running_twaps_show_their_progress_in_states_while_the_history_shows_none() -> None:
    stage = Stage()
    stage.block(lambda exchange: exchange.place(B, request(Side.SELL, "5", "66650")))
    stage.subscribe("userTwapHistory", user=A)
    wanted = TwapRequest("BTC", Side.BUY, Decimal(1), 300_000)
    (history,) = stage.block(lambda exchange: exchange.start_twap(A, wanted))
    assert history["history"][0]["state"]["executedSz"] == "0.0"
    ((_, state),) = stage.subscribe("twapStates", user=A)["states"]
    assert Decimal(state["executedSz"]) > 0
    assert stage.subscribe("twapStates", user=A, dex="xyz")["states"] == []


def test_open_orders_are_those_of_the_dex_or_of_all() -> None:
    stage = Stage()
    stage.block(lambda exchange: exchange.deposit(A, Decimal(1_000), "xyz"))
    stage.block(lambda exchange: exchange.place(A, request(Side.BUY, "1", "60000")))
    stage.block(lambda exchange: exchange.place(A, request(Side.BUY, "1", "60", coin="xyz:CL")))
    coins = {dex: [o["coin"] for o in stage.subscribe("openOrders", user=A, dex=dex)["orders"]] for dex in ("", "xyz")}
    assert coins == {"": ["BTC"], "xyz": ["xyz:CL"]}
    everywhere = stage.subscribe("openOrders", user=A, dex="ALL_DEXS")
    assert [order["coin"] for order in everywhere["orders"]] == ["BTC", "xyz:CL"]
    assert everywhere["orders"][0]["triggerCondition"] == "N/A"


def test_a_changed_status_brings_the_whole_order_as_it_then_was() -> None:
    stage = Stage()
    stage.subscribe("userHistoricalOrders", user=B)
    (data,) = stage.block(trade())
    rows = [(row["status"], row["order"]["sz"], row["order"]["origSz"]) for row in data["orderHistory"]]
    assert rows == [("open", "1.0", "1.0"), ("filled", "0.0", "1.0")]


def test_the_history_of_orders_begins_with_one_row_for_each_change_of_a_status_newest_first() -> None:
    stage = Stage()
    stage.block(trade())
    first = stage.subscribe("userHistoricalOrders", user=B)
    rows = [(row["status"], row["order"]["sz"]) for row in first["orderHistory"]]
    assert rows == [("filled", "0.0"), ("open", "1.0")]


def test_a_cancel_that_nobody_asked_for_is_an_event_and_ones_own_is_not() -> None:
    stage = Stage()
    stage.subscribe("userEvents", user=A)
    orders: list[Any] = []
    stage.block(lambda exchange: orders.extend(exchange.place(A, request(Side.BUY, "1", "60000"))))
    assert stage.block(lambda exchange: exchange.cancel(A, orders[0].oid)) == []
    stage.block(lambda exchange: orders.extend(exchange.place(A, request(Side.BUY, "1", "66650"))))
    events = stage.block(lambda exchange: exchange.place(A, request(Side.SELL, "1", "66650", tif=Tif.IOC)))
    assert [{"coin": "BTC", "oid": orders[1].oid}] in [event.get("nonUserCancel") for event in events]


def test_web_data_3_has_no_positions_and_no_orders() -> None:
    stage = Stage()
    stage.block(trade())
    stage.block(lambda exchange: exchange.set_open_interest_cap("BTC", Decimal(1)))
    data = stage.subscribe("webData3", user=A)
    assert data["userState"] == {
        "agentAddress": None,
        "agentValidUntil": None,
        "cumLedger": "1000000.0",
        "isVault": False,
        "user": A,
        "serverTime": stage.simulator.market.exchange.state.now_ms,
        "abstraction": "disabled",
    }
    dexes = [dex.name for dex in stage.simulator.market.exchange.state.universe.dexes]
    assert data["perpDexStates"][0] == {"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": ["BTC"]}
    assert len(data["perpDexStates"]) == len(dexes)


def test_the_room_to_trade_is_sent_when_it_changed() -> None:
    stage = Stage()
    assert stage.subscribe("activeAssetData", user=A, coin="BTC")["availableToTrade"] == ["1000000.0", "1000000.0"]
    assert stage.beats(3) == []
    stage.block(lambda exchange: exchange.deposit(A, Decimal(5)))
    (data,) = stage.block()
    assert data["availableToTrade"] == ["1000005.0", "1000005.0"]


def test_a_second_listener_does_not_take_a_change_from_the_first() -> None:
    stage = Stage()
    stage.subscribe("activeAssetCtx", coin="BTC")
    stage.block(lambda exchange: exchange.set_oracle("BTC", Decimal(70_000)))
    assert stage.subscribe("activeAssetCtx", coin="BTC")["ctx"]["oraclePx"] == "70000.0"
    (data,) = stage.block()
    assert data["ctx"]["oraclePx"] == "70000.0"


def test_funding_comes_each_hour_on_both_feeds() -> None:
    stage = Stage()
    stage.block(trade())
    stage.subscribe("userFundings", user=A)
    stage.subscribe("userEvents", user=A)
    frames: list[Any] = []
    while not frames:
        frames = stage.block()
    rows = [frame["fundings"][0] if "fundings" in frame else frame["funding"] for frame in frames]
    assert len(rows) == 2
    assert rows[0] == rows[1]
    assert (rows[0]["coin"], rows[0]["szi"], rows[0]["nSamples"]) == ("BTC", "1.0", None)
    assert rows[0]["time"] % 3_600_000 < BLOCK_MS
    assert [row["coin"] for row in stage.subscribe("userFundings", user=A)["fundings"]] == ["BTC"]


def test_a_liquidation_is_an_event_a_notification_and_a_ledger_update() -> None:
    stage = Stage()
    stage.block(lambda exchange: exchange.deposit(A, Decimal(-960_000)))
    stage.block(trade("10"))
    stage.subscribe("userNonFundingLedgerUpdates", user=A)
    for kind in ("userEvents", "notification"):
        stage.subscribe(kind, user=A)
    stage.block(lambda exchange: exchange.place(B, request(Side.BUY, "10", "60000")))
    frames = stage.block(lambda exchange: exchange.set_oracle("BTC", Decimal(62_700)))
    for _ in range(4):
        frames += stage.block()
    liquidations = [frame["liquidation"] for frame in frames if "liquidation" in frame]
    assert liquidations[0]["liquidated_user"] == A
    assert next(frame["notification"] for frame in frames if "notification" in frame) == "Liquidation: BTC"
    deltas = [row["delta"] for frame in frames for row in frame.get("nonFundingLedgerUpdates", ())]
    assert deltas[0]["type"] == "liquidation"
    assert deltas[0]["liquidatedPositions"][0]["coin"] == "BTC"


DOCUMENTED = """
    allMids notification webData3 twapStates clearinghouseState openOrders candle l2Book trades orderUpdates userEvents
    userFills userFundings userNonFundingLedgerUpdates activeAssetCtx activeAssetData userTwapSliceFills userTwapHistory
    bbo spotState allDexsClearinghouseState allDexsAssetCtxs outcomeMetaUpdates fastAssetCtxs
"""


def test_every_documented_type_is_served_and_those_that_work_besides() -> None:
    documented = set(DOCUMENTED.split())
    assert len(documented) == 24
    assert SPECS.keys() == documented | {"assetCtxs", "spotAssetCtxs", "userHistoricalOrders"}


def test_outcomes_tell_when_they_are_listed_and_settled() -> None:
    stage = Stage()
    assert stage.subscribe("outcomeMetaUpdates") is None
    spec = OutcomeSpec(900, "Rain", "Whether it rains", question=90)
    other = OutcomeSpec(901, "Fallback", "", question=90)
    question = Question(90, "Weather", "", fallback=901, named=(900,))
    (listed,) = stage.block(
        lambda exchange: [exchange.outcomes.open(spec), exchange.outcomes.open(other), exchange.outcomes.ask(question)]
    )
    assert [next(iter(update)) for update in listed] == ["outcomeCreated"] * 2 + ["questionUpdated"]
    assert listed[0]["outcomeCreated"]["sideSpecs"] == [{"name": "Yes"}, {"name": "No"}]
    assert stage.subscribe("bbo", coin="#9000")["bbo"] == [None, None]
    frames = stage.block(lambda exchange: exchange.outcome_settler.settle(900, Decimal(1)))
    updates = [update for frame in frames if isinstance(frame, list) for update in frame]
    assert {"outcomeSettled": 900} in updates
    assert {"questionSettled": 90} in updates
