"""Who listens to what, and what each block sends to them."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.history import aggregate, newest_first
from hlmonitor.simulator.wire.rows import fill_row, order_update_row, slice_row, trade_row, twap_history_row
from hlmonitor.simulator.wire.states import all_dexs_states, spot_state
from hlmonitor.simulator.wire.subscriptions import Subscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hlmonitor.simulator.core.events import Block, Fill
    from hlmonitor.simulator.core.faults import FaultConfig
    from hlmonitor.simulator.core.market import Market
    from hlmonitor.simulator.wire.frames import Frame

    from .config import ServerConfig
    from .connection import Connection

    Delivery = tuple[Subscription, Frame]


class Hub:
    """Frames are built only for feeds that somebody listens to, once each."""

    def __init__(self, market: Market, config: ServerConfig) -> None:
        self._market = market
        self._config = config
        self._listeners: dict[Subscription, dict[Connection, None]] = {}
        self._state_due: dict[Subscription, int] = {}

    def add(self, connection: Connection, subscription: Subscription, faults: FaultConfig) -> None:
        """Add a listener, and send it the feed's first frame if it has one."""
        self._listeners.setdefault(subscription, {})[connection] = None
        first = self._first(subscription)
        if first is not None:
            connection.send(first, faults, self._market.exchange.state.now_ms)

    def remove(self, connection: Connection, subscription: Subscription) -> None:
        """Take a listener away."""
        listeners = self._listeners.get(subscription, {})
        listeners.pop(connection, None)
        if not listeners:
            self._listeners.pop(subscription, None)
            self._state_due.pop(subscription, None)

    def listeners(self) -> dict[str, int]:
        """Return the number of listeners by feed type."""
        count: dict[str, int] = defaultdict(int)
        for subscription, connections in self._listeners.items():
            count[subscription.type] += len(connections)
        return dict(count)

    def publish(self, block: Block, faults: FaultConfig) -> None:
        """Send everything that a block means to its listeners."""
        deliveries = [*self._fills(block), *self._twaps(block)]
        statuses = list(self._statuses(block))
        deliveries = statuses + deliveries if faults.status_first else deliveries + statuses
        for subscription, frame in (*deliveries, *self._trades(block), *self._states(block)):
            for connection in self._listeners[subscription]:
                connection.send(frame, faults, block.time_ms)

    def _first(self, wanted: Subscription) -> Frame | None:
        user = wanted.user or ""
        match wanted.type:
            case "userFills":
                recent = self._recent(user, slices=False)
                fills = map(fill_row, newest_first(aggregate(recent) if wanted.aggregate else recent))
                return frames.user_rows("userFills", user, "fills", fills, is_snapshot=True)
            case "userTwapSliceFills":
                slices = map(slice_row, newest_first(self._recent(user, slices=True)))
                return frames.user_rows("userTwapSliceFills", user, "twapSliceFills", slices, is_snapshot=True)
            case "userTwapHistory":
                rows = reversed(self._market.ledger.of(user).twap_rows)
                history = map(twap_history_row, islice(rows, self._config.snapshot_rows))
                return frames.user_rows("userTwapHistory", user, "history", history, is_snapshot=True)
            case "trades":
                trades = self._market.exchange.state.recent_trades[wanted.coin or ""]
                return frames.bare_rows("trades", map(trade_row, trades), live=False) if trades else None
            case "allDexsClearinghouseState" | "spotState":
                return self._state(wanted)
            case _:
                return None

    def _recent(self, user: str, *, slices: bool) -> list[Fill]:
        """Return the latest fills that a first frame shows, oldest first."""
        rows = (f for f in reversed(self._market.ledger.of(user).fills) if (f.twap_id is not None) == slices)
        return list(islice(rows, self._config.snapshot_rows))[::-1]

    def _state(self, wanted: Subscription) -> Frame:
        exchange, user = self._market.exchange, wanted.user or ""
        if wanted.type == "spotState":
            return frames.message("spotState", {"user": user, "spotState": spot_state(exchange, user)})
        self._state_due[wanted] = exchange.state.now_ms + self._config.state_every_ms
        return frames.message("allDexsClearinghouseState", all_dexs_states(exchange, user))

    def _wanted(self, kind: str, users: Iterable[str]) -> Iterator[tuple[str, Subscription]]:
        for user in users:
            subscription = Subscription(kind, user)
            if subscription in self._listeners:
                yield user, subscription

    def _fills(self, block: Block) -> Iterator[Delivery]:
        by_user = defaultdict(list)
        for fill in block.fills:
            if fill.twap_id is None:
                by_user[fill.address].append(fill)
        for user, fills in by_user.items():
            plain = Subscription("userFills", user, aggregate=False)
            if plain in self._listeners:
                yield plain, frames.user_rows("userFills", user, "fills", map(fill_row, fills))
            joined = Subscription("userFills", user, aggregate=True)
            if joined in self._listeners:
                yield joined, frames.user_rows("userFills", user, "fills", map(fill_row, aggregate(fills)))
        for user, events in self._wanted("userEvents", by_user):
            yield events, frames.event_rows("fills", map(fill_row, by_user[user]))

    def _twaps(self, block: Block) -> Iterator[Delivery]:
        slices = defaultdict(list)
        for fill in block.fills:
            if fill.twap_id is not None:
                slices[fill.address].append(slice_row(fill))
        for user, feed in self._wanted("userTwapSliceFills", slices):
            yield feed, frames.user_rows("userTwapSliceFills", user, "twapSliceFills", slices[user])
        for user, events in self._wanted("userEvents", slices):
            yield events, frames.event_rows("twapSliceFills", slices[user])
        history = defaultdict(list)
        for row in block.twap_updates:
            history[row.state.address].append(twap_history_row(row))
        for user, feed in self._wanted("userTwapHistory", history):
            yield feed, frames.user_rows("userTwapHistory", user, "history", history[user])
        for user, events in self._wanted("userEvents", history):
            yield events, frames.event_rows("twapHistory", history[user])

    def _statuses(self, block: Block) -> Iterator[Delivery]:
        by_user = defaultdict(list)
        for update in block.order_updates:
            by_user[update.address].append(update)
        for user, feed in self._wanted("orderUpdates", by_user):
            yield feed, frames.bare_rows("orderUpdates", map(order_update_row, by_user[user]))

    def _trades(self, block: Block) -> Iterator[Delivery]:
        by_coin = defaultdict(list)
        for trade in block.trades:
            by_coin[trade.coin].append(trade)
        for coin, trades in by_coin.items():
            feed = Subscription("trades", coin=coin)
            if feed in self._listeners:
                yield feed, frames.bare_rows("trades", map(trade_row, trades))

    def _states(self, block: Block) -> Iterator[Delivery]:
        for _, feed in self._wanted("spotState", sorted(block.spot_changed)):
            yield feed, self._state(feed)
        for feed in [feed for feed, due in self._state_due.items() if due <= block.time_ms]:
            yield feed, self._state(feed)
