import pytest

from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.instruments import Universe
from hlmonitor.simulator.core.ledger import Ledger
from hlmonitor.simulator.core.listings import USDE, USDH, USDT0, Listing, universe_of
from hlmonitor.simulator.core.precision import is_valid_px
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.testing import GENESIS_MS, Desk
from hlmonitor.simulator.wire import listing

BOTH = pytest.mark.parametrize("universe", [universe_of(kind) for kind in Listing], ids=list(Listing))


@BOTH
def test_names_and_indexes_are_unique_and_start_prices_valid(universe: Universe) -> None:
    listed = sum(len(dex.instruments) for dex in universe.dexes) + len(universe.spot)
    assert len(universe.by_coin) == listed
    assert len({token.index for token in universe.tokens}) == len(universe.tokens)
    assert len({pair.index for pair in universe.spot}) == len(universe.spot)
    assert all(is_valid_px(i, i.start_px) for i in universe.by_coin.values())


@BOTH
def test_dexes_are_backed_by_several_tokens_and_one_ticker_is_on_two_of_them(universe: Universe) -> None:
    backing = {dex.name: dex.collateral for dex in universe.dexes}
    assert (backing[""], backing["xyz"], backing["flx"], backing["hyna"]) == (0, 0, USDH, USDE)
    tickers = [i.coin.partition(":")[2] for dex in universe.dexes for i in dex.instruments if ":" in i.coin]
    assert tickers.count("TSLA") >= 2
    assert all(i.quote == dex.collateral for dex in universe.dexes for i in dex.instruments)
    assert {token.name for token in universe.tokens} >= {"USDH", "USDE", "USDT0", "UBTC", "UETH", "USOL"}


@BOTH
def test_spot_rows_have_other_indexes_than_positions_and_contexts_other_positions_than_rows(universe: Universe) -> None:
    assert any(pair.index != position for position, pair in enumerate(universe.spot))
    contexts = listing.spot_contexts(Exchange(universe, ExchangeConfig(), Ledger(), GENESIS_MS))
    names = [pair.coin for pair in universe.spot]
    assert len(contexts) > len(names)
    assert [context["coin"] for context in contexts[: len(names)]] != names
    assert set(names) < {context["coin"] for context in contexts}


def test_the_venue_listing_is_as_long_as_the_venues_and_trades_no_more_than_the_default() -> None:
    default, venue = universe_of(Listing.DEFAULT), universe_of(Listing.VENUE)
    assert len(venue.dexes[0].instruments) >= 190
    assert len(venue.spot) >= 100
    assert sum(i.delisted for i in venue.by_coin.values()) >= 25
    assert [i.coin for i in venue.quoted()] == [i.coin for i in default.quoted()]
    assert {dex.collateral for dex in venue.dexes} == {0, USDH, USDE, USDT0}


def test_meta_marks_what_is_delisted_or_isolated_and_leaves_it_in_place() -> None:
    desk = Desk()
    main = desk.exchange.state.universe.dexes[0]
    meta = listing.meta(desk.exchange, main)
    rows = meta["universe"]
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == [i.coin for i in main.instruments]
    marked = {row["name"]: row for row in rows if "isDelisted" in row}
    assert set(marked) == {"MATIC", "FTM", "CANTO"}
    assert marked["CANTO"]["onlyIsolated"] is True
    flx = listing.meta(desk.exchange, desk.exchange.state.universe.dexes[2])
    assert flx["collateralToken"] == USDH
    assert "'marginMode': 'strictIsolated'" in str(flx)
