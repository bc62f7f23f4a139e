"""Feeds of prices and contexts: of one coin, of a dex, of everything."""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Final

import msgspec

from hlmonitor.simulator.wire import frames, listing
from hlmonitor.simulator.wire.rows import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.core.instruments import Dex
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard, View

_RAW_DEFLATE: Final = -15


def _dex(view: View, name: str) -> Dex:
    dex = view.exchange.state.universe.dex(name)
    if dex is None:
        raise LookupError(f"dex {name!r} was listed when it was subscribed to")
    return dex


class AllMids:
    """`allMids`: mid prices of a dex. Those of spot come with the main one, which the frame does not name."""

    def __init__(self, view: View) -> None:
        self._view = view

    def every_ms(self, _wanted: Subscription) -> int:
        """Return the beat of mids."""
        return self._view.config.mids_every_ms

    def frame(self, wanted: Subscription) -> Frame:
        """Return the mids."""
        data: dict[str, object] = {"mids": listing.all_mids(self._view.exchange, _dex(self._view, wanted.dex))}
        if wanted.dex:
            data["dex"] = wanted.dex
        return frames.message("allMids", data)


class ActiveAssetCtx:
    """`activeAssetCtx`: a coin's context; a spot pair's is on a channel of its own."""

    def __init__(self, view: View) -> None:
        self._view = view

    def every_ms(self, _wanted: Subscription) -> int:
        """Return the beat of contexts."""
        return self._view.config.context_every_ms

    def frame(self, wanted: Subscription) -> Frame:
        """Return the context."""
        exchange = self._view.exchange
        instrument = exchange.state.universe.get(wanted.key)
        if instrument.is_spot:
            data = {"coin": wanted.key, "ctx": listing.spot_context(exchange, instrument)}
            return frames.message("activeSpotAssetCtx", data)
        return frames.message("activeAssetCtx", {"coin": wanted.key, "ctx": listing.perp_context(exchange, instrument)})


class AssetCtxs:
    """`assetCtxs`, `allDexsAssetCtxs` and `spotAssetCtxs`: the contexts of a dex, of all, of spot."""

    def __init__(self, view: View) -> None:
        self._view = view

    def every_ms(self, _wanted: Subscription) -> int:
        """Return the beat of whole lists."""
        return self._view.config.contexts_every_ms

    def frame(self, wanted: Subscription) -> Frame:
        """Return the contexts, in the order of each universe."""
        exchange = self._view.exchange
        if wanted.type == "spotAssetCtxs":
            return frames.message(wanted.type, listing.spot_contexts(exchange))
        if wanted.type == "assetCtxs":
            ctxs = listing.perp_contexts(exchange, _dex(self._view, wanted.dex))
            return frames.message(wanted.type, {"dex": wanted.dex, "ctxs": ctxs})
        pairs = [(dex.name, listing.perp_contexts(exchange, dex)) for dex in exchange.state.universe.dexes]
        return frames.message(wanted.type, {"ctxs": pairs})


class FastAssetCtxs:
    """`fastAssetCtxs`: mark and mid of every coin, first all, then what changed; base64 of raw DEFLATE."""

    kinds = ("fastAssetCtxs",)

    def __init__(self, view: View) -> None:
        self._view = view
        self._known: dict[str, dict[str, object]] = {}
        self._due_ms = 0

    def first(self, _wanted: Subscription) -> Frame:
        """Return all coins. The changes that follow are told from the last beat on, so none is missed."""
        prices = self._prices()
        if not self._known:
            self._known = prices
            self._due_ms = self._view.exchange.state.now_ms + self._view.config.context_every_ms
        return self._packed(prices)

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the fields that changed since the last beat; nothing if none did."""
        listeners = heard.of("fastAssetCtxs")
        if not listeners:
            self._known = {}
            return
        if block.time_ms < self._due_ms:
            return
        self._due_ms = block.time_ms + self._view.config.context_every_ms
        before, self._known = self._known, self._prices()
        changes = {
            coin: {name: value for name, value in prices.items() if before.get(coin, {}).get(name, "") != value}
            for coin, prices in self._known.items()
            if before.get(coin) != prices
        }
        if changes:
            for wanted in listeners:
                yield wanted, self._packed(changes)

    def _prices(self) -> dict[str, dict[str, object]]:
        state = self._view.exchange.state
        mids = {coin: state.books[coin].mid() for coin in state.universe.by_coin}
        return {
            coin: {"markPx": amount(state.mark(coin)), "midPx": None if mid is None else amount(mid)}
            for coin, mid in mids.items()
        }

    @staticmethod
    def _packed(prices: dict[str, dict[str, object]]) -> Frame:
        pack = zlib.compressobj(wbits=_RAW_DEFLATE)
        data = pack.compress(msgspec.json.encode(prices)) + pack.flush()
        return frames.message("fastAssetCtxs", b64encode(data).decode())
