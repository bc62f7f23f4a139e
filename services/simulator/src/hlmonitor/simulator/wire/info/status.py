"""The exchange as such. Nobody deploys anything here, so every auction has fallen to its floor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.wire.requests import status as asked

from .topic import Topic

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()

_AUCTION_S: Final = 31 * 3_600
_FLOOR_HYPE: Final = "500.0"


@TOPIC.answers_to(asked.ExchangeStatus)
def _exchange_status(_request: asked.ExchangeStatus, exchange: Exchange) -> object:
    return {"time": exchange.state.now_ms, "specialStatuses": None}


def _auction(exchange: Exchange) -> dict[str, object]:
    """One auction of 31 hours after the other; that they follow each other from the epoch on is an assumption."""
    now_s = exchange.state.now_ms // 1000
    return {
        "startTimeSeconds": now_s - now_s % _AUCTION_S,
        "durationSeconds": _AUCTION_S,
        "startGas": _FLOOR_HYPE,
        "currentGas": _FLOOR_HYPE,
        "endGas": None,
    }


@TOPIC.answers_to(asked.PerpDeployAuctionStatus)
def _perp_auction(_request: asked.PerpDeployAuctionStatus, exchange: Exchange) -> object:
    return _auction(exchange)


@TOPIC.answers_to(asked.SpotDeployState)
def _spot_deploy_state(_request: asked.SpotDeployState, exchange: Exchange) -> object:
    return {"states": [], "gasAuction": _auction(exchange)}
