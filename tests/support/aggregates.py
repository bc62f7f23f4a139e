"""Builders for tests of the aggregator: fills, statuses and a partition that records what it decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from stored import Stored

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.convert import fill_input, status_of
from hlmonitor.aggregator.core.doubts import FILL_FEEDS
from hlmonitor.aggregator.core.inputs import FillInput, StatusInput
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import FillDigest
from hlmonitor.domain.orders import OrderId
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.v1 import events_pb2, storage_pb2

WHALE = Address("0x" + "ab" * 20)
START_MS = 1_700_000_000_000


class FixedMarkets:
    """Markets with the names that tests use."""

    def symbol_of(self, coin: str) -> str:
        return {"BTC": "BTCUSDC", "ETH": "ETHUSDC", "@107": "HYPEUSDC"}.get(coin, coin)

    def coin_type_of(self, coin: str) -> str:
        return {"BTC": "A"}.get(coin, "D")

    def mid_of(self, coin: str) -> Decimal | None:
        return Decimal(100) if coin == "BTC" else None

    def token_usd(self, token: str) -> Decimal | None:
        return {"USDC": Decimal(1), "USDH": Decimal(1), "HYPE": Decimal(25)}.get(token)

    def collateral_of(self, dex: str) -> str | None:
        return {"": "USDC", "xyz": "USDC", "flx": "USDH"}.get(dex)

    def base_of(self, coin: str) -> str | None:
        return {"@107": "HYPE", "@166": "HYPE"}.get(coin)

    def quote_of(self, coin: str) -> str | None:
        return "USDH" if coin.startswith("flx:") else "USDC"

    def display_token(self, token: str) -> str:
        return token


def fill_message(**fields: Any) -> events_pb2.Fill:  # noqa: ANN401 whatever field a test is about
    """A fill of 1 BTC at 100, bought from flat, unless said otherwise."""
    values: dict[str, Any] = {
        "address": WHALE,
        "coin": "BTC",
        "px": "100",
        "sz": "1",
        "side": events_pb2.SIDE_BUY,
        "time_ms": START_MS,
        "start_position": "0",
        "dir": "Open Long",
        "closed_pnl": "0",
        "hash": "0x1",
        "oid": 1,
        "fee": "0.1",
        "fee_token": "USDC",
        "tid": 1,
        "crossed": True,
        "feed": events_pb2.FEED_USER_FILLS,
    }
    return events_pb2.Fill(**(values | fields))


def status_message(**fields: Any) -> events_pb2.OrderStatus:  # noqa: ANN401 whatever field a test is about
    """The `filled` of an order of 1 BTC, unless said otherwise."""
    values: dict[str, Any] = {
        "address": WHALE,
        "coin": "BTC",
        "oid": 1,
        "orig_sz": "1",
        "remaining_sz": "0",
        "status": "filled",
        "order_time_ms": START_MS,
        "status_time_ms": START_MS,
    }
    return events_pb2.OrderStatus(**(values | fields))


@dataclass
class Desk:
    """A partition with one watched wallet, a clock that tests move, and what came out of it."""

    watch_from_ms: int = 0
    order_timeout_s: float | None = None
    backfill_from_ms: int | None = None
    ahead_ms: int = 0
    """How far the wall clock is ahead of the seconds of `now_s`."""
    now_s: float = 1_000.0
    partition: Partition = field(init=False)
    stored: Stored | None = None
    """What the partition's questions are answered from; without it, it must have none."""
    batches: list[storage_pb2.CommitBatch] = field(default_factory=list)
    rows: list[storage_pb2.SignalRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.partition = Partition(0, Outbox(0, 1), FixedMarkets())
        self.watch()

    @property
    def now(self) -> Now:
        return Now(self.now_s, int(self.now_s * 1000) + self.ahead_ms)

    def watch(self, **fields: Any) -> None:  # noqa: ANN401 whatever field a test is about
        values: dict[str, Any] = {
            "address": WHALE,
            "watch_from_ms": self.watch_from_ms,
            "order_timeout_s": self.order_timeout_s,
            "backfill_from_ms": self.backfill_from_ms,
        }
        self.partition.watch({WHALE: WatchEntry(**(values | fields))}, self.now)

    def fill(self, **fields: Any) -> None:  # noqa: ANN401 whatever field a test is about
        raw = fill_message(**fields).SerializeToString()
        heard = fill_input(raw)
        self._ask(heard)
        self.partition.fill(heard, int(self.now_s * 1000), self.now)

    def status(self, **fields: Any) -> None:  # noqa: ANN401 whatever field a test is about
        status = status_of(status_message(**fields))
        self._ask(status)
        self.partition.status(status, int(self.now_s * 1000), self.now)

    def _ask(self, value: FillInput | StatusInput) -> None:
        if self.stored:
            self.stored.answer(self.partition, value, int(self.now_s * 1000), self.now)

    def learn(
        self,
        fills: Sequence[bytes] = (),
        stored: Mapping[FillDigest, OrderId] | None = None,
        orders: Sequence[bytes] = (),
        finished: Sequence[bytes] = (),
    ) -> None:
        """SQL was asked for these fills and orders, and has those that are stored and finished."""
        self.partition.recall.learn(
            storage_pb2.LookupRequest(digests=fills, order_ids=orders),
            storage_pb2.LookupResponse(
                known_fills=b"".join(digest + order for digest, order in (stored or {}).items()),
                finished_orders=finished,
            ),
        )

    def wait(self, seconds: float) -> None:
        """Let time pass in steps as the shell does."""
        end = self.now_s + seconds
        while self.now_s < end:
            self.now_s = min(self.now_s + 0.5, end)
            self.partition.tick(self.now)
            self.partition.sweep(self.now)

    def caught_up(self, from_ms: int = 0, through_ms: int = 0) -> None:
        """The gateway opens the wallet and catches up."""
        self.partition.opened(WHALE)
        self.cover(from_ms, through_ms)
        self.partition.take_requests()

    def cover(self, from_ms: int = 0, through_ms: int = 0) -> None:
        """Everything of both feeds was told."""
        for feed in FILL_FEEDS:
            told = events_pb2.CaughtUp(address=WHALE, feed=feed, from_ms=from_ms, through_ms=through_ms)
            self.partition.caught_up(told, self.now)

    def commit(self) -> None:
        """Commit everything that was gathered."""
        while batch := self.partition.outbox.freeze(self.now_s, force=True):
            self.batches.append(batch.message)
            self.rows += self.partition.outbox.done(batch.number, [])

    def signals(self) -> list[dict[str, Any]]:
        """The payloads of all signals that commits have released so far."""
        self.commit()
        return [msgspec.json.decode(row.payload) for row in self.rows]
