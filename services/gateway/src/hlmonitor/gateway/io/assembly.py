"""Puts a gateway together from its settings."""

import asyncio
import uuid

from hlmonitor.gateway.core.pool import Pool
from hlmonitor.gateway.core.routing import Routes
from hlmonitor.gateway.core.turns import Turns
from hlmonitor.gateway.core.window import Window
from hlmonitor.gateway.io.access import VenueAccess
from hlmonitor.gateway.io.budgets import Budgets
from hlmonitor.gateway.io.catchup import CatchupReader
from hlmonitor.gateway.io.frame_counter import FrameCounter
from hlmonitor.gateway.io.ingest import Delivery
from hlmonitor.gateway.io.notifier import Notifier
from hlmonitor.gateway.io.status import Status
from hlmonitor.gateway.io.supervisor import Supervisor
from hlmonitor.gateway.io.turns import Gate
from hlmonitor.gateway.io.wallets import Wallets
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.runtime.service import Service
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.core.protocol import ProtocolTimes
from hlmonitor.venue.io.rest import InfoClient
from hlmonitor.venue.io.websocket import Endpoint

_REST_TURNS = 4


def make_supervisor(
    service: Service[GatewaySettings], tasks: asyncio.TaskGroup, client: InfoClient, rest: RateLedger, room: Notifier
) -> Supervisor:
    """Put a supervisor together from the settings."""
    settings = service.settings
    budgets = Budgets(RateLedger(settings.new_connections_per_minute), RateLedger(settings.messages_per_minute), rest)
    window = Window(settings.window_events, settings.window_events_per_address)
    # Before the first view of the members nothing may be taken.
    pool = Pool(connections=0, subscriptions=0)
    wallets = Wallets(settings, tasks, window, pool, service.log)
    supervisor = Supervisor(
        service, tasks, window, Routes(settings.not_owner_pause_s), budgets, wallets, settings.unique_users
    )
    wallets.changed = supervisor.changed
    wallets.venue = _venue_access(supervisor, client, room)
    supervisor.delivery = Delivery(
        incarnation=uuid.uuid4().hex,
        gateway=settings.instance,
        egress_group=settings.egress_group,
        window=supervisor.window,
        routes=supervisor.routes,
        metrics=service.metrics,
        log=service.log,
        batch_events=settings.batch_events,
        received_timeout_s=settings.received_timeout_s,
        on_resume=supervisor.resume,
        on_backfill=supervisor.backfill,
        on_acknowledged=room.notify,
        introduce=supervisor.introduce,
    )
    status = Status(supervisor)
    status.add_status()
    status.add_metrics()
    return supervisor


def _venue_access(supervisor: Supervisor, client: InfoClient, room: Notifier) -> VenueAccess:
    service, settings = supervisor.service, supervisor.service.settings
    reader = CatchupReader(
        client,
        Gate(Turns(_REST_TURNS), supervisor.budgets.rest, settings.routine_share),
        room,
        supervisor.added,
        service.metrics,
        service.log,
        int(settings.rest_lag_s * 1000),
        settings.horizon_rows,
    )
    return VenueAccess(
        endpoint=Endpoint(settings.venue_ws_url, settings.local_address, settings.open_timeout_s),
        times=ProtocolTimes(
            settings.ping_interval_s,
            settings.pong_timeout_s,
            settings.ack_timeout_s,
            {"allDexsClearinghouseState": settings.stale_after_s},
        ),
        pool=supervisor.wallets.pool,
        new_connections=supervisor.budgets.new_connections,
        messages=supervisor.budgets.messages,
        reader=reader,
        frames=FrameCounter(service.metrics, service.log),
        metrics=service.metrics,
        log=service.log,
        backoff_initial_s=settings.backoff_initial_s,
        backoff_most_s=settings.backoff_most_s,
        rotate_after_s=settings.rotate_after_s,
        added=supervisor.added,
        learned_users=supervisor.learned_users,
    )
