"""What the address-loader can be told."""

from typing import Annotated

from pydantic import AfterValidator, Field

from hlmonitor.runtime.settings import Duration, ServiceSettings
from hlmonitor.storage import checked_url
from hlmonitor.storage.dao.watch import AddressSource


class AddressLoaderSettings(ServiceSettings):
    """Settings of the address-loader."""

    nats_url: str = Field("nats://127.0.0.1:4222", description="NATS server, or several separated by commas")
    database_url: Annotated[str, AfterValidator(checked_url)] = Field(
        "sqlite+aiosqlite:///.run/hlmonitor.db",
        description="SQLAlchemy URL of the database: sqlite, postgresql, or mysql (MariaDB)",
    )
    address_source: AddressSource = Field(
        AddressSource.AUTO,
        description="table of the watch list; auto: hl_active_addresses if it exists, else hl_watch_addresses",
    )
    every: Duration = Field(0.0, description="load again and again, this long after the last time; 0: once, then end")
    retry: Duration = Field(2.0, description="wait after a round that failed")
    timeout: Duration = Field(60.0, description="how long a single run (every = 0) tries before it fails")
    round_timeout: Duration = Field(20.0, description="a round that takes longer is given up and tried again")
    remove_grace: Duration = Field(300.0, description="a removed wallet that is back so soon goes on as before")
    purge_after: Duration = Field(
        600.0, description="the entry of a removed wallet is deleted this long after the grace"
    )
