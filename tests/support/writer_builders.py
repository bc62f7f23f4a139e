"""Messages of storage.proto with sensible contents; tests name what matters to them."""

from hashlib import blake2b

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.partitions import partition_of
from hlmonitor.v1 import events_pb2, storage_pb2

WALLET = Address("0x" + "ab" * 20)
PARTITION = partition_of(WALLET)
NOON_MS = 1_900_000_000_000


def digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def address(number: int) -> Address:
    return Address(f"0x{number:040x}")


def fill(tid: int = 1, *, order: str = "order-1", wallet: str = WALLET, **changes: object) -> storage_pb2.FillRow:
    row = storage_pb2.FillRow(digest=digest(f"{wallet}:{tid}"), order_id=digest(order))
    values: dict[str, object] = {
        "address": wallet,
        "coin": "BTC",
        "px": "60000.1",
        "sz": "0.5",
        "side": events_pb2.SIDE_BUY,
        "time_ms": NOON_MS + tid,
        "start_position": "0",
        "dir": "Open Long",
        "closed_pnl": "0",
        "hash": "0x00",
        "oid": 77,
        "fee": "1.25",
        "fee_token": "USDC",
        "tid": tid,
        "feed": events_pb2.FEED_USER_FILLS,
    }
    marks = {name: changes.pop(name) for name in ("close_number", "open_number", "uncounted") if name in changes}
    row.fill = events_pb2.Fill(**(values | changes)).SerializeToString()  # type: ignore[arg-type]
    for name, value in marks.items():
        setattr(row, name, value)
    return row


def order(
    name: str = "order-1",
    *,
    wallet: str = WALLET,
    oid: int = 77,
    finished: bool = False,
    signal_sent: bool = False,
    fills_json: str | None = None,
) -> storage_pb2.OrderRow:
    return storage_pb2.OrderRow(
        order_key=digest(f"{name}:open"),
        order_id=digest(name),
        address=wallet,
        oid=oid,
        leg=storage_pb2.LEG_OPEN,
        direction="Open Long",
        symbol="BTCUSDC",
        coin="BTC",
        fills_json=fills_json,
        total_size="0.5",
        weighted_avg_px="60000.1",
        order_status="open",
        last_fill_time_s=NOON_MS // 1000,
        signal_sent=signal_sent,
        finished=finished,
    )


def signal(
    number: int = 1, *, wallet: str = WALLET, payload: bytes | None = None, **changes: str
) -> storage_pb2.SignalRow:
    values = {
        "symbol": "BTCUSDC",
        "coin_type": "A",
        "asset_type": "futures",
        "direction": "open",
        "side": "LONG",
        "position_rate": "15.5",
        "position_size": "Medium",
        "close_rate": "0",
        "price": "60000.1",
        "size": "0.5",
    }
    return storage_pb2.SignalRow(
        signal_id=f"{wallet}:BTC:77:open:{number}",
        address=wallet,
        number=number,
        subject=f"hl.signals.v1.{wallet}.BTC.open",
        payload=payload or f'{{"number":{number}}}'.encode(),
        decided_at_ms=NOON_MS,
        **(values | changes),  # type: ignore[arg-type]
    )


def status(name: str = "order-1", *, resolved: bool = False) -> storage_pb2.StatusRow:
    return storage_pb2.StatusRow(
        order_id=digest(name),
        resolved=resolved,
        status=events_pb2.OrderStatus(
            address=WALLET,
            coin="BTC",
            oid=77,
            side=events_pb2.SIDE_BUY,
            limit_px="60000",
            orig_sz="1",
            remaining_sz="0",
            status="filled",
            order_time_ms=NOON_MS,
            status_time_ms=NOON_MS,
        ),
    )


def unit(name: str = "order-1", *, wallet: str = WALLET, **parts: object) -> storage_pb2.OrderUnit:
    return storage_pb2.OrderUnit(order_id=digest(name), address=wallet, **parts)  # type: ignore[arg-type]


def batch(
    number: int = 1, *units: storage_pb2.OrderUnit, epoch: int = 1, partition: int = PARTITION, **parts: object
) -> storage_pb2.CommitBatch:
    return storage_pb2.CommitBatch(partition=partition, epoch=epoch, number=number, units=units, **parts)  # type: ignore[arg-type]
