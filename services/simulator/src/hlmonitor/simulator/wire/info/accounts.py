"""What an account holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.flows import net_inflow
from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.wire import listing
from hlmonitor.simulator.wire.active import active_asset_data
from hlmonitor.simulator.wire.requests import accounts as asked
from hlmonitor.simulator.wire.rows import amount, frontend_order_row, twap_state_row
from hlmonitor.simulator.wire.spot_states import spot_state
from hlmonitor.simulator.wire.states import clearinghouse_state
from hlmonitor.simulator.wire.vaults import leading_vaults, total_vault_equity

from .topic import FailedAnswerError, Topic, dex_named, listed

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()

# Users have seen failures from 10 to 50 addresses on.
_MOST_AT_ONCE: Final = 50


@TOPIC.answers_to(asked.ClearinghouseState)
def _clearinghouse_state(request: asked.ClearinghouseState, exchange: Exchange) -> object:
    dex = dex_named(exchange, request.dex)
    return clearinghouse_state(exchange, request.user.lower(), dex.name)


@TOPIC.answers_to(asked.BatchClearinghouseStates)
def _clearinghouse_states(request: asked.BatchClearinghouseStates, exchange: Exchange) -> object:
    """The states in the order of the addresses, which they do not name."""
    if len(request.users) > _MOST_AT_ONCE:
        raise FailedAnswerError("too many users")
    dex = dex_named(exchange, request.dex)
    return [clearinghouse_state(exchange, user.lower(), dex.name) for user in request.users]


@TOPIC.answers_to(asked.SpotClearinghouseState)
def _spot_state(request: asked.SpotClearinghouseState, exchange: Exchange) -> object:
    return spot_state(exchange, request.user.lower())


@TOPIC.answers_to(asked.ActiveAssetData)
def _active_asset_data(request: asked.ActiveAssetData, exchange: Exchange) -> object:
    instrument = listed(exchange, request.coin)
    if instrument.is_spot:
        raise FailedAnswerError("perps only")
    return active_asset_data(exchange, request.user.lower(), instrument)


@TOPIC.answers_to(asked.WebData2)
def _web_data_2(request: asked.WebData2, exchange: Exchange) -> object:
    """What concerns the main dex and spot. No page has an agent here."""
    state, user, main = exchange.state, request.user.lower(), dex_named(exchange, MAIN_DEX)
    account = state.accounts.get(user)
    orders = () if account is None else account.open_orders.values()
    return {
        "clearinghouseState": clearinghouse_state(exchange, user, MAIN_DEX),
        "leadingVaults": leading_vaults(exchange, user),
        "totalVaultEquity": total_vault_equity(exchange, user),
        "openOrders": [frontend_order_row(o) for o in orders if state.universe.get(o.coin).dex == MAIN_DEX],
        "agentAddress": None,
        "agentValidUntil": None,
        "cumLedger": amount(net_inflow(state, user)),
        "meta": listing.meta(exchange, main),
        "assetCtxs": listing.perp_contexts(exchange, main),
        "serverTime": state.now_ms,
        "isVault": user in exchange.vaults.by_address,
        "user": user,
        "twapStates": [
            (twap.twap_id, twap_state_row(twap.progress()))
            for twap in exchange.twaps.active.values()
            if twap.address == user
        ],
        "spotState": spot_state(exchange, user),
        "spotAssetCtxs": listing.spot_contexts(exchange),
    } | ({"optOutOfSpotDusting": True} if account is not None and account.keeps_dust else {})
