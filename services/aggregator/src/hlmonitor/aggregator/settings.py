"""What the aggregator can be told."""

from decimal import Decimal
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from hlmonitor.aggregator.core.episodes import QUIET_S
from hlmonitor.aggregator.core.partition import DEDUP_HORIZON_S
from hlmonitor.aggregator.core.publishing import MAX_ROWS
from hlmonitor.aggregator.core.triggers import Patience
from hlmonitor.aggregator.core.vigil import ROUTINE_S
from hlmonitor.domain.sizes import MEDIUM_BELOW_PERCENT, SMALL_BELOW_PERCENT, SizeBounds
from hlmonitor.runtime.settings import Duration, ServiceSettings


class AggregatorSettings(ServiceSettings):
    """Settings of the aggregator."""

    nats_url: str = Field("nats://127.0.0.1:4222", description="NATS server, or several separated by commas")
    writer: str = Field("127.0.0.1:16820", description="host:port of the writer's gRPC server")
    listen: str = Field("127.0.0.1:0", description="host:port of the gRPC server; port 0 takes a free one")
    advertise: str = Field("", description="host:port that gateways use to reach it; default: where it listens")
    venue_rest_url: str = Field("https://api.hyperliquid.xyz", description="the venue's REST endpoint, for metadata")
    local_address: str = Field("", description="local address to leave through to the venue; default: any")
    rest_weight_per_minute: int = Field(200, ge=20, description="share of the egress IP's REST weight, per minute")
    metadata_reload: Duration = Field(7200.0, description="how often symbols and dexes are read again")
    mids_reload: Duration = Field(5.0, description="how often mid prices are read")
    order_timeout: Duration = Field(
        300.0, description="without an end for this long, an order's fills go out as partial"
    )
    status_grace: Duration = Field(10.0, description="how long an ended order waits for fills that are missing")
    episode_quiet: Duration = Field(
        QUIET_S, description="on the trades feed, fills so close to each other in one coin and side are one signal"
    )
    reconcile_every: Duration = Field(
        ROUTINE_S,
        validate_default=True,
        gt=0,
        description="how often a wallet's fills are read over REST though nothing is in doubt; busy wallets sooner",
    )
    remove_grace: Duration = Field(300.0, description="how long a wallet is still watched after its removal")
    small_below: Decimal = Field(
        SMALL_BELOW_PERCENT, gt=0, description="below this percent of the account, a signal's position_size is Small"
    )
    medium_below: Decimal = Field(
        MEDIUM_BELOW_PERCENT,
        validate_default=True,
        description="below this percent it is Medium, else Large; above `HLMON_SMALL_BELOW`",
    )
    publish_concurrency: int = Field(128, ge=1, description="wallets whose signals are published at the same time")
    unpublished_signals: int = Field(
        MAX_ROWS, ge=1, description="while NATS is away, so many signals wait in memory; more wait in SQL"
    )
    signal_retention: Duration = Field(7 * 86400.0, description="how long the stream HL_SIGNALS keeps messages")
    rest_after: Duration = Field(8 * 86400.0, description="how long fills are stored: as the cleaner is told")
    dedup_horizon: Duration = Field(
        DEDUP_HORIZON_S,
        validate_default=True,
        description="a fill older than this is stored and recorded as late, never signalled; "
        "shorter than `HLMON_SIGNAL_RETENTION` and `HLMON_REST_AFTER`",
    )
    legacy: bool = Field(default=True, description="also publish the original's message on hl_address_signal")
    legacy_on_doubt: Literal["skip", "send"] = Field(
        "skip", description="the original's message for a signal that a crashed owner may have published"
    )
    stop_flush: Duration = Field(5.0, description="how long a partition that moves away may take to publish its rest")

    @field_validator("medium_below")
    @classmethod
    def _is_above_small(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        small_below = info.data.get("small_below")
        if small_below is not None and value <= small_below:
            raise ValueError(f"must be above small_below, which is {small_below}")
        return value

    @field_validator("dedup_horizon")
    @classmethod
    def _is_within_retention(cls, value: float, info: ValidationInfo) -> float:
        for name in ("signal_retention", "rest_after"):
            kept_s = info.data.get(name)
            if kept_s is not None and value >= kept_s:
                raise ValueError(
                    f"must be shorter than {name}, which is {kept_s:g} s: a fill whose signal is forgotten there "
                    "would be told twice"
                )
        return value

    @property
    def size_bounds(self) -> SizeBounds:
        """What the words of position_size mean."""
        return SizeBounds(self.small_below, self.medium_below)

    @property
    def patience(self) -> Patience:
        """The waiting times of orders."""
        return Patience(
            order_timeout_s=self.order_timeout, status_grace_s=self.status_grace, episode_quiet_s=self.episode_quiet
        )
