"""Funding payments: bare rows on the WebSocket, rows with a `delta` in `/info` (facts 1.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.core.orders import ZERO_HASH

from .rows import amount

if TYPE_CHECKING:
    from hlmonitor.simulator.core.events import FundingPayment


def funding_row(payment: FundingPayment) -> dict[str, object]:
    """Write a payment. `nSamples` is null: it counts the hours that older rows joined."""
    return {"time": payment.time} | _facts(payment)


def funding_delta_row(payment: FundingPayment) -> dict[str, object]:
    """Write a payment as `userFunding` has it. No transaction causes funding, so its hash is zero."""
    return {"time": payment.time, "hash": ZERO_HASH, "delta": {"type": "funding"} | _facts(payment)}


def _facts(payment: FundingPayment) -> dict[str, object]:
    return {
        "coin": payment.coin,
        "usdc": amount(payment.usdc),
        "szi": amount(payment.szi),
        "fundingRate": amount(payment.rate),
        "nSamples": None,
    }
