"""What the simulator can be told."""

from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, field_validator

from hlmonitor.runtime.settings import Duration, ServiceSettings
from hlmonitor.simulator.core.agents.mix import read_mix
from hlmonitor.simulator.core.faults import FaultConfig
from hlmonitor.simulator.core.limits import LimitConfig
from hlmonitor.simulator.core.listings import Listing
from hlmonitor.simulator.core.load import LoadConfig
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.io.clock import TimeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.wire.feeds import FeedConfig


class SimulatorSettings(ServiceSettings):
    """Settings of `hlmon-simulator`. The limits' defaults are the venue's documented ones."""

    host: str = Field("127.0.0.1", description="address to listen on; clients may bind any loopback address")
    port: int = Field(8899, ge=0, le=65535, description="one port for /info, /ws and /control; 0 takes a free one")
    seed: int = Field(1, description="same seed, same market")
    listing: Listing = Field(
        Listing.DEFAULT, description="what is listed: `default`, or `venue` for about as many coins as the venue has"
    )
    agents: Literal["on", "off"] = Field("on", description="whether market makers, crowd and whales trade")
    whales: int = Field(20, ge=0, le=100_000, description="number of whale wallets")
    rate: Decimal = Field(Decimal(8), ge=0, description="turns that all whales together take per second")
    mix: str = Field("lively", description="whales' styles: lively, natural, or shares like scalper=3,dormant=97")
    shock_every: Duration = Field(
        4.5, description="usual time between price shocks that hunt leveraged wallets; 4h gives plausible charts"
    )
    activity: Decimal = Field(Decimal(1), ge=0, description="how busy everybody is, market makers and crowd included")
    block_ms: int = Field(100, ge=5, le=60_000, description="time between blocks")
    speed: float = Field(1.0, ge=0, description="venue seconds per second; 0: as fast as machine and clients can")
    genesis: AwareDatetime | None = Field(
        None, description="time of the first block (2026-01-01T00:00:00Z): equal runs are then equal to the byte"
    )
    warmup_blocks: int = Field(50, ge=0, description="blocks traded before the port opens, so that there is a past")
    twap_slice_ms: int = Field(30_000, ge=1, description="time between the slices of a TWAP that names none")
    invariants: Literal["on", "off"] = Field("on", description="whether every block is checked for broken rules")
    ledger_limit: int = Field(1_000_000, ge=1_000, description="orders, and fills, kept of named wallets")
    snapshot_rows: int = Field(50, ge=0, le=2_000, description="rows in the first frame of a feed that has one")

    load_rate: int = Field(
        0, ge=0, le=1_000_000, description="fills per second of the load that /control/load starts; 0: there is none"
    )
    load_wallets: int = Field(1_000, ge=2, le=100_000, description="wallets that the load trades for")
    load_block_ms: int = Field(50, ge=5, le=1_000, description="time between the load's blocks at its own rate")

    limit_connections: int = Field(10, ge=1, description="WebSocket connections per client IP")
    limit_new_connections: int = Field(30, ge=1, description="new WebSocket connections per minute and IP")
    limit_subscriptions: int = Field(1_000, ge=1, description="subscriptions per IP")
    limit_users: int = Field(10, ge=1, description="distinct users in subscriptions per IP")
    limit_messages: int = Field(2_000, ge=1, description="messages from clients per minute and IP")
    limit_posts: int = Field(100, ge=1, description="posts in flight per IP")
    limit_weight: int = Field(1_200, ge=1, description="REST weight per minute and IP")
    user_release_s: Duration = Field(1.0, description="how long a closed connection's users keep their slots")
    replay: str = Field("", description="capture of `hlmon record` to serve at `speed` instead of a market")
    replay_start: Literal["subscribed", "at_once", "paused"] = Field(
        "subscribed", description="when a replay begins: with the first subscription, with the port, or on command"
    )
    replay_cuts: bool = Field(default=True, description="whether connections end where the captured ones did")
    node_dir: str = Field("", description="directory in which a node's data files are written; empty: none are")
    node_buffer_bytes: int = Field(
        0, ge=0, description="bytes kept back, so that files end in the middle of a line; 0: whole lines at once"
    )
    idle_s: Duration = Field(60.0, description="silence towards a client after which its connection is cut")
    expire_s: Duration = Field(10_800.0, description="age at which a connection is closed with 1000 `Expired`")
    unknown_coin_closes: bool = Field(default=False, description="cut a connection that asks for an unlisted coin")
    greeting: bool = Field(default=False, description="begin connections with the text that older servers sent")

    scenario: str = Field("", description="file of commands to give at their times (docs/simulator.md)")
    fault_duplicate: float = Field(0.0, ge=0, le=1, description="chance that a frame is sent twice")
    fault_reorder: float = Field(0.0, ge=0, le=1, description="chance that a frame is held back or shuffled")
    fault_split: float = Field(0.0, ge=0, le=1, description="chance that a frame is cut in two")
    fault_status_first: bool = Field(default=False, description="send order statuses before the fills of a block")
    fault_reorder_ms: int = Field(300, ge=1, description="how late a frame that is held back may be")

    @field_validator("mix")
    @classmethod
    def _known_styles(cls, mix: str) -> str:
        read_mix(mix)
        return mix

    def market(self) -> MarketConfig:
        """Return the market's part."""
        return MarketConfig(
            exchange=ExchangeConfig(block_ms=self.block_ms, twap_slice_ms=self.twap_slice_ms),
            population=PopulationConfig(
                self.seed, self.whales, self.rate, self.mix, self.activity, int(self.shock_every * 1000)
            ),
            agents=self.agents == "on",
            ledger_limit=self.ledger_limit,
            invariants=self.invariants == "on",
            listing=self.listing,
        )

    def _load(self) -> LoadConfig | None:
        if not self.load_rate:
            return None
        return LoadConfig(self.load_rate, self.load_wallets, self.load_block_ms, self.seed)

    def server(self) -> ServerConfig:
        """Return the server's part."""
        return ServerConfig(
            limits=LimitConfig(
                connections=self.limit_connections,
                new_connections_per_minute=self.limit_new_connections,
                subscriptions=self.limit_subscriptions,
                users=self.limit_users,
                messages_per_minute=self.limit_messages,
                inflight_posts=self.limit_posts,
                rest_weight_per_minute=self.limit_weight,
                user_release_ms=int(self.user_release_s * 1000),
            ),
            load=self._load(),
            faults=FaultConfig(
                duplicate=self.fault_duplicate,
                reorder=self.fault_reorder,
                split=self.fault_split,
                status_first=self.fault_status_first,
                reorder_ms=self.fault_reorder_ms,
            ),
            time=TimeConfig(self.speed, None if self.genesis is None else int(self.genesis.timestamp() * 1000)),
            node_dir=Path(self.node_dir) if self.node_dir else None,
            node_buffer_bytes=self.node_buffer_bytes,
            feeds=FeedConfig(snapshot_rows=self.snapshot_rows),
            idle_ms=int(self.idle_s * 1000),
            expire_ms=int(self.expire_s * 1000),
            unknown_coin_closes=self.unknown_coin_closes,
            greeting=self.greeting,
        )
