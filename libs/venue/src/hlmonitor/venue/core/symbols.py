"""From the venue's coin to the symbol shown to people."""

from collections.abc import Mapping, Sequence

from hlmonitor.venue.core.wire import PerpDex, PerpMeta, SpotMeta

ALIASES: Mapping[str, str] = {
    "UBTC": "BTC", "UETH": "ETH", "USOL": "SOL", "UFART": "FARTCOIN", "USDT0": "USDT", "HPENGU": "PENGU",
    "XAUT0": "XAUT", "UPUMP": "PUMP", "PUMP": "PUMP-26", "UUUSPX": "SPX", "UBONK": "BONK", "WMNT": "MNT",
    "UXPL": "XPL", "UDZ": "2Z",
}  # fmt: skip
"""Wrapped names as the original shows them, perps included."""

_PERP_QUOTE = "USDC"
# The original cuts this dex' prefix and takes USDC for its quote; its users' symbols must not change.
_LEGACY_DEXES = ("", "xyz")
_QUOTE_SUFFIXES = ("USDT", "USDC", "USD", "USDH")


class Symbols:
    """The coins that the venue lists now."""

    def __init__(self, spot: SpotMeta, perps: Sequence[PerpMeta], dexes: Sequence[PerpDex | None]) -> None:
        """Join the three replies: pairs by token index, dexes by their place, which is their identity."""
        tokens = {token.index: token.name for token in spot.tokens}
        self._symbols = _spot_symbols(spot, tokens)
        self._bases = {pair.name: tokens.get(pair.tokens[0]) for pair in spot.universe if pair.tokens}
        self._quotes = {pair.name: tokens.get(pair.tokens[-1]) for pair in spot.universe if pair.tokens}
        self._collaterals: dict[str, str | None] = {}
        for position, meta in enumerate(perps):
            dex = dexes[position] if position < len(dexes) else None
            name = dex.name if dex else ""
            self._collaterals[name] = tokens.get(meta.collateral_token)
            self._symbols.update(_perp_symbols(meta, name, tokens))

    def knows(self, coin: str) -> bool:
        """Whether the venue listed the coin when the metadata was read."""
        return coin in self._symbols

    def symbol_of(self, coin: str) -> str:
        """The symbol of a wire coin: `BTC` gives `BTCUSDC`, `@107` gives `HYPEUSDC`; an unknown coin stays itself."""
        return self._symbols.get(coin, coin)

    def collateral_of(self, dex: str) -> str | None:
        """The token in which a perpetuals dex keeps its accounts; None for an unknown dex or token."""
        return self._collaterals.get(dex)

    def base_of(self, coin: str) -> str | None:
        """The token that a spot pair trades; None for an unknown pair or token."""
        return self._bases.get(coin)

    def quote_of(self, coin: str) -> str | None:
        """The token in which a coin is priced: the quote of a pair, the collateral of a perpetual's dex."""
        if coin in self._quotes:
            return self._quotes[coin]
        dex, separator, _ = coin.partition(":")
        return self.collateral_of(dex if separator else "") if coin in self._symbols else None

    def __len__(self) -> int:
        """How many coins are known."""
        return len(self._symbols)


def aliased(name: str) -> str:
    """A token's or perpetual's name as people know it: `UBTC` gives `BTC`."""
    return ALIASES.get(name, name)


def pair_config_coin(symbol: str) -> str:
    """The coin under which `pair_configs` lists a symbol: upper case, the first matching quote suffix cut."""
    upper = symbol.upper()
    for suffix in _QUOTE_SUFFIXES:
        if upper.endswith(suffix):
            return upper.removesuffix(suffix)
    return upper


def _spot_symbols(spot: SpotMeta, tokens: Mapping[int, str]) -> dict[str, str]:
    symbols = {}
    for pair in spot.universe:
        names = [tokens.get(index) for index in pair.tokens]
        match names:
            case [str(base), str(quote)]:
                symbols[pair.name] = aliased(base) + quote
            case _:
                # A pair of tokens that are not listed cannot be named, but it exists.
                symbols[pair.name] = pair.name
    return symbols


def _perp_symbols(meta: PerpMeta, dex: str, tokens: Mapping[int, str]) -> dict[str, str]:
    quote = _PERP_QUOTE if dex in _LEGACY_DEXES else tokens.get(meta.collateral_token, _PERP_QUOTE)
    symbols = {}
    for asset in meta.universe:
        bare = asset.name.rpartition(":")[2]
        coin = f"{dex}:{bare}" if dex else asset.name
        symbols[coin] = aliased(bare) + quote
    return symbols
