"""What the venue did, and which signals must come of it: written from DESIGN §2 and §6, in exact fractions.

It shares no code with what it judges, and nothing here is fast.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction

PRICE_DECIMALS = 12
RATE_DECIMALS = 9


@dataclass(frozen=True)
class Execution:
    """One fill of an order, in the order in which the venue made them (`index`)."""

    index: int
    time_ms: int
    tid: int
    oid: int
    side: str
    """`B` buys, `A` sells."""
    px: Fraction
    sz: Fraction
    start: Fraction
    fee: Fraction
    closed_pnl: Fraction
    dir: str

    @property
    def end(self) -> Fraction:
        """The position after it."""
        return self.start + (self.sz if self.side == "B" else -self.sz)


@dataclass(frozen=True)
class Status:
    """What the venue says of an order at one moment."""

    text: str
    orig: Fraction
    remaining: Fraction
    time_ms: int

    @property
    def is_final(self) -> bool:
        """It ends the order; a text that nobody knows does if nothing remains."""
        if self.text in {"open", "triggered", "activated", "waitingForTrigger"}:
            return False
        return not self.is_strange or self.remaining == 0

    @property
    def is_strange(self) -> bool:
        """Nobody knows what it means."""
        return self.text in {"vanished", "suspended"}


@dataclass
class TrueOrder:
    """An order as it really was."""

    address: str
    coin: str
    oid: int
    kind: str
    side: str
    placed_ms: int
    cloid: str | None = None
    twap_id: int | None = None
    executions: list[Execution] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)

    @property
    def is_system(self) -> bool:
        """The venue made it; no status tells its end."""
        return self.kind not in {"order", "twap", "unknown"}

    @property
    def end(self) -> Status | None:
        """The status that ended it."""
        return next((status for status in self.statuses if status.is_final), None)


@dataclass(frozen=True)
class Piece:
    """The share of an execution that belongs to one leg."""

    size: Fraction
    before: Fraction
    after: Fraction
    side: str


def is_spot(coin: str) -> bool:
    """Whether balances are traded, not positions."""
    return coin[0] in "@#" or "/" in coin


def pieces(coin: str, execution: Execution) -> dict[str, Piece]:
    """Leg → share, from start position, side and size alone (§6.1)."""
    start, end = execution.start, execution.end
    if is_spot(coin):
        leg = "open" if execution.side == "B" else "close"
        return {leg: Piece(execution.sz, start, end, "LONG")}
    found = {}
    # What is nearer to zero (or at it) afterwards, on the same side, was closed; what is farther was opened.
    kept = end if start * end > 0 else Fraction(0)
    if abs(kept) < abs(start):
        found["close"] = Piece(abs(start) - abs(kept), start, kept, "LONG" if start > 0 else "SHORT")
    if abs(end) > abs(start) or (start * end < 0):
        base = start if start * end > 0 else Fraction(0)
        found["open"] = Piece(abs(end) - abs(base), base, end, "LONG" if end > 0 else "SHORT")
    return found


def half_even(value: Fraction, decimals: int) -> Fraction:
    """The nearest multiple of 10^-decimals; a tie goes to the even one."""
    scaled = value * 10**decimals
    below = scaled.numerator // scaled.denominator
    rest = scaled - below
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1)
    return Fraction(below + up, 10**decimals)


def decimal_text(value: Fraction) -> str:
    """A fraction that ends in decimals, in full."""
    exact = Context(prec=200)
    number = exact.divide(Decimal(value.numerator), Decimal(value.denominator))
    assert Fraction(number) == value, f"{value} has no end"
    return format(number, "f")


def signal_of(order: TrueOrder, leg: str, taken: Sequence[Execution]) -> dict[str, object]:
    """What the signal of these executions' shares of a leg must say (§6.2, §6.3); numbers as fractions."""
    ranked = sorted(taken, key=lambda execution: execution.index)
    shares = [(execution, pieces(order.coin, execution)[leg]) for execution in ranked]
    (first, at_first), (last, at_last) = shares[0], shares[-1]
    size = sum((share.size for _, share in shares), Fraction(0))
    notional = sum((execution.px * share.size for execution, share in shares), Fraction(0))
    fee = sum((execution.fee * share.size / execution.sz for execution, share in shares), Fraction(0))
    # A fill that has both legs made its profit by closing.
    earned = [
        execution.closed_pnl for execution, _ in shares if leg == "close" or len(pieces(order.coin, execution)) == 1
    ]
    rate = None
    if leg == "close" and at_first.before != 0:
        rate = half_even(min(size / abs(at_first.before), Fraction(1)), RATE_DECIMALS)
    return {
        "address": order.address,
        "coin": order.coin,
        "asset_type": "spot" if is_spot(order.coin) else "futures",
        "direction": leg,
        "side": at_first.side,
        "size": size,
        "price": half_even(notional / size, PRICE_DECIMALS),
        "notional_usd": notional,
        "close_rate": rate,
        "fee": half_even(fee, PRICE_DECIMALS),
        "closed_pnl": sum(earned, Fraction(0)),
        "start_position": at_first.before,
        "end_position": at_last.after,
        "fills": len(shares),
        "timestamp": first.time_ms,
        "first_fill_time": first.time_ms,
        "last_fill_time": last.time_ms,
        "cloid": order.cloid,
        "twap_id": order.twap_id,
    }


def whole_signals(order: TrueOrder, watch_from_ms: int) -> Iterator[tuple[str, list[Execution]]]:
    """The legs of an order that completes, close before open, each with all its counted executions."""
    counted = [execution for execution in order.executions if execution.time_ms >= watch_from_ms]
    for leg in ("close", "open"):
        mine = [execution for execution in counted if leg in pieces(order.coin, execution)]
        if mine:
            yield leg, mine


@dataclass(frozen=True)
class Fortune:
    """What a wallet owns, as it was last told: each part whole, or not at all."""

    values: Mapping[str, Fraction] | None = None
    """Account value per perp dex, in the dex' collateral."""
    balances: Mapping[str, Fraction] | None = None
    mode: str = "default"


COLLATERAL = {"": "USDC", "xyz": "USDC", "flx": "USDH"}
PRICES = {"USDC": Fraction(1), "USDH": Fraction(1), "HYPE": Fraction(25)}


def position_rate(fortune: Fortune, coin: str, notional: Fraction) -> Fraction | None:
    """Percent of what backs a trade, rounded; None when it is not known or not above zero (§6.3, facts 4.3)."""
    values, balances = fortune.values or {}, fortune.balances
    dex = coin.split(":", maxsplit=1)[0] if ":" in coin else ""
    everything = sum((PRICES.get(token, Fraction(0)) * owned for token, owned in (balances or {}).items()), Fraction(0))
    if fortune.mode == "portfolioMargin" or is_spot(coin):
        backing = None if balances is None else everything
    elif fortune.mode == "unifiedAccount":
        # What perps are worth is a part of the balance already.
        backing = None if balances is None else balances.get(COLLATERAL[dex], Fraction(0))
    else:
        backing = values.get(dex)
    return None if backing is None or backing <= 0 else half_even(100 * notional / backing, RATE_DECIMALS)
