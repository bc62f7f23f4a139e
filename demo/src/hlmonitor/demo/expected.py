"""What the simulator's oracle says must exist."""

import msgspec


class ExpectedSignal(msgspec.Struct, frozen=True):
    """A signal that must be published, field by field; amounts are canonical decimal strings."""

    id: str
    address: str
    coin: str
    oid: int
    direction: str
    side: str
    size: str
    price: str
    close_rate: str | None
    kind: str
    complete: bool
    fills: int
    first_fill_time: int
    last_fill_time: int
    fee: str
    fee_token: str
    closed_pnl: str
    start_position: str
    end_position: str


class Expectation(msgspec.Struct, frozen=True):
    """The oracle's answer: orders and fills that count, and their signals."""

    orders: int
    fills: int
    timed_out: int
    pending: int
    signals: list[ExpectedSignal]
    truncated: list[str] = []
    """Wallets whose ledger was cut by its limit: nothing can be said of them."""
