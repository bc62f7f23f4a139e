"""The venue's own client, as it comes from PyPI, against the simulator.

Its methods and its types are walked by introspection: one that has no case here fails until it is served.
"""

import asyncio
import inspect
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from types import GenericAlias
from typing import Any, NotRequired, TypedDict, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hyperliquid.info import Info
from hyperliquid.utils import types as sdk
from hyperliquid.utils.error import ClientError, ServerError
from typed_json import misfit
from venue_frames import parse
from venue_replies import REPLIES

from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.limits import LimitConfig
from hlmonitor.simulator.core.orders import OrderRequest, Side
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.io.clock import TimeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.testing import Running, request, running, wallet

A, B = wallet(0xA), wallet(0xB)
EXAMPLE_TRADE = {"coin": "BTC", "side": "A", "px": "69170.0", "sz": "0.00018", "time": 1781528065899, "hash": "0x0"}
CLOID = "0x" + "ab" * 16
# Of each field that a subscription can have, what is asked for. A field that is not here fails until it is.
FIELDS = {"user": A, "coin": "BTC", "interval": "1m"}
GONE = {"webData2": "the venue took the subscription away in 2026 and calls it unreadable (facts 1.7)"}
# The market begins a moment before the full hour, at which funding is paid.
HOUR_MS = 3_600_000
GENEROUS = ServerConfig(
    limits=LimitConfig(rest_weight_per_minute=1_000_000, users=100),
    time=TimeConfig(genesis_ms=490_000 * HOUR_MS - 100),
)


@dataclass(frozen=True, slots=True)
class Case:
    """How to call a method and what its reply is: of a request's model, and of the client's own type if it has one."""

    request: str
    args: Callable[[Info], tuple[object, ...]] = field(default=lambda _: ())
    kwargs: dict[str, object] = field(default_factory=dict)
    its: Any = object
    may_be_empty: bool = False


def corrected(kind: Any, **fields: object) -> Any:  # noqa: ANN401 any type
    """Return one of the client's types with other fields."""
    return TypedDict(kind.__name__, get_type_hints(kind, include_extras=True) | fields)  # type: ignore[operator]


def many(kind: object) -> object:
    """Return the type of a list of these."""
    return GenericAlias(list, (kind,))


# Where the client's types contradict the facts (1.5, 1.8), which are what the venue sends.
TRADES = many(corrected(sdk.Trade, sz=str))
CTXS = many(corrected(sdk.PerpAssetCtx, premium=str | None))
UserFillsData = corrected(sdk.UserFillsData, isSnapshot=NotRequired[bool])
CONTRADICTED = {
    "trades": ("a size is a string", corrected(sdk.TradesMsg, data=TRADES)),
    "userFills": ("only the first frame has the flag", corrected(sdk.UserFillsMsg, data=UserFillsData)),
}


def by_user(*more: object) -> Callable[[Info], tuple[object, ...]]:
    return lambda _: (A, *more)


CASES = {
    "user_state": Case("clearinghouseState", by_user("xyz")),
    "spot_user_state": Case("spotClearinghouseState", by_user()),
    "open_orders": Case("openOrders", by_user()),
    "frontend_open_orders": Case("frontendOpenOrders", by_user()),
    "all_mids": Case("allMids"),
    "user_fills": Case("userFills", by_user(), its=list[sdk.Fill]),
    "user_fills_by_time": Case("userFillsByTime", by_user(0), {"aggregate_by_time": True}, its=list[sdk.Fill]),
    "meta": Case("meta", lambda _: ("xyz",)),
    "meta_and_asset_ctxs": Case("metaAndAssetCtxs", its=GenericAlias(tuple, (sdk.Meta, CTXS))),
    "perp_dexs": Case("perpDexs"),
    "spot_meta": Case("spotMeta"),
    "spot_meta_and_asset_ctxs": Case("spotMetaAndAssetCtxs"),
    "funding_history": Case("fundingHistory", lambda _: ("BTC", 0)),
    "user_funding_history": Case("userFunding", by_user(0)),
    "l2_snapshot": Case("l2Book", lambda _: ("BTC",), its=sdk.L2BookData),
    "candles_snapshot": Case("candleSnapshot", lambda _: ("HYPE/USDC", "1m", 0, 1 << 60)),
    "user_fees": Case("userFees", by_user()),
    "user_staking_summary": Case("delegatorSummary", by_user()),
    "user_staking_delegations": Case("delegations", by_user(), may_be_empty=True),
    "user_staking_rewards": Case("delegatorRewards", by_user(), may_be_empty=True),
    "delegator_history": Case("delegatorHistory", by_user()),
    "query_order_by_oid": Case("orderStatus", lambda info: (A, info.user_fills(A)[0]["oid"])),
    "query_order_by_cloid": Case("orderStatus", by_user(sdk.Cloid(CLOID))),
    "query_referral_state": Case("referral", by_user()),
    "query_sub_accounts": Case("subAccounts", by_user()),
    "query_user_to_multi_sig_signers": Case("userToMultiSigSigners", by_user(), may_be_empty=True),
    "query_perp_deploy_auction_status": Case("perpDeployAuctionStatus"),
    "query_user_dex_abstraction_state": Case("userDexAbstraction", by_user(), may_be_empty=True),
    "query_user_abstraction_state": Case("userAbstraction", by_user(), its=sdk.Abstraction),
    "historical_orders": Case("historicalOrders", by_user()),
    "user_non_funding_ledger_updates": Case("userNonFundingLedgerUpdates", by_user(0)),
    "portfolio": Case("portfolio", by_user()),
    "user_twap_slice_fills": Case("userTwapSliceFills", by_user()),
    "user_vault_equities": Case("userVaultEquities", by_user()),
    "user_role": Case("userRole", by_user()),
    "user_rate_limit": Case("userRateLimit", by_user()),
    "query_spot_deploy_auction_status": Case("spotDeployState", by_user()),
    "extra_agents": Case("extraAgents", by_user()),
}
# What does not ask for anything, and the test that shows it.
ELSEWHERE = {
    "set_perp_meta": "test_coins_of_every_dex_and_pairs_by_name_are_known_to_the_client",
    "name_to_asset": "test_coins_of_every_dex_and_pairs_by_name_are_known_to_the_client",
    "subscribe": "test_every_subscription_of_the_client_is_served",
    "unsubscribe": "test_every_subscription_of_the_client_is_served",
    "disconnect_websocket": "test_every_subscription_of_the_client_is_served",
}
METHODS = {name for name, member in vars(Info).items() if inspect.isfunction(member) and not name.startswith("_")}


def test_every_method_of_the_client_has_a_case() -> None:
    assert set(CASES) | set(ELSEWHERE) == METHODS
    assert set(ELSEWHERE.values()) <= set(globals())


def trade(exchange: Exchange, coin: str, sz: str, px: str, cloid: str | None = None) -> None:
    exchange.place(B, request(Side.SELL, sz, px, coin=coin))
    exchange.place(A, OrderRequest(coin, Side.BUY, Decimal(sz), Decimal(px), cloid=cloid))


def live(exchange: Exchange) -> None:
    """Let the wallet do something of everything that can be asked about."""
    hype = 150
    for address in (A, B):
        exchange.deposit(address, Decimal(1_000_000))
        exchange.deposit(address, Decimal(100_000), "xyz")
        exchange.deposit_token(address, hype, Decimal(1_000))
        exchange.deposit_token(address, 0, Decimal(100_000))
    trade(exchange, "BTC", "1", "66650", CLOID)
    trade(exchange, "xyz:CL", "10", "71.36")
    trade(exchange, "@107", "10", "38.4")
    exchange.place(A, request(Side.BUY, "1", "60000"), request(Side.BUY, "10", "60", coin="xyz:CL"))
    exchange.place(B, request(Side.BUY, "1", "66640"), request(Side.SELL, "5", "66660"))
    exchange.start_twap(A, TwapRequest("BTC", Side.BUY, Decimal(1), 5))
    exchange.transfers.stake(A, Decimal(5), is_deposit=True)
    exchange.roles.create_sub_account(A, "scalps")
    exchange.vaults.create(A, "Momentum", "buys what rises", Decimal(1_000))
    exchange.roles.approve_agent(A, wallet(0xA9))


@contextmanager
def client(server: Running, *, with_ws: bool = False) -> Iterator[Info]:
    info = Info(server.url, skip_ws=not with_ws, perp_dexs=["", "xyz"], timeout=30)
    try:
        yield info
    finally:
        if with_ws:
            info.disconnect_websocket()
            assert info.ws_manager is not None
            info.ws_manager.join(timeout=10)
        info.session.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@asynccontextmanager
async def market() -> AsyncIterator[Running]:
    async with running(server=GENEROUS) as server:
        await server.simulator.command(live)
        await asyncio.to_thread(until, lambda: bool(server.simulator.market.ledger.of(A).fundings))
        yield server


def modelled(reply: object, kind: Any) -> None:  # noqa: ANN401 any type
    """Check a reply against a strict model, nothing converted."""
    msgspec.json.decode(msgspec.json.encode(reply), type=kind)


def call(server: Running, name: str, case: Case) -> object:
    with client(server) as info:
        return getattr(info, name)(*case.args(info), **case.kwargs)


@pytest.mark.parametrize("name", CASES)
async def test_every_method_of_the_client_is_answered_in_its_own_types(name: str) -> None:
    case = CASES[name]
    async with market() as server:
        reply = await asyncio.to_thread(call, server, name, case)
    modelled(reply, REPLIES[case.request])
    assert misfit(reply, case.its) is None
    assert misfit(reply, get_type_hints(getattr(Info, name)).get("return", object)) is None
    assert reply or case.may_be_empty


async def test_coins_of_every_dex_and_pairs_by_name_are_known_to_the_client() -> None:
    def look(server: Running) -> tuple[dict[str, str], list[int], dict[int, int]]:
        with client(server) as info:
            assets = [info.name_to_asset(name) for name in ("BTC", "xyz:CL", "HYPE/USDC", "PURR/USDC", "@107")]
            return info.name_to_coin, assets, info.asset_to_sz_decimals

    async with market() as server:
        names, assets, decimals = await asyncio.to_thread(look, server)
        universe = server.simulator.market.exchange.state.universe
    assert names["HYPE/USDC"] == "@107"
    assert assets == [0, 110_000, 10_107, 10_000, 10_107]
    assert decimals[0] == universe.get("BTC").sz_decimals


async def test_the_client_sees_refusals_as_the_errors_that_it_knows() -> None:
    def ask(server: Running) -> tuple[ClientError, ServerError]:
        with client(server) as info:
            with pytest.raises(ServerError) as failed:
                info.post("/info", {"type": "recentTrades", "coin": "NOPE"})
            server.simulator.budget("127.0.0.1").charge(10_000_000, server.simulator.clock_ms())
            with pytest.raises(ClientError) as spent:
                info.meta()
            return spent.value, failed.value

    async with market() as server:
        spent, failed = await asyncio.to_thread(ask, server)
    assert (spent.status_code, spent.error_message) == (429, "null")
    assert (failed.status_code, failed.message) == (500, "null")


SUBSCRIPTIONS = {get_args(get_type_hints(kind)["type"])[0]: get_type_hints(kind) for kind in get_args(sdk.Subscription)}
MESSAGES = {
    channel: kind
    for kind in get_args(sdk.WsMsg)
    for part in [get_type_hints(kind)["channel"]]
    for literal in (get_args(part) if get_origin(part) is Union else [part])
    for channel in get_args(literal)
}


def everything(info: Info, heard: dict[str, list[Any]]) -> dict[str, tuple[dict[str, Any], int]]:
    """Subscribe to all that the client can subscribe to; say with which id."""
    ids = {}
    for kind, hints in SUBSCRIPTIONS.items():
        wanted = {"type": kind} | {name: FIELDS[name] for name in hints if name != "type"}
        ids[kind] = (wanted, info.subscribe(dict(wanted), heard[kind].append))
    spot = {"type": "activeAssetCtx", "coin": "HYPE/USDC"}
    ids["spot"] = (spot, info.subscribe(dict(spot), heard["spot"].append))
    return ids


def listen(server: Running, act: Callable[[], None]) -> dict[str, list[Any]]:
    """Return what was heard of each subscription, from before and after the wallets act."""
    heard: dict[str, list[Any]] = defaultdict(list)
    with client(server, with_ws=True) as info:
        manager = info.ws_manager
        assert manager is not None
        # What is asked for while it opens is taken by its own thread, out of turn or never.
        until(lambda: bool(manager.ws_ready))
        ids = everything(info, heard)
        until(lambda: all(heard[kind] for kind in ids if kind not in {*GONE, "orderUpdates", "userEvents"}))
        act()
        until(lambda: bool(heard["orderUpdates"] and heard["userEvents"] and len(heard["userFills"]) > 1))
        (connection,) = server.simulator.connections
        assert len(connection.subscriptions) == len(ids) - len(GONE)
        for wanted, number in ids.values():
            assert info.unsubscribe(wanted, number)
        until(lambda: not connection.subscriptions)
    return heard


async def test_every_subscription_of_the_client_is_served() -> None:
    async with market() as server:
        loop = asyncio.get_running_loop()

        def act() -> None:
            command = server.simulator.command(lambda exchange: trade(exchange, "BTC", "0.5", "66650"))
            asyncio.run_coroutine_threadsafe(command, loop).result(timeout=10)

        heard = await asyncio.to_thread(listen, server, act)
        refused = server.simulator.stats.refused
    assert not any(heard[kind] for kind in GONE)
    assert sum(refused.values()) == 2 * len(GONE)
    messages = [message for kind in heard for message in heard[kind]]
    assert {message["channel"] for message in messages} >= MESSAGES.keys() - {"pong", *GONE}
    for message in messages:
        channel = message["channel"]
        kind = CONTRADICTED[channel][1] if channel in CONTRADICTED else MESSAGES[channel]
        assert misfit(message, kind) is None
        parse(msgspec.json.encode(message))


@pytest.mark.parametrize("channel", CONTRADICTED)
def test_the_clients_type_is_set_aside_only_where_it_is_wrong(channel: str) -> None:
    examples = {
        "trades": {"channel": "trades", "data": [EXAMPLE_TRADE]},
        "userFills": {"channel": "userFills", "data": {"user": A, "fills": []}},
    }
    assert misfit(examples[channel], CONTRADICTED[channel][1]) is None
    assert misfit(examples[channel], MESSAGES[channel]) is not None
