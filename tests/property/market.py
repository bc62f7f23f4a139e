"""A venue that trades what a test draws, and remembers the truth."""

from dataclasses import dataclass, field
from fractions import Fraction

from oracle import Execution, Status, TrueOrder, is_spot

START_MS = 1_700_000_000_000

SYSTEM_DIRS = {
    "Liquidated Cross Long": "liquidation",
    "Liquidated Isolated Short": "liquidation",
    "Auto-Deleveraging": "adl",
    "Settlement": "settlement",
    "Net Child Vaults": "vault",
    "Spot Dust Conversion": "dust",
    "Merge Outcome": "outcome",
}


@dataclass(frozen=True)
class Told:
    """Something that a feed says of an order: one of its executions or one of its statuses."""

    order: TrueOrder
    what: Execution | Status


@dataclass
class Market:
    """Positions, orders, and everything that was said of them, in the venue's own order."""

    time_ms: int = START_MS
    positions: dict[tuple[str, str], Fraction] = field(default_factory=dict)
    orders: list[TrueOrder] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    _ids: int = 0
    _last_side: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def place(self, address: str, coin: str, side: str, *, cloid: bool = False, twap: bool = False) -> TrueOrder:
        """A new order, alive until it is ended."""
        oid = self._next_id()
        order = TrueOrder(address, coin, oid, "order", side, self.time_ms, cloid=f"0x{oid:032x}" if cloid else None)
        if twap:
            order.kind, order.twap_id = "twap", oid + 500_000
        self.orders.append(order)
        return order

    def execute(
        self, order: TrueOrder, sz: Fraction, px: Fraction, fee: Fraction, pnl: Fraction, after_ms: int, text: str = ""
    ) -> None:
        """Fill a part of an order; `text` is its dir if it shall not be the usual one."""
        self.time_ms += after_ms
        key = (order.address, order.coin)
        side, when_ms = self._last_side.get(key, (order.side, self.time_ms))
        if side != order.side and when_ms == self.time_ms:
            # To and fro within a millisecond leaves no chain that tells what came first.
            self.time_ms += 1
        self._last_side[key] = order.side, self.time_ms
        start = self.positions.get(key, Fraction(0))
        if is_spot(order.coin) and order.side == "A" and start < sz:
            # Somebody sent it more tokens, in a later block.
            self.time_ms += 1
            start = sz
        execution = Execution(
            index=len(self.told),
            time_ms=self.time_ms,
            tid=0 if order.kind == "dust" else self._next_id(),
            oid=self._next_id() if order.twap_id is not None else order.oid,
            side=order.side,
            px=px,
            sz=sz,
            start=start,
            fee=fee,
            closed_pnl=pnl,
            dir=text or _dir(order, start, sz),
        )
        self.positions[key] = execution.end
        order.executions.append(execution)
        if text and order.kind == "order":
            order.kind = "unknown"
        self.told.append(Told(order, execution))

    def say(self, order: TrueOrder, text: str, unfilled: Fraction = Fraction(0)) -> None:
        """Tell an order's status; `unfilled` is what remains of it."""
        filled = sum((execution.sz for execution in order.executions), Fraction(0))
        status = Status(text, filled + unfilled, unfilled, self.time_ms)
        order.statuses.append(status)
        self.told.append(Told(order, status))

    def intervene(self, address: str, coin: str, text: str, sizes: list[Fraction], px: Fraction) -> TrueOrder:
        """The venue closes (or merges, or sells as dust) by itself: all at one time, no status."""
        side = "B" if self.positions.get((address, coin), Fraction(0)) < 0 else "A"
        self.time_ms += 1
        order = TrueOrder(address, coin, self._next_id(), SYSTEM_DIRS[text], side, self.time_ms)
        self.orders.append(order)
        if is_spot(coin):
            self.positions[address, coin] = max(
                self.positions.get((address, coin), Fraction(0)), sum(sizes, Fraction(0))
            )
        for sz in sizes:
            self.execute(order, sz, px, Fraction(0), Fraction(-1, 4), 0, text)
        return order

    def _next_id(self) -> int:
        # Later ids are sometimes less: nothing may be read from their order.
        self._ids += 1
        return 1_000_000 + (self._ids * 7_919) % 1_000_003


def _dir(order: TrueOrder, start: Fraction, sz: Fraction) -> str:
    if is_spot(order.coin):
        return "Buy" if order.side == "B" else "Sell"
    change = sz if order.side == "B" else -sz
    if start * change >= 0:
        return "Open Long" if change > 0 else "Open Short"
    if abs(change) <= abs(start):
        return "Close Long" if start > 0 else "Close Short"
    return "Long > Short" if start > 0 else "Short > Long"
