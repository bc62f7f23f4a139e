"""What the command line can be told: by environment and file as every service, by flags before the command."""

from typing import Annotated

from pydantic import AfterValidator, Field

from hlmonitor.runtime.settings import Duration, ServiceSettings
from hlmonitor.storage import checked_url
from hlmonitor.storage.dao.watch import AddressSource


class CliSettings(ServiceSettings):
    """Settings of `hlmon`."""

    nats_url: str = Field("nats://127.0.0.1:4222", description="NATS server, or several separated by commas")
    database_url: Annotated[str, AfterValidator(checked_url)] = Field(
        "sqlite+aiosqlite:///.run/hlmonitor.db",
        description="SQLAlchemy URL of the database: sqlite, postgresql, or mysql (MariaDB)",
    )
    venue_rest_url: str = Field(
        "https://api.hyperliquid.xyz", pattern=r"^https?://", description="the venue's REST, without /info"
    )
    venue_ws_url: str = Field("wss://api.hyperliquid.xyz/ws", pattern=r"^wss?://", description="the venue's websocket")
    address_source: AddressSource = Field(
        AddressSource.AUTO, description="table of the watch list, as the address-loader's"
    )
    remove_grace: Duration = Field(300.0, description="a removed wallet that is back so soon goes on as before")
    connect_timeout: Duration = Field(5.0, description="how long NATS, SQL and the venue may take to answer")
