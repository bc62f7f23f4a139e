"""The original's tables, with the nullable columns that we add, and the two foreign tables that we only read.

Types and names are the original's (as its auto-migrate makes them). No unique key is put on its data: `order_key` and
`signal_id` are null in its rows, and null never collides.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
)

from hlmonitor.domain.sizes import MEDIUM_BELOW_PERCENT, SMALL_BELOW_PERCENT
from hlmonitor.storage.types import Amount, Body, Digest, Id, LegacyNumber, LocalTime, RawJson, SignedId, name

metadata = MetaData()
"""Everything that the migrations make or adopt."""
foreign = MetaData()
"""Another service's tables: never created, never altered."""

hl_active_addresses = Table(
    "hl_active_addresses",
    foreign,
    Column("id", SignedId, primary_key=True),
    Column("server_id", Integer, nullable=False),
    Column("address", String(64), nullable=False),
    Column("created_at", LocalTime),
    Column("updated_at", LocalTime),
    UniqueConstraint("server_id", "address", name="uidx_server_addr"),
)

pair_configs = Table(
    "pair_configs",
    foreign,
    Column("id", Integer, primary_key=True),
    Column("symbol", String(32), nullable=False),
    Column("platform", String(32)),
    Column("category", SmallInteger),
)

hl_watch_addresses = Table(
    "hl_watch_addresses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("player_id", Id, nullable=False),
    Column("address", String(42), nullable=False),
    Column("nickname", String(64), server_default=""),
    Column("is_system", Boolean, nullable=False, server_default=false()),
    Column("created_at", LocalTime),
    Column("updated_at", LocalTime),
    Column("deleted_at", LocalTime),
    UniqueConstraint("player_id", "address", name="uidx_player_addr"),
    Index("idx_player", "player_id"),
    Index("idx_hl_watch_addresses_deleted_at", "deleted_at"),
)

hl_position_cache = Table(
    "hl_position_cache",
    metadata,
    Column("id", Id, primary_key=True),
    Column("address", String(42), nullable=False),
    Column("spot_balances", RawJson),
    Column("spot_total_usd", String(32), nullable=False, server_default="0"),
    Column("futures_positions", RawJson),
    Column("account_value", String(32), nullable=False, server_default="0"),
    Column("total_margin_used", String(32), nullable=False, server_default="0"),
    Column("total_ntl_pos", String(32), nullable=False, server_default="0"),
    Column("withdrawable", String(32), nullable=False, server_default="0"),
    Column("updated_at", LocalTime, nullable=False),
    Column("partition_id", SmallInteger),
    UniqueConstraint("address", name="uidx_address"),
    Index("idx_updated", "updated_at"),
    Index("idx_position_cache_partition", "partition_id"),
)

hl_order_aggregation = Table(
    "hl_order_aggregation",
    metadata,
    Column("id", SignedId, primary_key=True),
    Column("oid", BigInteger, nullable=False),
    Column("address", String(42), nullable=False),
    Column("direction", String(16), nullable=False),
    Column("symbol", String(24), nullable=False),
    Column("fills", RawJson, nullable=False),
    Column("total_size", Double, nullable=False, server_default=text("0")),
    Column("weighted_avg_px", Double, nullable=False, server_default=text("0")),
    Column("order_status", String(64), nullable=False, server_default="open"),
    Column("last_fill_time", BigInteger, nullable=False),
    Column("signal_sent", Boolean, nullable=False, server_default=false()),
    Column("created_at", LocalTime),
    Column("updated_at", LocalTime),
    Column("order_key", Digest),
    Column("order_id", Digest),
    Column("partition_id", SmallInteger),
    Column("coin", name(64)),
    Column("leg", name(8)),
    Column("finished", Boolean),
    Column("total_sz", Amount),
    Column("avg_px", Amount),
    Index("uidx_order_key", "order_key", unique=True),
    Index("idx_order_oid", "oid", "address", "direction"),
    Index("idx_last_fill_time", "last_fill_time"),
    Index("idx_signal_sent", "signal_sent"),
    Index("idx_order_id", "order_id"),
    Index("idx_order_open", "partition_id", "finished"),
    Index("idx_order_updated", "updated_at"),
)

hl_address_signals = Table(
    "hl_address_signals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("address", String(42), nullable=False),
    Column("position_rate", LegacyNumber(18, 3), nullable=False),
    Column("close_rate", LegacyNumber(18, 3), nullable=False, server_default=text("0")),
    Column("symbol", String(24), nullable=False),
    Column("coin_type", String(8), nullable=False),
    Column("asset_type", String(24), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("side", String(8), nullable=False),
    Column("price", LegacyNumber(28, 12), nullable=False),
    Column("size", LegacyNumber(18, 8), nullable=False),
    Column("created_at", LocalTime),
    Column("expired_at", LocalTime, nullable=False),
    Column("signal_id", name(200)),
    Column("number", BigInteger),
    Column("payload", Body),
    Column("subject", name(255)),
    Column("published_seq", BigInteger),
    Column("partition_id", SmallInteger),
    Column("order_id", Digest),
    Column("position_size", name(8)),
    Index("uidx_signal_id", "signal_id", unique=True),
    Index("idx_address", "address"),
    Index("idx_symbol", "symbol"),
    Index("idx_asset_type", "asset_type"),
    Index("idx_created", "created_at"),
    Index("idx_expired", "expired_at"),
    Index("idx_signal_number", "address", "number"),
    Index("idx_signal_unpublished", "partition_id", "published_seq"),
    Index("idx_signal_order", "order_id"),
)

SIGNAL_VIEW = "hl_address_signal"
SIZE_OF_RATE = f"""
    CASE WHEN position_rate + 0 < {SMALL_BELOW_PERCENT} THEN 'Small'
         WHEN position_rate + 0 < {MEDIUM_BELOW_PERCENT} THEN 'Medium'
         ELSE 'Large' END
"""
"""What a row without `position_size` gets: the rate in percent of the account, in three words.

Adding zero makes SQLite, which holds these columns as text, compare numbers.
"""
SIGNAL_VIEW_QUERY = f"""
SELECT id, address, symbol, coin_type, asset_type, direction, side,
    CASE WHEN signal_id IS NULL THEN {SIZE_OF_RATE} ELSE position_size END AS position_size,
    position_rate, close_rate, price, size, created_at, expired_at, signal_id, number
FROM hl_address_signals
"""  # noqa: S608 the numbers are constants above
"""The table that the original's README shows. Our rows say their own size, null when the account's value was unknown;
for the original's rows it is worked out from the rate.
"""
