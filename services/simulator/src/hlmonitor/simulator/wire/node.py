"""Lines of a node's data files, one block a line (facts 5.2): fills of both sides, and every order status.

A node writes what the API does not: the TWAP of a slice (on its owner's side only), and the deployer's part of the fee
on HIP-3 coins. A line is written for every block, an empty one too: readers pair the kinds by block number.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from .rows import amount, fill_row, frontend_order_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.events import Block, Fill, OrderUpdate
    from hlmonitor.simulator.core.orders import Builder

_encode: Final = msgspec.json.Encoder().encode
_MICRO: Final = Decimal("0.000001")
_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
# A node's clock has nanoseconds where the API has milliseconds: any digits do, if they are the same each time.
_SPREAD: Final = 2_654_435_761


def block_time_ns(block: Block) -> int:
    """Return the block's time with the digits below the millisecond that only a node shows."""
    return block.time_ms * _NS_PER_MS + block.number * _SPREAD % _NS_PER_MS


def node_time(time_ns: int) -> str:
    """Write a time as a node does: ISO with nanoseconds, UTC without saying so."""
    seconds, rest = divmod(time_ns, _NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}"


def fills_line(block: Block, local_ns: int, deployer_share: Decimal) -> bytes:
    """Write a block's line of `node_fills_by_block`; `deployer_share` is the part of a HIP-3 fee."""
    return _line(block, local_ns, [(fill.address, node_fill_row(fill, deployer_share)) for fill in block.fills])


def statuses_line(block: Block, local_ns: int) -> bytes:
    """Write a block's line of `node_order_statuses_by_block`."""
    time = node_time(block_time_ns(block))
    return _line(block, local_ns, [status_row(update, time) for update in block.order_updates])


def _line(block: Block, local_ns: int, events: Sequence[object]) -> bytes:
    block_ns = block_time_ns(block)
    head = {
        # A node's clock may be behind the block's, but its files never show a block before its time.
        "local_time": node_time(max(local_ns, block_ns)),
        "block_time": node_time(block_ns),
        "block_number": block.number,
        "events": events,
    }
    return _encode(head) + b"\n"


def node_fill_row(fill: Fill, deployer_share: Decimal) -> dict[str, object]:
    """Write a fill as a node does."""
    row = fill_row(fill) | {"twapId": fill.twap_id}
    # HIP-3 coins carry their dex' name. Nobody has a part of a rebate, and the builder's part is the builder's alone.
    own_fee = fill.fee - (fill.builder_fee or 0)
    if ":" in fill.coin and own_fee > 0:
        row["deployerFee"] = amount((own_fee * deployer_share).quantize(_MICRO))
    return row


def _builder_row(builder: Builder | None) -> dict[str, object] | None:
    """Write who routed an order as the order action names it: address and tenths of a basis point."""
    return None if builder is None else {"b": builder.address, "f": builder.tenths_bp}


def status_row(update: OrderUpdate, time: str) -> dict[str, object]:
    """Write a change of an order's status with the whole order as it was then."""
    order = frontend_order_row(update.order) | {"sz": amount(update.sz)}
    return {
        "time": time,
        "user": update.address,
        "hash": update.tx_hash,
        "builder": _builder_row(update.order.builder),
        "status": update.status,
        "order": order,
    }
