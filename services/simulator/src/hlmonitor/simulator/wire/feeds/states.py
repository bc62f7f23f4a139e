"""Feeds whose every frame is an account's complete state: to be replaced, never merged (facts 1.5)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.active import active_asset_data
from hlmonitor.simulator.wire.rows import frontend_order_row, twap_state_row
from hlmonitor.simulator.wire.spot_states import spot_state
from hlmonitor.simulator.wire.states import all_dexs_states, clearinghouse_state
from hlmonitor.simulator.wire.subscriptions import ALL_DEXS
from hlmonitor.simulator.wire.web_data import web_data_3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.core.orders import Order
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard, View


class _State:
    """All states share a beat; they are sent again even when nothing changed."""

    def __init__(self, view: View) -> None:
        self._view = view

    def every_ms(self, _wanted: Subscription) -> int:
        """Return the beat of states."""
        return self._view.config.state_every_ms

    def _is_on(self, coin: str, dex: str) -> bool:
        return self._view.exchange.state.universe.get(coin).dex == dex


class ClearinghouseState(_State):
    """`clearinghouseState`: positions and margin on one dex."""

    def frame(self, wanted: Subscription) -> Frame:
        """Return the state."""
        state = clearinghouse_state(self._view.exchange, wanted.key, wanted.dex)
        data = {"dex": wanted.dex, "user": wanted.key, "clearinghouseState": state}
        return frames.message("clearinghouseState", data)


class AllDexsStates(_State):
    """`allDexsClearinghouseState`: the states of all dexes, now and then without the main one's."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._sent: Counter[Subscription] = Counter()

    def frame(self, wanted: Subscription) -> Frame:
        """Return the states."""
        self._sent[wanted] += 1
        states = all_dexs_states(self._view.exchange, wanted.key)
        rate = self._view.config.lacks_main_every
        if rate and self._sent[wanted] % rate == 0:
            states = [(name, state) for name, state in states if name != MAIN_DEX]
        return frames.message("allDexsClearinghouseState", {"user": wanted.key, "clearinghouseStates": states})


class OpenOrders(_State):
    """`openOrders`: what rests on a dex. `ALL_DEXS` asks for all of them."""

    def frame(self, wanted: Subscription) -> Frame:
        """Return the resting orders as the frontend shows them."""
        orders = [frontend_order_row(order) for order in self._resting(wanted)]
        return frames.message("openOrders", {"dex": wanted.dex, "user": wanted.key, "orders": orders})

    def _resting(self, wanted: Subscription) -> Iterator[Order]:
        account = self._view.exchange.state.accounts.get(wanted.key)
        for order in () if account is None else account.all_open():
            if wanted.dex == ALL_DEXS or self._is_on(order.coin, wanted.dex):
                yield order


class TwapStates(_State):
    """`twapStates`: the TWAPs that run on a dex, with their progress."""

    def frame(self, wanted: Subscription) -> Frame:
        """Return the running TWAPs as [id, state] pairs."""
        states = [
            (twap.twap_id, twap_state_row(twap.progress()))
            for twap in self._view.exchange.twaps.active.values()
            if twap.address == wanted.key and self._is_on(twap.request.coin, wanted.dex)
        ]
        return frames.message("twapStates", {"dex": wanted.dex, "user": wanted.key, "states": states})


class WebData3(_State):
    """`webData3`: what a page knows of its user beside positions and orders."""

    def frame(self, wanted: Subscription) -> Frame:
        """Return the user's and the dexes' states."""
        return frames.message("webData3", web_data_3(self._view.exchange, wanted.key))


class ActiveAssetData:
    """`activeAssetData`: how much more of a perp the user may trade; sent when it changed."""

    def __init__(self, view: View) -> None:
        self._view = view

    def every_ms(self, _wanted: Subscription) -> int:
        """Return the beat of contexts, on which the room changes."""
        return self._view.config.context_every_ms

    def frame(self, wanted: Subscription) -> Frame:
        """Return leverage and room."""
        exchange = self._view.exchange
        instrument = exchange.state.universe.get(str(wanted.coin))
        return frames.message("activeAssetData", active_asset_data(exchange, str(wanted.user), instrument))


class SpotState:
    """`spotState`: the token balances, at once and whenever they changed."""

    kinds = ("spotState",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame:
        """Return the balances."""
        ignores = wanted.option("ignorePortfolioMargin") is True
        state = spot_state(self._view.exchange, wanted.key, ignores_portfolio_margin=ignores)
        return frames.message("spotState", {"user": wanted.key, "spotState": state})

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the balances of those whose tokens moved."""
        for user in sorted(block.spot_changed):
            for wanted in heard.of("spotState", user):
                yield wanted, self.first(wanted)
