"""The venue: websocket feeds with snapshots, REST over the same ledger, and their troubles.

Frames of one feed come in order; feeds of one connection overtake each other. REST lags behind, and both end.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import httpx
import msgspec
from market import Market, Told
from oracle import Execution, Status, TrueOrder, decimal_text, is_spot
from websockets.exceptions import ConnectionClosedError

from dst.clocks import wall_ms
from dst.loop import NOWHERE, SCOPE, TICK_S, Scope, VirtualLoop

STATES_EVERY_S = 5.0
REST_LAG_S = 1.0
"""REST shows what happened at most this late."""
PAGE_ROWS = 2000

Frame = dict[str, Any]


@dataclass(slots=True)
class Venue:
    """One exchange."""

    loop: VirtualLoop
    chance: random.Random
    snapshot_rows: int
    """Rows of the first frame of a feed of fills."""
    kept_rows: int = 10_000
    """Rows of each feed of a wallet that REST still has."""
    market: Market = field(default_factory=Market)
    is_away: bool = False
    refusing: float = 0.0
    """Chance that REST answers an error."""
    sockets: list["Socket"] = field(default_factory=list)
    slow_feeds_s: float = 0.0
    _told: int = 0
    _times: list[float] = field(default_factory=list)
    """When each thing happened, by the loop's clock."""

    def catch_up_clock(self) -> None:
        """The market's clock is never behind ours."""
        self.market.time_ms = max(self.market.time_ms, wall_ms(self.loop))

    def announce(self) -> None:
        """Push what happened since the last call to everybody who subscribed to it."""
        for told in self.market.told[self._told :]:
            self._times.append(self.loop.now_s)
            for socket in self.sockets:
                socket.push(told)
        self._told = len(self.market.told)

    async def beat(self) -> None:
        """Push account states, for ever."""
        while True:
            await asyncio.sleep(STATES_EVERY_S)
            for socket in self.sockets:
                socket.push_states()

    def go_away(self) -> None:
        """Every connection ends, and no new one comes up."""
        self.is_away = True
        for socket in list(self.sockets):
            socket.end()

    async def connect(self, *_: object, **__: object) -> "Socket":
        """In the place of websockets' `connect`."""
        scope = SCOPE.get()
        assert scope is not None
        await asyncio.sleep(self.chance.uniform(0.001, 0.2))
        if self.is_away or not scope.is_alive:
            raise ConnectionRefusedError("the venue is away")
        socket = Socket(self, scope)
        self.sockets.append(socket)
        return socket

    async def answer(self, body: bytes) -> httpx.Response:
        """In the place of POST /info."""
        await asyncio.sleep(self.chance.uniform(0.002, 0.15))
        if self.is_away:
            raise httpx.ConnectError("the venue is away")
        if self.chance.random() < self.refusing:
            if self.chance.random() < 0.3:
                raise httpx.ReadTimeout("no answer")
            return httpx.Response(self.chance.choice((429, 500, 502)), content=b"busy")
        request = msgspec.json.decode(body)
        content = msgspec.json.encode(self._reply(request))
        await asyncio.sleep(self.chance.uniform(0.0, 0.05))
        return httpx.Response(200, content=content)

    def kept(self, address: str, *, twap: bool, lag_s: float = 0.0) -> list[tuple[TrueOrder, Execution]]:
        """A wallet's fills of one feed that the venue still shows."""
        shown_s = self.loop.now_s - lag_s
        rows = [
            (told.order, told.what)
            for told, at_s in zip(self.market.told, self._times, strict=False)
            if isinstance(told.what, Execution)
            and told.order.address == address
            and (told.order.twap_id is not None) == twap
            and at_s <= shown_s
        ]
        return rows[-self.kept_rows :]

    def _reply(self, request: Mapping[str, Any]) -> object:
        address = request.get("user", "")
        lag_s = self.chance.uniform(0.0, REST_LAG_S)
        match request["type"]:
            case "userFillsByTime":
                return [fill_row(order, one) for order, one in self._page(request, lag_s, twap=False)]
            case "userTwapSliceFillsByTime":
                return [slice_row(order, one) for order, one in self._page(request, lag_s, twap=True)]
            case "twapHistory":
                return [twap_row(order) for order in self.twaps(address)]
            case "orderStatus":
                order = next(
                    (one for one in self.market.orders if one.oid == request["oid"] and _has_status(one)), None
                )
                return {"status": "unknownOid"} if order is None else {"status": "order", "order": _last_update(order)}
            case "historicalOrders":
                return [_last_update(one) for one in self.market.orders if one.address == address and _has_status(one)]
            case kind:
                return METADATA[kind]

    def _page(self, request: Mapping[str, Any], lag_s: float, *, twap: bool) -> list[tuple[TrueOrder, Execution]]:
        end_ms = request.get("endTime", wall_ms(self.loop) + 10**9)
        rows = self.kept(request["user"], twap=twap, lag_s=lag_s)
        return [row for row in rows if request["startTime"] <= row[1].time_ms <= end_ms][:PAGE_ROWS]

    def twaps(self, address: str) -> list[TrueOrder]:
        """TWAPs of a wallet that have ended."""
        return [one for one in self.market.orders if one.twap_id is not None and one.address == address and one.end]


class Socket:
    """In the place of a websocket connection."""

    def __init__(self, venue: Venue, scope: Scope) -> None:
        self.scope = scope
        self._venue = venue
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._users: dict[str, str] = {}
        self._last_s: dict[str, float] = {}
        self._is_over = False

    async def recv(self) -> str:
        """The next frame."""
        text = None if self._is_over and self._queue.empty() else await self._queue.get()
        if text is None:
            self._queue.put_nowait(None)
            raise ConnectionClosedError(None, None)
        return text

    async def send(self, text: str) -> None:
        """A request to the venue."""
        if self._is_over:
            raise ConnectionClosedError(None, None)
        await asyncio.sleep(0)
        after_s = self._venue.chance.uniform(0.001, 0.1)
        self._venue.loop.call_later(after_s, self._take, msgspec.json.decode(text), context=NOWHERE)

    async def close(self) -> None:
        """The client ends it."""
        self.end()

    def end(self) -> None:
        """It is over; what is on its way is lost."""
        if not self._is_over:
            self._is_over = True
            self._venue.sockets.remove(self)
            self._queue.put_nowait(None)

    def push(self, told: Told) -> None:
        """Tell something that happened, if it is subscribed to."""
        order, what = told.order, told.what
        if isinstance(what, Execution):
            channel = "userFills" if order.twap_id is None else "userTwapSliceFills"
            if self._users.get(channel) == order.address:
                self._send(channel, fills_frame(channel, order.address, [(order, what)]))
        elif order.twap_id is not None:
            if self._users.get("userTwapHistory") == order.address and what.is_final:
                self._send("userTwapHistory", _history_frame(order.address, [order]))
        elif self._users.get("orderUpdates") == order.address:
            self._send("orderUpdates", {"channel": "orderUpdates", "data": [update_row(order, what)]})

    def push_states(self) -> None:
        """Tell the account's state, if it is subscribed to."""
        user = self._users.get("allDexsClearinghouseState")
        if user is not None:
            self._send("allDexsClearinghouseState", _states_frame(self._venue, user))

    def _take(self, request: Mapping[str, Any]) -> None:
        if self._is_over:
            return
        if request["method"] == "ping":
            self._send("pong", {"channel": "pong"})
            return
        wanted = request["subscription"]
        channel, user = wanted["type"], wanted.get("user", "")
        self._users[channel] = user
        echo = {"method": "subscribe", "subscription": wanted}
        self._send(channel, {"channel": "subscriptionResponse", "data": echo})
        for frame in _first_frames(self._venue, channel, user):
            self._send(channel, frame)

    def _send(self, channel: str, frame: Frame) -> None:
        venue = self._venue
        slow_s = venue.slow_feeds_s if venue.chance.random() < 0.5 else 0.0
        arrives_s = venue.loop.now_s + venue.chance.uniform(0.001, 0.05) + slow_s
        arrives_s = self._last_s[channel] = max(arrives_s, self._last_s.get(channel, 0.0) + TICK_S)
        text = msgspec.json.encode(frame).decode()
        venue.loop.call_at(arrives_s, self._arrive, text, context=NOWHERE)

    def _arrive(self, text: str) -> None:
        if not self._is_over:
            self._queue.put_nowait(text)


def fill_row(order: TrueOrder, one: Execution) -> Frame:
    """A fill as the venue shows it."""
    row: Frame = {
        "coin": order.coin, "px": decimal_text(one.px), "sz": decimal_text(one.sz), "side": one.side,
        "time": one.time_ms, "startPosition": decimal_text(one.start), "dir": one.dir,
        "closedPnl": decimal_text(one.closed_pnl), "hash": "0x1", "oid": one.oid, "crossed": True,
        "fee": decimal_text(one.fee), "tid": one.tid, "feeToken": "USDC", "twapId": None,
    }  # fmt: skip
    return row if order.cloid is None else row | {"cloid": order.cloid}


def slice_row(order: TrueOrder, one: Execution) -> Frame:
    """A fill of a TWAP."""
    return {"fill": fill_row(order, one), "twapId": order.twap_id}


def fills_frame(
    channel: str, user: str, rows: list[tuple[TrueOrder, Execution]], *, is_snapshot: bool = False
) -> Frame:
    """A frame of fills."""
    name, form = ("fills", fill_row) if channel == "userFills" else ("twapSliceFills", slice_row)
    data: Frame = {"user": user, name: [form(order, one) for order, one in rows]}
    return {"channel": channel, "data": data | ({"isSnapshot": True} if is_snapshot else {})}


def update_row(order: TrueOrder, status: Status) -> Frame:
    """An order's status."""
    row: Frame = {
        "coin": order.coin, "side": order.side, "limitPx": "1.0", "sz": decimal_text(status.remaining),
        "oid": order.oid, "timestamp": order.placed_ms, "origSz": decimal_text(status.orig),
    }  # fmt: skip
    if order.cloid is not None:
        row["cloid"] = order.cloid
    return {"order": row, "status": status.text, "statusTimestamp": status.time_ms}


def twap_row(order: TrueOrder) -> Frame:
    """The end of a TWAP."""
    end = order.end
    assert end is not None
    state = {
        "coin": order.coin, "user": order.address, "side": order.side, "sz": decimal_text(end.orig),
        "executedSz": decimal_text(end.orig - end.remaining), "executedNtl": "0.0", "minutes": 5,
        "reduceOnly": False, "randomize": False, "timestamp": order.placed_ms,
    }  # fmt: skip
    return {"time": end.time_ms // 1000, "state": state, "status": {"status": end.text}, "twapId": order.twap_id}


def _has_status(order: TrueOrder) -> bool:
    return order.twap_id is None and not order.is_system


def _last_update(order: TrueOrder) -> Frame:
    if order.statuses:
        return update_row(order, order.statuses[-1])
    filled = sum((one.sz for one in order.executions), Fraction(0))
    return update_row(order, Status("open", filled + 1, Fraction(1), order.placed_ms))


def _history_frame(user: str, orders: list[TrueOrder], *, is_snapshot: bool = False) -> Frame:
    data: Frame = {"user": user, "history": [twap_row(order) for order in orders]}
    return {"channel": "userTwapHistory", "data": data | ({"isSnapshot": True} if is_snapshot else {})}


def _first_frames(venue: Venue, channel: str, user: str) -> Iterator[Frame]:
    match channel:
        case "userFills" | "userTwapSliceFills":
            rows = venue.kept(user, twap=channel != "userFills")[-venue.snapshot_rows :]
            yield fills_frame(channel, user, rows, is_snapshot=True)
        case "userTwapHistory":
            yield _history_frame(user, venue.twaps(user), is_snapshot=True)
        case "allDexsClearinghouseState":
            yield _states_frame(venue, user)
        case "spotState":
            yield {"channel": channel, "data": {"user": user, "spotState": {"balances": _BALANCES}}}
        case "webData3":
            yield {"channel": channel, "data": {"userState": {"user": user, "abstraction": "default"}}}


def _states_frame(venue: Venue, user: str) -> Frame:
    states = [(dex, _state(venue, user, dex)) for dex in ("", "xyz")]
    return {"channel": "allDexsClearinghouseState", "data": {"user": user, "clearinghouseStates": states}}


def _state(venue: Venue, user: str, dex: str) -> Frame:
    held = {
        coin: size
        for (address, coin), size in venue.market.positions.items()
        if address == user and size and not is_spot(coin) and coin.rpartition(":")[0] == dex
    }
    summary = {"accountValue": "100000.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": "0.0"}
    positions = [
        {
            "type": "oneWay",
            "position": {"coin": coin, "szi": decimal_text(size), "leverage": {"type": "cross", "value": 20}},
        }
        for coin, size in held.items()
    ]
    time_ms = max(venue.market.time_ms, wall_ms(venue.loop))
    return {"marginSummary": summary, "assetPositions": positions, "time": time_ms, "withdrawable": "0.0"}


_BALANCES = [{"coin": "USDC", "token": 0, "total": "50000.0", "hold": "0.0", "entryNtl": "0.0"}]
_TOKENS = [
    {"name": name, "index": index, "szDecimals": 2, "weiDecimals": 8} for index, name in enumerate(("USDC", "HYPE"))
]
METADATA: Mapping[str, object] = {
    "spotMeta": {"universe": [{"name": "@107", "tokens": [1, 0], "index": 107}], "tokens": _TOKENS},
    "allPerpMetas": [
        {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}], "collateralToken": 0},
        {"universe": [{"name": "xyz:CL", "szDecimals": 2, "maxLeverage": 20}], "collateralToken": 0},
    ],
    "perpDexs": [None, {"name": "xyz", "fullName": "XYZ"}],
    "allMids": {"BTC": "100.0", "xyz:CL": "70.0", "@107": "25.0"},
}
