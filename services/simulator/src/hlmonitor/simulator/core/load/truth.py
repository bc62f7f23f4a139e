"""What a load has sent: known from its plan and from how many blocks left when, so that nothing is written down.

At 50,000 fills a second a ledger of rows would take the time and memory that the load needs. A wallet's
records are put together when somebody asks for them; who asks as a client gets those that the venue still shows.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import ZERO
from hlmonitor.simulator.core.ledger import FILL_HORIZON, ORDER_HORIZON, STATUS_HORIZON, Records

from .plan import stamp_fill, stamp_order, stamp_update

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import LoadPlan, Share

_KEPT_LATEST: Final = 32
"""Wallets whose newest records are kept and added to: clients page through one, and ask for its orders one by one."""


@dataclass(slots=True)
class Stretch:
    """Blocks that were sent one after the other at one interval: the first's number and time, and how many."""

    first: int
    start_ms: int
    interval_ms: float
    sent: int = 0

    def time_ms(self, number: int) -> int:
        """Return the time of a block, which is when it was meant to be sent."""
        return self.start_ms + int((number - self.first) * self.interval_ms)


class LoadTruth:
    """Counts what leaves, and gives each wallet's records."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self._stretches: list[Stretch] = []
        self._first_cycle = 0
        self._latest: OrderedDict[str, tuple[int, Records]] = OrderedDict()

    @property
    def sent(self) -> int:
        """The number of the next block; blocks are counted on through all stretches."""
        return self._stretches[-1].first + self._stretches[-1].sent if self._stretches else 0

    def begin(self, start_ms: int, interval_ms: float) -> Stretch:
        """Begin a stretch where the last one ended. The first one's time numbers the cycles."""
        if not self._stretches:
            self._first_cycle = start_ms // 1000
        self._stretches.append(Stretch(self.sent, start_ms, interval_ms))
        return self._stretches[-1]

    def cycle(self, number: int) -> int:
        """Return the cycle of a block: ids of different cycles differ, those of a later start as well."""
        return self._first_cycle + number // len(self.plan.blocks)

    def __contains__(self, address: str) -> bool:
        """Tell whether a wallet belongs to the load."""
        return address in self.plan.of_wallet

    def _sent_shares(self, address: str, since: int = 0) -> Iterator[tuple[Share, int, int]]:
        """Yield a wallet's share of each block that was sent from a number on, with its cycle and time."""
        shares, count = self.plan.of_wallet[address], len(self.plan.blocks)
        for stretch in self._stretches:
            for number in range(max(stretch.first, since), stretch.first + stretch.sent):
                share = shares.get(number % count)
                if share is not None:
                    yield share, self.cycle(number), stretch.time_ms(number)

    def records(self, address: str, other: Records) -> Records:
        """Return what was sent of a wallet, beside what else the ledger knows of it."""
        records = replace(other, orders=dict(other.orders), fills=other.fills.copy(), statuses=other.statuses.copy())
        for sent in self._sent_shares(address):
            _add(records, *sent)
        records.traded_ntl = sum((fill.px * fill.sz for fill in records.fills), ZERO)
        return records

    def latest(self, address: str, other: Records) -> Records:
        """Return the newest of what was sent of a wallet, no more than is shown to clients."""
        if address not in self._latest:
            shown = replace(other, orders=dict(other.orders), statuses=other.statuses.copy())
            shown.fills = deque(other.fills, FILL_HORIZON)
            self._latest[address] = self._since(address), shown
        since, records = self._latest.pop(address)
        for sent in self._sent_shares(address, since):
            _add(records, *sent)
        for oid in list(islice(records.orders, max(len(records.orders) - ORDER_HORIZON, 0))):
            del records.orders[oid]
        self._latest[address] = self.sent, records
        if len(self._latest) > _KEPT_LATEST:
            self._latest.popitem(last=False)
        return records

    def _since(self, address: str) -> int:
        """Return the block with which what is shown of a wallet begins, or one before it."""
        shares, count = self.plan.of_wallet[address], len(self.plan.blocks)
        fills = sum(len(share.fills) for share in shares.values())
        orders = sum(len(share.orders) for share in shares.values())
        statuses = sum(len(share.updates) for share in shares.values())
        kinds = ((FILL_HORIZON, fills), (ORDER_HORIZON, orders), (STATUS_HORIZON, statuses))
        cycles = max((-(-most // each) for most, each in kinds if each), default=0)
        return max(self.sent - cycles * count, 0)


def _add(records: Records, share: Share, cycle: int, time_ms: int) -> None:
    """Write what one block has of a wallet."""
    for order in share.orders:
        stamped = stamp_order(order, cycle, time_ms)
        records.orders[stamped.oid] = stamped
    records.fills.extend(stamp_fill(fill, cycle, time_ms) for fill in share.fills)
    records.statuses.extend(stamp_update(update, cycle, time_ms) for update in share.updates)
    records.sent_orders += len(share.orders)
