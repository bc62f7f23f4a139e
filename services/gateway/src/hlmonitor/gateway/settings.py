"""What a gateway can be told. The venue's limits are per egress IP; defaults: facts 2.1 and DESIGN §7."""

from ipaddress import ip_address
from typing import Self

from pydantic import Field, field_validator, model_validator

from hlmonitor.runtime.settings import Duration, ServiceSettings
from hlmonitor.venue.core import limits


class GatewaySettings(ServiceSettings):
    """Settings of the gateway."""

    nats_url: str = Field("nats://127.0.0.1:4222", description="NATS server with JetStream")
    venue_ws_url: str = Field("wss://api.hyperliquid.xyz/ws", pattern=r"^wss?://", description="the venue's websocket")
    venue_rest_url: str = Field(
        "https://api.hyperliquid.xyz", pattern=r"^https?://", description="the venue's REST, without /info"
    )
    egress_group: str = Field(
        "",
        description="gateways of one public IP, which share its limits; default: local_address or `default`",
    )
    local_address: str = Field("", description="source address of venue connections; empty: the system's choice")

    connections: int = Field(limits.CONNECTIONS, ge=1, description="most connections of an egress IP")
    spare_connections: int = Field(1, ge=0, description="connections of an egress IP that no wallet may take")
    new_connections_per_minute: int = Field(
        limits.NEW_CONNECTIONS_PER_MINUTE, ge=1, description="most connections that an egress IP may open in a minute"
    )
    subscriptions: int = Field(limits.SUBSCRIPTIONS, ge=1, description="most subscriptions of an egress IP")
    unique_users: int = Field(
        limits.UNIQUE_USERS,
        ge=1,
        description="most wallets of an egress IP; a lower number that the venue names wins",
    )
    user_release_s: Duration = Field(
        2.0, description="the venue counts a wallet for so long after its connection closed"
    )
    messages_per_minute: int = Field(
        limits.MESSAGES_PER_MINUTE, ge=1, description="most websocket messages that an egress IP may send in a minute"
    )
    rest_weight_per_minute: int = Field(
        limits.REST_WEIGHT_PER_MINUTE, ge=1, description="REST weight of an egress IP in a minute"
    )

    ping_interval_s: Duration = Field(25.0, description="between pings; the venue cuts after 60 s of its own silence")
    pong_timeout_s: Duration = Field(10.0, description="a ping without pong for so long ends the connection")
    ack_timeout_s: Duration = Field(10.0, description="a subscription not acknowledged for so long ends the connection")
    stale_after_s: Duration = Field(
        20.0, description="no account state (pushed every 5 s) for so long ends the connection"
    )
    open_timeout_s: Duration = Field(10.0, description="most time to open a connection or get a REST reply")
    backoff_initial_s: Duration = Field(1.0, description="first delay before a connection is opened again")
    backoff_most_s: Duration = Field(30.0, description="longest such delay")

    remove_grace: Duration = Field(300.0, description="a removed wallet stays subscribed for so long")
    handover_linger_s: Duration = Field(
        600.0,
        description="a wallet that is another gateway's now is read for so long, if that one does not say it is live",
    )
    slot_patience_s: Duration = Field(
        5.0, description="without a free connection for so long, a gateway asks the one that reads the wallet to let go"
    )
    rotate_after_s: Duration = Field(
        9_900.0, description="a connection is replaced before it is so old; the venue ends it after about 3 h"
    )
    resume_timeout_s: Duration = Field(15.0, description="an unanswered Opened is told again after this")
    rest_lag_s: Duration = Field(2.0, description="how far REST may be behind the stream when it is read as complete")
    routine_share: float = Field(
        0.25, gt=0, le=1, description="part of the REST weight that routine looks at wallets may take"
    )
    horizon_rows: int = Field(10_000, ge=1, description="most rows of a feed that the venue's REST can reach back")

    window_events: int = Field(20_000, ge=500, description="un-acknowledged events kept in all")
    window_events_per_address: int = Field(5_000, ge=10, description="un-acknowledged events kept of one wallet")
    batch_events: int = Field(500, ge=1, le=500, description="most events in one batch to an aggregator")
    received_timeout_s: Duration = Field(10.0, description="a batch not received for so long ends the stream")
    not_owner_pause_s: Duration = Field(0.2, description="wait for a new membership view after a refused partition")

    @field_validator("local_address")
    @classmethod
    def _is_an_ip_address(cls, value: str) -> str:
        if value:
            ip_address(value)
        return value

    @model_validator(mode="after")
    def _group_and_room(self) -> Self:
        if self.spare_connections >= self.connections:
            raise ValueError("spare_connections must be below connections, or no wallet has room")
        if not self.egress_group:
            self.egress_group = self.local_address or "default"
        return self
