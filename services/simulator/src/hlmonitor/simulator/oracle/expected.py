"""Rules 3 to 7: from the ledger to the list of signals that must exist."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from .amounts import PRICE_DECIMALS, RATE_DECIMALS, canonical, rounded
from .orders import OrderName, fill_suffix, kind_by_all, name_of
from .parts import Part, exact, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hlmonitor.simulator.core.events import Fill
    from hlmonitor.simulator.core.ledger import Ledger, Records

ORDER_TIMEOUT_MS: Final = 300_000
_LEGS: Final = ("close", "open")


@dataclass(slots=True)
class Expectation:
    """What the pipeline must have published. Counts are of orders with counted fills."""

    orders: int = 0
    fills: int = 0
    timed_out: int = 0
    """Ended orders that lived longer than the timeout: partials are allowed, so nothing is expected."""
    pending: int = 0
    """Orders that have not ended."""
    truncated: list[str] = field(default_factory=list)
    """Wallets of which the ledger no longer has everything: nothing is expected of them."""
    timed_out_orders: list[dict[str, object]] = field(default_factory=list)
    signals: list[dict[str, object]] = field(default_factory=list)

    def add(self, other: Expectation) -> None:
        """Take in what is expected of other wallets."""
        self.orders += other.orders
        self.fills += other.fills
        self.timed_out += other.timed_out
        self.pending += other.pending
        self.truncated += other.truncated
        self.timed_out_orders += other.timed_out_orders
        self.signals += other.signals


def expect(ledger: Ledger, watch_from: Mapping[str, int], order_timeout_ms: int = ORDER_TIMEOUT_MS) -> Expectation:
    """Return the signals that must exist for wallets watched from these times on."""
    result = Expectation()
    for given, since in watch_from.items():
        address = given.lower()
        records = ledger.of(address)
        if records.truncated:
            result.truncated.append(address)
            continue
        for name, fills in _orders(records.fills, since).items():
            _judge(result, records, name, fills, order_timeout_ms)
    return result


def _orders(fills: Iterable[Fill], since: int) -> dict[OrderName, list[Fill]]:
    groups: dict[OrderName, list[Fill]] = defaultdict(list)
    for fill in fills:
        if fill.time >= since:
            groups[name_of(fill)].append(fill)
    return {kind_by_all(name, found): found for name, found in groups.items()}


def _judge(result: Expectation, records: Records, name: OrderName, fills: list[Fill], order_timeout_ms: int) -> None:
    ended = _ended_ms(records, name, fills)
    if ended is None:
        result.pending += 1
    elif ended - min(fill.time for fill in fills) > order_timeout_ms:
        result.timed_out += 1
        result.timed_out_orders.append({"address": name.address, "coin": name.coin, "oid": name.number})
    else:
        result.orders += 1
        result.fills += len(fills)
        result.signals += signals_of(name, fills, is_complete=_is_complete(records, name))


def _is_complete(records: Records, name: OrderName) -> bool:
    """Rule 7: of an order whose statuses show no original size nobody can tell that all its fills are there."""
    order = records.orders.get(name.number)
    return name.kind != "order" or order is None or order.orig_sz > 0


def _ended_ms(records: Records, name: OrderName, fills: list[Fill]) -> int | None:
    """Return when an order ended, None while it has not."""
    if name.kind == "twap":
        return records.twaps[name.twap_id or 0].ended_ms
    order = records.orders.get(name.number)
    if order is not None:
        return None if order.is_open else order.status_ms
    return max(fill.time for fill in fills)


def signals_of(name: OrderName, fills: Iterable[Fill], *, is_complete: bool = True) -> list[dict[str, object]]:
    """Return the signals of one ended order, the close leg first."""
    parts = [part for fill in fills for part in split(fill)]
    parts.sort(key=_place)
    legs = {leg: [part for part in parts if part.leg == leg] for leg in _LEGS}
    return [_signal(name, leg, found) | {"complete": is_complete} for leg, found in legs.items() if found]


def _place(part: Part) -> tuple[int, Fraction, int]:
    """Rule 4: fills of one order move the position one way, so its chain is a sort along that way."""
    fill = part.fill
    along = exact(fill.start_position) * (1 if fill.side == "B" else -1)
    return fill.time, along, fill.tid


def _signal(name: OrderName, leg: str, parts: list[Part]) -> dict[str, object]:
    first, last = parts[0], parts[-1]
    size = sum((part.size for part in parts), Fraction(0))
    notional = sum((exact(part.fill.px) * part.size for part in parts), Fraction(0))
    price = notional / size
    return {
        "id": f"{name.address}:{name.coin}:{name.number}:{leg}:{fill_suffix(first.fill)}",
        "address": name.address,
        "coin": name.coin,
        "oid": name.number,
        "direction": leg,
        "side": first.side,
        "size": canonical(size),
        "price": canonical(rounded(price, PRICE_DECIMALS)),
        "price_exact": f"{price.numerator}/{price.denominator}",
        "close_rate": _close_rate(size, first) if leg == "close" else None,
        "kind": name.kind,
        "fills": len(parts),
        "first_fill_time": first.fill.time,
        "last_fill_time": last.fill.time,
        "fee": canonical(rounded(sum((part.fee for part in parts), Fraction(0)), PRICE_DECIMALS)),
        "fee_token": first.fill.fee_token,
        "closed_pnl": canonical(rounded(sum((part.pnl for part in parts), Fraction(0)), PRICE_DECIMALS)),
        "start_position": canonical(first.start),
        "end_position": canonical(last.end),
    }


def _close_rate(size: Fraction, first: Part) -> str | None:
    if not first.start:
        return None
    return canonical(rounded(min(size / abs(first.start), Fraction(1)), RATE_DECIMALS))
