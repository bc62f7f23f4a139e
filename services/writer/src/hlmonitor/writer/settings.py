"""What the writer can be told."""

from typing import Annotated

from pydantic import AfterValidator, Field

from hlmonitor.runtime.settings import Duration, ServiceSettings
from hlmonitor.storage import checked_url


class WriterSettings(ServiceSettings):
    """Settings of the writer."""

    database_url: Annotated[str, AfterValidator(checked_url)] = Field(
        "sqlite+aiosqlite:///.run/hlmonitor.db",
        description="SQLAlchemy URL of the database: sqlite, postgresql, or mysql (MariaDB)",
    )
    migrate: bool = Field(
        True,  # noqa: FBT003 pydantic's way to state a default
        description="bring the schema to the newest version at start; safe with several writers. "
        "Off where a job of its own does it",
    )
    listen: str = Field("127.0.0.1:16820", description="host:port of the gRPC server; port 0 takes a free one")
    group_rows: int = Field(500, ge=1, le=10_000, description="most rows in one transaction")
    queue_batches: int = Field(
        256, ge=1, description="batches that may wait; when full, the streams are not read until there is room"
    )
    transaction_timeout: Duration = Field(20.0, description="a transaction that takes longer is given up and retried")
    known_overlap: Duration = Field(
        600.0, description="an owner is told the fills from its wallets' watermarks less this"
    )
    known_without_watermark: Duration = Field(
        86400.0, description="and of wallets without a watermark the fills of the last so long"
    )
    signal_expiry: Duration = Field(7 * 86400.0, description="expired_at of a signal's row is its decision plus this")
    loads_at_once: int = Field(4, ge=1, description="partitions that are loaded at the same time; others wait")
