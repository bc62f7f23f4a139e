"""The ledger as lines of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hlmonitor.simulator.wire.rows import amount, fill_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Fill
    from hlmonitor.simulator.core.ledger import Ledger
    from hlmonitor.simulator.core.orders import Order
    from hlmonitor.simulator.core.twap import Twap

_encode: Final = msgspec.json.Encoder().encode


def ledger_lines(ledger: Ledger, since: int, *, everybody: bool) -> Iterator[bytes]:
    """Yield, wallet by wallet, lines of what changed at or after `since`: named wallets, or everybody."""
    for address in sorted(ledger.addresses()) if everybody else ledger.named():
        records = ledger.of(address)
        rows = [order_line(order) for order in list(records.orders.values()) if order.status_ms >= since]
        rows += [fill_line(fill) for fill in list(records.fills) if fill.time >= since]
        rows += [twap_line(twap) for twap in list(records.twaps.values()) if twap.started_ms >= since]
        if rows:
            yield b"".join(_encode(row) + b"\n" for row in rows)


def order_line(order: Order) -> dict[str, object]:
    """Write an order as the ledger knows it."""
    return {
        "type": "order",
        "address": order.address,
        "coin": order.coin,
        "oid": order.oid,
        "side": order.side,
        "origSz": amount(order.orig_sz),
        "limitPx": amount(order.limit_px),
        "tif": order.tif,
        "cloid": order.cloid,
        "twapId": order.twap_id,
        "origin": order.origin.value,
        "reduceOnly": order.reduce_only,
        "status": order.status,
        "remaining": amount(order.remaining),
        "time": order.placed_ms,
        "statusTime": order.status_ms,
    }


def fill_line(fill: Fill) -> dict[str, object]:
    """Write a fill with its wallet and TWAP."""
    return {"type": "fill", "address": fill.address} | fill_row(fill) | {"twapId": fill.twap_id}


def twap_line(twap: Twap) -> dict[str, object]:
    """Write a TWAP."""
    return {
        "type": "twap",
        "address": twap.address,
        "twapId": twap.twap_id,
        "coin": twap.request.coin,
        "side": twap.request.side,
        "sz": amount(twap.request.sz),
        "executedSz": amount(twap.executed_sz),
        "status": twap.status,
        "time": twap.started_ms,
        "endTime": twap.ended_ms,
    }
