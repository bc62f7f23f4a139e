"""The names of all commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import market, server

if TYPE_CHECKING:
    from .base import MarketCommand, ServerCommand

COMMANDS: Final[dict[str, type[MarketCommand | ServerCommand]]] = {
    "order": market.OrderBody,
    "cancel": market.CancelBody,
    "twap": market.TwapBody,
    "deposit": market.DepositBody,
    "leverage": market.LeverageBody,
    "oracle": market.OracleBody,
    "disconnect": server.DisconnectBody,
    "faults": server.FaultsBody,
    "speed": server.SpeedBody,
}
