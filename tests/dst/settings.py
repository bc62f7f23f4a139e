"""Under which conditions a run takes place, drawn from its seed, and what the services are told."""

import random
from dataclasses import dataclass
from functools import cache

from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.domain.addresses import Address
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.runtime.settings import ServiceSettings
from hlmonitor.writer.settings import WriterSettings

WALLETS = tuple(Address("0x" + pair * 20) for pair in ("ab", "0c", "77"))
WRITER_ADDRESS = "127.0.0.1:16820"
ORDER_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """What differs from run to run."""

    seed: int
    gateways: int
    aggregators: int
    snapshot_rows: int
    kept_rows: int
    window_events_per_address: int
    orders_per_s: float
    trouble_s: float
    """How long there is trouble."""
    faults_per_s: float


def draw(seed: int) -> Conditions:
    """The conditions of a seed."""
    chance = random.Random(f"conditions {seed}")
    return Conditions(
        seed=seed,
        gateways=chance.choice((1, 1, 2)),
        aggregators=chance.choice((1, 2, 2, 3)),
        snapshot_rows=chance.choice((0, 2, 5, 50)),
        kept_rows=chance.choice((10_000, 10_000, 10_000, 10_000, 12)),
        window_events_per_address=chance.choice((10, 20, 5_000, 5_000)),
        orders_per_s=chance.choice((1.0, 3.0)),
        trouble_s=chance.choice((6.0, 12.0, 20.0)),
        faults_per_s=chance.choice((0.2, 0.5, 1.0)),
    )


@cache
def settings_of(name: str, conditions: Conditions) -> ServiceSettings:
    """A service's settings: patience in seconds, and no limits of an egress IP that faults would exhaust."""
    kind = name.partition("-")[0]
    if kind == "writer":
        return WriterSettings(instance=name, listen=WRITER_ADDRESS, migrate=False)
    if kind == "aggregator":
        return AggregatorSettings(
            instance=name,
            writer=WRITER_ADDRESS,
            order_timeout=ORDER_TIMEOUT_S,
            status_grace=3.0,
            mids_reload=600.0,
            rest_weight_per_minute=100_000,
        )
    return GatewaySettings(
        instance=name,
        egress_group=name,
        new_connections_per_minute=10_000,
        messages_per_minute=1_000_000,
        rest_weight_per_minute=1_000_000,
        backoff_initial_s=0.2,
        backoff_most_s=3.0,
        resume_timeout_s=5.0,
        horizon_rows=conditions.kept_rows,
        window_events_per_address=conditions.window_events_per_address,
    )
