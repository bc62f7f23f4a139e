"""Rows of given ages, as the cleaner finds them."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Table, insert, text

from hlmonitor.storage import Database
from hlmonitor.storage.original import hl_address_signals, hl_order_aggregation
from hlmonitor.storage.tables import hl_fill, hl_order_status, hl_void_signal

WALLET = "0x" + "ab" * 20
NOW_MS = 1_900_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(slots=True)
class Store:
    """A database with rows of given ages."""

    database: Database
    now_ms: int = NOW_MS

    async def order(
        self, name: str, age_ms: int, *, finished: bool | None = True, leg: str = "open", ours: bool = True
    ) -> None:
        row = {
            "oid": len(name),
            "address": WALLET,
            "direction": f"{leg} {name}"[:16],
            "symbol": "BTCUSDC",
            "fills": "[]",
            "last_fill_time": 0,
            "created_at": self.now_ms - age_ms,
            "updated_at": self.now_ms - age_ms,
        }
        if ours:
            row |= {"order_key": key(f"{name}{leg}"), "order_id": key(name), "partition_id": 1, "finished": finished}
        await self.put(hl_order_aggregation, row)

    async def fill(self, name: str, age_ms: int) -> None:
        row = {
            "digest": key(f"fill {name}"),
            "partition_id": 1,
            "order_id": key(name),
            "address": WALLET,
            "coin": "BTC",
            "tid": 1,
            "time_ms": self.now_ms - age_ms,
            "side": "B",
            "px": Decimal(1),
            "sz": Decimal(1),
            "dir": name,
            "closed_pnl": Decimal(0),
            "fee": Decimal(0),
            "fee_token": "USDC",
            "hash": "0x",
            "feed": "userFills",
            "uncounted": False,
            "body": b"",
            "created_ms": self.now_ms - age_ms,
        }
        await self.put(hl_fill, row)

    async def status(self, name: str, age_ms: int, *, resolved: bool = True) -> None:
        row = {
            "order_id": key(name),
            "partition_id": 1,
            "address": WALLET,
            "coin": "BTC",
            "oid": 1,
            "status": name,
            "orig_sz": Decimal(1),
            "remaining_sz": Decimal(0),
            "status_time_ms": 0,
            "resolved": resolved,
            "body": b"",
            "updated_ms": self.now_ms - age_ms,
        }
        await self.put(hl_order_status, row)

    async def signal(self, name: str, age_ms: int, *, published: bool = True, ours: bool = True) -> None:
        row = {
            "address": WALLET,
            "position_rate": Decimal(1),
            "close_rate": Decimal(0),
            "symbol": name,
            "coin_type": "A",
            "asset_type": "futures",
            "direction": "open",
            "side": "LONG",
            "price": Decimal(1),
            "size": Decimal(1),
            "created_at": self.now_ms - age_ms,
            "expired_at": self.now_ms,
        }
        if ours:
            row |= {"signal_id": f"id {name}", "order_id": key(name), "published_seq": 5 if published else None}
        await self.put(hl_address_signals, row)

    async def void(self, name: str, age_ms: int, *, published: bool = True) -> None:
        row = {
            "signal_id": name,
            "address": WALLET,
            "number": 1,
            "subject": "s",
            "payload": b"",
            "partition_id": 1,
            "published_seq": 5 if published else None,
            "created_ms": self.now_ms - age_ms,
        }
        await self.put(hl_void_signal, row)

    async def put(self, table: Table, row: dict[str, object]) -> None:
        async with self.database.write() as connection:
            await connection.execute(insert(table), [row])

    async def left(self, column: str, table: str) -> list[str]:
        async with self.database.read() as connection:
            return sorted((await connection.scalars(text(f"SELECT {column} FROM {table}"))).all())


def key(name: str) -> bytes:
    return name.encode().ljust(16, b".")[:16]
