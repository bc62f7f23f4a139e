"""A plan's blocks. Ids and times in them are marks, in whose place each repetition puts its own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from decimal import Decimal

    from hlmonitor.simulator.core.events import Block, Fill, OrderUpdate, Trade
    from hlmonitor.simulator.core.orders import Order

CYCLE_MARK: Final = 7_777_777_777
"""Ten digits that begin each oid, tid and hash of a plan. A cycle, numbered in seconds since 1970, has ten too."""
TIME_MARK: Final = 8_888_888_888_888
"""Stands for a block's time: milliseconds since 1970 have thirteen digits as well."""
OID_STEP: Final = 1_000_000
TID_STEP: Final = 100_000
"""Room for the ids of one cycle. A tid stays below 2^50, as on the venue, until the year 2320."""
_HASH_MARK: Final = f"0x{CYCLE_MARK}"


@dataclass(frozen=True, slots=True)
class PositionAfter:
    """What a wallet holds of a coin after a block; zero when it is flat."""

    address: str
    coin: str
    szi: Decimal
    entry_ntl: Decimal


@dataclass(frozen=True, slots=True)
class LoadBlock:
    """One block of a plan, and what it does to accounts. `cash` is what each wallet gains, fees paid."""

    block: Block
    orders: tuple[Order, ...]
    positions: tuple[PositionAfter, ...]
    cash: tuple[tuple[str, Decimal], ...]
    fees: Decimal


@dataclass(slots=True)
class Share:
    """What one block has for one wallet, or (trades) on one coin."""

    fills: list[Fill] = field(default_factory=list)
    updates: list[OrderUpdate] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)


Shares = dict[int, Share]
"""By the block's place in the plan."""


class LoadPlan:
    """All blocks, the wallets that trade in them, and whose part is where."""

    def __init__(self, addresses: tuple[str, ...], blocks: tuple[LoadBlock, ...]) -> None:
        self.addresses = addresses
        self.blocks = blocks
        self.fills = sum(len(load.block.fills) for load in blocks)
        self.of_wallet: dict[str, Shares] = {address: {} for address in addresses}
        self.of_coin: dict[str, Shares] = defaultdict(dict)
        for place, load in enumerate(blocks):
            for fill in load.block.fills:
                self._share(self.of_wallet[fill.address], place).fills.append(fill)
            for update in load.block.order_updates:
                self._share(self.of_wallet[update.address], place).updates.append(update)
            for order in load.orders:
                self._share(self.of_wallet[order.address], place).orders.append(order)
            for trade in load.block.trades:
                self._share(self.of_coin[trade.coin], place).trades.append(trade)

    @staticmethod
    def _share(shares: Shares, place: int) -> Share:
        share = shares.get(place)
        if share is None:
            share = shares[place] = Share()
        return share


def mark_hash(tx_hash: str) -> str:
    """Return a transaction hash that begins with the mark; the zero hash stays what it is."""
    return tx_hash if not int(tx_hash, 16) else _HASH_MARK + tx_hash[len(_HASH_MARK) :]


def stamp_hash(tx_hash: str, cycle: int) -> str:
    """Return the hash of a cycle."""
    return f"0x{cycle}{tx_hash[len(_HASH_MARK) :]}" if tx_hash.startswith(_HASH_MARK) else tx_hash


def stamp_fill(fill: Fill, cycle: int, time_ms: int) -> Fill:
    """Return a plan's fill as a cycle sends it."""
    shift = cycle - CYCLE_MARK
    return replace(
        fill,
        time=time_ms,
        oid=fill.oid + shift * OID_STEP,
        tid=fill.tid + shift * TID_STEP,
        hash=stamp_hash(fill.hash, cycle),
    )


def stamp_update(update: OrderUpdate, cycle: int, time_ms: int) -> OrderUpdate:
    """Return a plan's change of an order's status as a cycle sends it."""
    return replace(
        update,
        oid=update.oid + (cycle - CYCLE_MARK) * OID_STEP,
        timestamp=time_ms,
        status_ms=time_ms,
        tx_hash=None if update.tx_hash is None else stamp_hash(update.tx_hash, cycle),
        order=stamp_order(update.order, cycle, time_ms),
    )


def stamp_order(order: Order, cycle: int, time_ms: int) -> Order:
    """Return a plan's order as a cycle leaves it."""
    return replace(
        order,
        oid=order.oid + (cycle - CYCLE_MARK) * OID_STEP,
        placed_ms=time_ms,
        status_ms=time_ms,
        tx_hash=stamp_hash(order.tx_hash, cycle),
    )
