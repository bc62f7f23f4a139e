"""What commands about coins and amounts check before the exchange looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import BadInputError

if TYPE_CHECKING:
    from decimal import Decimal

    from hlmonitor.simulator.core.exchange import Exchange


def check_coin(exchange: Exchange, coin: str) -> None:
    """Raise BadInputError for a coin that is not listed."""
    if coin not in exchange.state.universe.by_coin:
        raise BadInputError(f"coin: {coin!r} is not listed by meta or spotMeta")


def check_amount(name: str, value: Decimal) -> None:
    """Raise BadInputError for an amount that is not a positive number."""
    if not value.is_finite() or value <= 0:
        raise BadInputError(f"{name}: must be above zero")
