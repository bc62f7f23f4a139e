"""The truth: every order, fill and TWAP, as the exchange did them.

Memory is bounded. Named wallets (whales, and whoever is driven by the control API) keep everything up to
`limit` orders and `limit` fills together; past it the oldest finished ones go first and their wallet is
marked truncated. Everybody else (market makers, the crowd) keeps what the venue itself serves: the latest
2,000 orders and 10,000 fills each. Of every wallet the latest 2,000 changes of an order's status are kept, which is
what the venue lists. What is rare is kept by wallet: 20,000 TWAPs, the latest 10,000 payments of funding and the latest
20,000 other movements of money.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from .accounts import ZERO
from .orders import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from .events import Fill, FundingPayment, OrderUpdate, TwapUpdate
    from .ledger_updates import LedgerUpdate
    from .orders import Order
    from .twap import Twap

ORDER_HORIZON: Final = 2_000
STATUS_HORIZON: Final = 2_000
FILL_HORIZON: Final = 10_000
TWAP_HORIZON: Final = 20_000
FUNDING_HORIZON: Final = 10_000
UPDATE_HORIZON: Final = 20_000


@dataclass(slots=True)
class Records:
    """What is kept of one address, oldest first.

    `traded_ntl` (the volume of all fills) and `sent_orders` (orders of its own) also count what is no longer kept.
    """

    orders: dict[int, Order] = field(default_factory=dict)
    statuses: deque[OrderUpdate] = field(default_factory=lambda: deque(maxlen=STATUS_HORIZON))
    fills: deque[Fill] = field(default_factory=deque)
    twaps: dict[int, Twap] = field(default_factory=dict)
    twap_rows: deque[TwapUpdate] = field(default_factory=lambda: deque(maxlen=TWAP_HORIZON))
    fundings: deque[FundingPayment] = field(default_factory=lambda: deque(maxlen=FUNDING_HORIZON))
    ledger_updates: deque[LedgerUpdate] = field(default_factory=lambda: deque(maxlen=UPDATE_HORIZON))
    truncated: bool = False
    traded_ntl: Decimal = ZERO
    sent_orders: int = 0


class Lender(Protocol):
    """Knows what some wallets did without the ledger being told each time."""

    def __contains__(self, address: str, /) -> bool:
        """Tell whether a wallet is one of those."""
        ...

    def records(self, address: str, other: Records, /) -> Records:
        """Return the records of such a wallet, beside what the ledger itself has of it."""
        ...

    def latest(self, address: str, other: Records, /) -> Records:
        """Return the same, but of orders, fills and statuses only as many of the newest as the venue shows.

        They are not to be changed.
        """
        ...


class Ledger:
    """Keeps records by address. `limit` bounds orders and fills of named wallets, each."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self._limit = limit
        self._records: dict[str, Records] = {}
        self._named: set[str] = set()
        self._order_queue: deque[Order] = deque()
        self._fill_queue: deque[str] = deque()
        self._lender: Lender | None = None
        self.orders_total = 0
        self.fills_total = 0
        self.dropped = 0

    def name(self, address: str) -> None:
        """Keep everything of this address from now on."""
        self._named.add(address)

    def named(self) -> list[str]:
        """Return the named wallets in a stable order."""
        return sorted(self._named)

    def addresses(self) -> Iterator[str]:
        """Yield every address with records."""
        return iter(self._records)

    def lend(self, lender: Lender) -> None:
        """Ask somebody else for the records of the wallets that are theirs."""
        self._lender = lender

    def of(self, address: str) -> Records:
        """Return the records of an address; empty ones for an unknown address."""
        records = self._records.get(address) or Records()
        if self._lender is not None and address in self._lender:
            return self._lender.records(address, records)
        return records

    def latest(self, address: str) -> Records:
        """Return the records of an address, and of orders, fills and statuses as many of the newest as the venue shows.

        Its sums are not those of all that is left out.
        """
        if self._lender is not None and address in self._lender:
            return self._lender.latest(address, self._own(address))
        return self._records.get(address) or Records()

    def _own(self, address: str) -> Records:
        records = self._records.get(address)
        if records is None:
            records = self._records[address] = Records()
        return records

    def record_order(self, order: Order) -> None:
        """Keep an order (a live object: it is seen through to its end)."""
        self.orders_total += 1
        records = self._own(order.address)
        records.orders[order.oid] = order
        if order.origin is Origin.ORDINARY:
            records.sent_orders += 1
        if order.address in self._named:
            self._order_queue.append(order)
            self._trim_orders()
        elif len(records.orders) > ORDER_HORIZON:
            self._pop_oldest_closed(records)

    def record_status(self, update: OrderUpdate) -> None:
        """Keep a change of an order's status."""
        self._own(update.address).statuses.append(update)

    def record_fill(self, fill: Fill) -> None:
        """Keep a fill."""
        self.fills_total += 1
        records = self._own(fill.address)
        records.fills.append(fill)
        records.traded_ntl += fill.px * fill.sz
        if fill.address in self._named:
            self._fill_queue.append(fill.address)
            self._trim_fills()
        elif len(records.fills) > FILL_HORIZON:
            records.fills.popleft()
            records.truncated = True

    def record_twap(self, twap: Twap) -> None:
        """Keep a TWAP (a live object)."""
        records = self._own(twap.address)
        records.twaps[twap.twap_id] = twap
        if len(records.twaps) > TWAP_HORIZON:
            oldest = next((t.twap_id for t in records.twaps.values() if t.ended_ms is not None), None)
            if oldest is not None:
                del records.twaps[oldest]
                records.truncated = True

    def record_twap_row(self, row: TwapUpdate) -> None:
        """Keep a row of a TWAP's history."""
        self._own(row.state.address).twap_rows.append(row)

    def record_funding(self, payment: FundingPayment) -> None:
        """Keep a payment of funding."""
        self._own(payment.address).fundings.append(payment)

    def record_update(self, update: LedgerUpdate) -> None:
        """Keep a movement of money."""
        self._own(update.address).ledger_updates.append(update)

    @staticmethod
    def _pop_oldest_closed(records: Records) -> None:
        oldest = next((oid for oid, order in records.orders.items() if not order.is_open), None)
        if oldest is not None:
            del records.orders[oldest]
            records.truncated = True

    def _trim_orders(self) -> None:
        for _ in range(len(self._order_queue) - self._limit):
            order = self._order_queue.popleft()
            if order.is_open:
                self._order_queue.append(order)
                continue
            records = self._records[order.address]
            records.orders.pop(order.oid, None)
            records.truncated = True
            self.dropped += 1

    def _trim_fills(self) -> None:
        for _ in range(len(self._fill_queue) - self._limit):
            records = self._records[self._fill_queue.popleft()]
            records.fills.popleft()
            records.truncated = True
            self.dropped += 1
