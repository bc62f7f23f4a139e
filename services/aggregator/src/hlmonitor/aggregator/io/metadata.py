"""Names, classes and prices of coins: from the venue by REST, and pair configurations from the KV bucket `hl_pairs`."""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
from nats.aio.client import Client

from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.domain.decimals import AmountError, parse_amount
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.kv import Put, bucket_config, follow
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.venue.core.symbols import Symbols, aliased, pair_config_coin
from hlmonitor.venue.core.wire import SpotMeta
from hlmonitor.venue.errors import VenueError
from hlmonitor.venue.io.rest import InfoClient

PAIRS = bucket_config("hl_pairs")
REREAD_S = 60.0
RETRY_S = 1.0
UNKNOWN_COIN_S = 60.0
"""An unknown coin makes us read the metadata again, at most this often."""

_STABLES = frozenset({"USDC", "USDT", "USDT0", "USDH", "USDE", "USD"})
_ONE = Decimal(1)
_CLASSES = {1: "A", 2: "B", 3: "C", 4: "C", 5: "D"}
_NO_CLASS = "D"
_OUTCOME_QUOTE = "USDC"


@dataclass(slots=True)
class LoadedMarkets:
    """The markets as last read; what the core sees of them."""

    metrics: Metrics
    symbols: Symbols | None = None
    unknown_coin: asyncio.Event = field(default_factory=asyncio.Event)
    dexes: tuple[str, ...] = ("",)
    mids: dict[str, Decimal] = field(default_factory=dict)
    categories: dict[str, int] = field(default_factory=dict)
    pair_of_token: dict[str, str] = field(default_factory=dict)
    """Wire coin of the pair that prices a token in USD."""

    def symbol_of(self, coin: str) -> str:
        """The name shown to people; an unknown coin stays itself and makes us read the metadata again."""
        known = self.symbols is not None and self.symbols.knows(coin)
        self._count("symbol", hit=known)
        if not known:
            self.unknown_coin.set()
        return self.symbols.symbol_of(coin) if self.symbols else coin

    def coin_type_of(self, coin: str) -> str:
        """`A` to `D` from the pair configuration of the coin's symbol."""
        symbol = self.symbols.symbol_of(coin) if self.symbols else coin
        return _CLASSES.get(self.categories.get(pair_config_coin(symbol), 0), _NO_CLASS)

    def mid_of(self, coin: str) -> Decimal | None:
        """The last mid price."""
        mid = self.mids.get(coin)
        self._count("price", hit=mid is not None)
        return mid

    def token_usd(self, token: str) -> Decimal | None:
        """What a spot token is worth; outcome balances (`+330`) are priced by their coin (`#330`)."""
        if token in _STABLES:
            return _ONE
        if token.startswith("+"):
            return self.mids.get(f"#{token[1:]}")
        return self.mids.get(self.pair_of_token.get(token, ""))

    def collateral_of(self, dex: str) -> str | None:
        """The token in which a perpetuals dex keeps its accounts."""
        return self.symbols.collateral_of(dex) if self.symbols else None

    def base_of(self, coin: str) -> str | None:
        """The token that a spot pair trades; the balance of an outcome coin `#330` is `+330`."""
        if coin.startswith("#"):
            return f"+{coin[1:]}"
        return self.symbols.base_of(coin) if self.symbols else None

    def quote_of(self, coin: str) -> str | None:
        """The token in which a coin is priced; outcome coins are priced in USDC."""
        if coin.startswith("#"):
            return _OUTCOME_QUOTE
        return self.symbols.quote_of(coin) if self.symbols else None

    def display_token(self, token: str) -> str:
        """The token's name after the alias table."""
        return aliased(token)

    def _count(self, cache: str, *, hit: bool) -> None:
        counter = self.metrics.cache_hit_total if hit else self.metrics.cache_miss_total
        counter.labels(cache).inc()


@dataclass(slots=True)
class MarketLoader:
    """Keeps LoadedMarkets fresh."""

    info: InfoClient
    markets: LoadedMarkets
    settings: AggregatorSettings
    component: Component
    log: Log

    async def load(self) -> None:
        """Read symbols, dexes and mids once, tried until the venue answers."""
        while True:
            try:
                await self._read_symbols()
                await self._read_mids()
            except VenueError as error:
                if self.component.reason != str(error):
                    self.log.warning("metadata_unreachable", error=str(error), retry_s=RETRY_S)
                self.component.down(str(error))
                await asyncio.sleep(RETRY_S)
            else:
                self.component.up()
                self.log.info("metadata_loaded", coins=len(self.markets.symbols or ()), dexes=self.markets.dexes)
                return

    async def run(self, client: Client) -> None:
        """Read all of it again when it is due, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._symbols_forever())
            tasks.create_task(self._mids_forever())
            tasks.create_task(self._pairs_forever(client))

    async def _symbols_forever(self) -> None:
        while True:
            self.markets.unknown_coin.clear()
            try:
                async with asyncio.timeout(self.settings.metadata_reload):
                    await asyncio.sleep(min(UNKNOWN_COIN_S, self.settings.metadata_reload))
                    await self.markets.unknown_coin.wait()
            except TimeoutError:
                pass
            await self._read_symbols_again()

    async def _read_symbols_again(self) -> None:
        while True:
            try:
                await self._read_symbols()
            except VenueError as error:
                # The names that are known go on; only what was listed since goes by its raw name meanwhile.
                self.log.warning("metadata_unreachable", error=str(error), retry_s=UNKNOWN_COIN_S)
                await asyncio.sleep(UNKNOWN_COIN_S)
            else:
                return

    async def _mids_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.mids_reload)
            try:
                await self._read_mids()
            except VenueError as error:
                # Mids are an attribute of signals, not a condition: the last ones go on.
                self.log.debug("mids_unreachable", error=str(error))

    async def _pairs_forever(self, client: Client) -> None:
        async for change in follow(client, PAIRS, quiet_s=REREAD_S):
            if isinstance(change, Put):
                try:
                    self.markets.categories = msgspec.json.decode(change.value, type=dict[str, int])
                except msgspec.DecodeError as error:
                    self.log.warning("pair_configs_unreadable", error=str(error))

    async def _read_symbols(self) -> None:
        spot = await self.info.spot_meta()
        perps = await self.info.all_perp_metas()
        dexes = await self.info.perp_dexs()
        self.markets.symbols = Symbols(spot, perps, dexes)
        self.markets.dexes = tuple(dex.name if dex else "" for dex in dexes)
        self.markets.pair_of_token = _usd_pairs(spot)

    async def _read_mids(self) -> None:
        mids: dict[str, Decimal] = {}
        for dex in self.markets.dexes:
            mids |= _amounts(await self.info.all_mids(dex))
        self.markets.mids = mids


def _usd_pairs(spot: SpotMeta) -> dict[str, str]:
    names = {token.index: token.name for token in spot.tokens}
    pairs: dict[str, str] = {}
    for pair in spot.universe:
        base, quote = (names.get(index, "") for index in pair.tokens)
        # A token may have several pairs: the one against USDC is the deepest.
        if quote == "USDC" or (quote in _STABLES and base not in pairs):
            pairs[base] = pair.name
    return pairs


def _amounts(texts: dict[str, str]) -> dict[str, Decimal]:
    found = {}
    for coin, text in texts.items():
        try:
            found[coin] = parse_amount(text)
        except AmountError:
            continue
    return found
