"""Our own tables. `partition` is a reserved word in MySQL, so the column is `partition_id` everywhere.

Times that end in `_ms` are milliseconds: venue time, or local wall clock where the name says `created` or `updated`.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, SmallInteger, Table

from hlmonitor.storage.original import metadata
from hlmonitor.storage.types import Amount, Body, Digest, LongText, SignedId, name

hl_partition = Table(
    "hl_partition",
    metadata,
    Column("partition_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("last_batch", BigInteger, nullable=False),
    Column("owner", name(128), nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)
"""Who may commit: a batch is applied only under the current epoch and with the number after `last_batch`."""

hl_fill = Table(
    "hl_fill",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("partition_id", SmallInteger, nullable=False),
    Column("order_id", Digest, nullable=False),
    Column("address", name(42), nullable=False),
    Column("coin", name(64), nullable=False),
    Column("oid", BigInteger),
    Column("twap_id", BigInteger),
    Column("tid", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("side", name(1), nullable=False),
    Column("px", Amount, nullable=False),
    Column("sz", Amount, nullable=False),
    Column("start_position", Amount),
    Column("end_position", Amount),
    Column("dir", name(64), nullable=False),
    Column("closed_pnl", Amount, nullable=False),
    Column("fee", Amount, nullable=False),
    Column("fee_token", name(32), nullable=False),
    Column("hash", name(80), nullable=False),
    Column("cloid", name(64)),
    Column("feed", name(24), nullable=False),
    Column("uncounted", Boolean, nullable=False),
    Column("close_number", BigInteger),
    Column("open_number", BigInteger),
    Column("body", Body, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("idx_fill_order", "order_id"),
    Index("idx_fill_position", "partition_id", "address", "coin", "time_ms"),
    Index("idx_fill_time", "partition_id", "time_ms"),
    Index("idx_fill_created", "created_ms"),
)
"""Every execution, once. `close_number` and `open_number` name the signal that took its closing or opening part."""

hl_order_status = Table(
    "hl_order_status",
    metadata,
    Column("order_id", Digest, primary_key=True),
    Column("partition_id", SmallInteger, nullable=False),
    Column("address", name(42), nullable=False),
    Column("coin", name(64), nullable=False),
    Column("oid", BigInteger, nullable=False),
    Column("twap_id", BigInteger),
    Column("status", name(64), nullable=False),
    Column("orig_sz", Amount, nullable=False),
    Column("remaining_sz", Amount, nullable=False),
    Column("status_time_ms", BigInteger, nullable=False),
    Column("resolved", Boolean, nullable=False),
    Column("body", Body, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("idx_status_waiting", "partition_id", "resolved"),
    Index("idx_status_updated", "updated_ms"),
)
"""Terminal statuses that came before their order's fills; `resolved` when the order was emitted."""

hl_watermark = Table(
    "hl_watermark",
    metadata,
    Column("address", name(42), primary_key=True),
    Column("feed", name(24), primary_key=True),
    Column("partition_id", SmallInteger, nullable=False),
    Column("watermark_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("idx_watermark_partition", "partition_id"),
)
"""Where backfill starts, per wallet and feed; it never moves backwards."""

hl_gap = Table(
    "hl_gap",
    metadata,
    Column("address", name(42), primary_key=True),
    Column("feed", name(24), primary_key=True),
    Column("from_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("to_ms", BigInteger),
    Column("partition_id", SmallInteger, nullable=False),
    Column("reason", name(255), nullable=False),
    Column("state", name(16), nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("idx_gap_state", "partition_id", "state"),
)
"""Stretches of a feed that nobody vouched for: open, covered, unprovable, removed or late."""

hl_address_counter = Table(
    "hl_address_counter",
    metadata,
    Column("address", name(42), primary_key=True),
    Column("partition_id", SmallInteger, nullable=False),
    Column("next_number", BigInteger, nullable=False),
    Column("published_seq", BigInteger, nullable=False),
    Column("published_number", BigInteger, nullable=False),
    Index("idx_counter_partition", "partition_id"),
)
"""The next signal number of a wallet and how far its signals were confirmed published. Never deleted."""

hl_void_signal = Table(
    "hl_void_signal",
    metadata,
    Column("signal_id", name(200), primary_key=True),
    Column("address", name(42), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("subject", name(255), nullable=False),
    Column("payload", Body, nullable=False),
    Column("partition_id", SmallInteger, nullable=False),
    Column("published_seq", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Index("idx_void_unpublished", "partition_id", "published_seq"),
)
"""What is published under the numbers of signals whose data could not be stored, so that numbering stays dense.

Not among the signals: a reader of `hl_address_signals` must never meet a row without a trade.
"""

hl_dead_letter = Table(
    "hl_dead_letter",
    metadata,
    Column("id", SignedId, primary_key=True),
    Column("partition_id", SmallInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("batch", BigInteger, nullable=False),
    Column("kind", name(16), nullable=False),
    Column("order_id", Body, nullable=False),
    Column("reason", LongText, nullable=False),
    Column("signal_ids", LongText, nullable=False),
    Column("body", Body, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("idx_dead_letter_batch", "partition_id", "epoch", "batch"),
)
"""What the database refused for its data, as it came: `body` is a message of storage.proto, named by `kind`."""

hl_watch_entry = Table(
    "hl_watch_entry",
    metadata,
    Column("address", name(42), primary_key=True),
    Column("watch_from_ms", BigInteger, nullable=False),
    Column("backfill_from_ms", BigInteger),
    Column("removed_at_ms", BigInteger),
    Column("order_timeout_s", Double),
    Column("label", LongText, nullable=False),
    Column("priority", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)
"""How each wallet is watched, since when and with what settings; kept through its grace, until it is purged.

Which wallets are to be watched at all is said by the list (`hl_watch_addresses`, or another service's table).
"""

__all__ = ["hl_address_counter", "hl_dead_letter", "hl_fill", "hl_gap", "hl_order_status", "hl_partition"]
__all__ += ["hl_void_signal", "hl_watch_entry", "hl_watermark", "metadata"]
