"""All feeds, in the order in which the frames of a block leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .beats import BeatSource
from .books import BestBidOffer, Candles, L2Book, Trades
from .contexts import ActiveAssetCtx, AllMids, AssetCtxs, FastAssetCtxs
from .events import Events, Notifications
from .fills import Fills, Slices, TwapHistory
from .money import Fundings, LedgerUpdates
from .orders import OrderHistory, Statuses
from .outcomes import OutcomeMetaUpdates
from .states import ActiveAssetData, AllDexsStates, ClearinghouseState, OpenOrders, SpotState, TwapStates, WebData3

if TYPE_CHECKING:
    from .source import Source, View


def sources(view: View) -> list[Source]:
    """Return one source for every subscription type; fills precede the statuses that they lead to."""
    lists = AssetCtxs(view)
    return [
        Fills(view),
        Events(),
        Notifications(),
        Fundings(view),
        LedgerUpdates(view),
        Slices(view),
        TwapHistory(view),
        Statuses(),
        OrderHistory(view),
        Trades(view),
        BestBidOffer(view),
        Candles(view),
        SpotState(view),
        BeatSource(
            view,
            {
                "allDexsClearinghouseState": AllDexsStates(view),
                "clearinghouseState": ClearinghouseState(view),
                "openOrders": OpenOrders(view),
                "twapStates": TwapStates(view),
                "webData3": WebData3(view),
                "allMids": AllMids(view),
                "l2Book": L2Book(view),
                "assetCtxs": lists,
                "allDexsAssetCtxs": lists,
                "spotAssetCtxs": lists,
            },
        ),
        BeatSource(
            view,
            {"activeAssetCtx": ActiveAssetCtx(view), "activeAssetData": ActiveAssetData(view)},
            only_changes=True,
        ),
        FastAssetCtxs(view),
        OutcomeMetaUpdates(view),
    ]
