"""Health over HTTP: `/health`, `/health/live`, `/health/ready`, `/status` and `/metrics`, in the original's form.

Live means that the event loop turns (the answer itself proves it). Ready means that every component that the service
needs is up. Fresh data is a metric, not readiness: a calm market must not take a service out of rotation.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hlmonitor.runtime.metrics import Metrics

STARTING = "starting"
"""Why a component is down that was not tried yet."""


@dataclass(slots=True)
class Component:
    """Something that the service cannot work without."""

    name: str
    reason: str | None = STARTING
    """Why it is down; None while it is up."""

    @property
    def is_up(self) -> bool:
        """Whether it can do its part."""
        return self.reason is None

    def up(self) -> None:
        """It works."""
        self.reason = None

    def down(self, reason: str) -> None:
        """It does not, for this reason."""
        self.reason = reason


@dataclass(slots=True)
class Health:
    """What the service says of itself."""

    components: dict[str, Component] = field(default_factory=dict)
    stopping: bool = False
    _status: dict[str, Callable[[], object]] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)
    _healthy_since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def component(self, name: str) -> Component:
        """The component of that name, made on first use as down."""
        return self.components.setdefault(name, Component(name))

    def add_status(self, name: str, supply: Callable[[], object]) -> None:
        """Show what `supply` returns (anything that JSON can hold) under this name in `/status`."""
        self._status[name] = supply

    @property
    def ready(self) -> bool:
        """Every component is up and the service is not stopping."""
        return not self.stopping and all(component.is_up for component in self.components.values())

    def summary(self) -> dict[str, object]:
        """The original's JSON, with the components beside it."""
        return {
            "healthy": not self.stopping,
            "healthy_since": self._healthy_since.isoformat(),
            "uptime": _go_duration(time.monotonic() - self._started),
            "websocket": {"connected": self._is_up("venue"), "reconnecting": self._is_down("venue")},
            "nats": {"connected": self._is_up("nats")},
            "addresses": {"count": self._count()},
            "ready": self.ready,
            "components": {name: part.reason or "up" for name, part in self.components.items()},
        }

    def status(self) -> dict[str, object]:
        """The summary and everything that the service adds."""
        return self.summary() | {name: supply() for name, supply in self._status.items()}

    def _is_up(self, name: str) -> bool:
        return name in self.components and self.components[name].is_up

    def _is_down(self, name: str) -> bool:
        return name in self.components and not self.components[name].is_up

    def _count(self) -> object:
        supply = self._status.get("address_count")
        return supply() if supply else 0


class HealthServer:
    """Serves a Health and Metrics over HTTP."""

    def __init__(self, health: Health, metrics: Metrics) -> None:
        self._health, self._metrics = health, metrics
        app = web.Application()
        app.router.add_get("/health", self._summary)
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/status", self._status)
        app.router.add_get("/metrics", self._metric_text)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; afterwards `port` is the one in use.

        Raises:
            OSError: the port is taken.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()

    async def _summary(self, _request: web.Request) -> web.Response:
        return _json(self._health.summary(), 503 if self._health.stopping else 200)

    async def _live(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _ready(self, _request: web.Request) -> web.Response:
        if self._health.ready:
            return web.Response(text="ok")
        down = [f"{part.name}: {part.reason}" for part in self._health.components.values() if not part.is_up]
        reason = "stopping" if self._health.stopping else "; ".join(down)
        return web.Response(status=503, text=f"not ready\n{reason}\n")

    async def _status(self, _request: web.Request) -> web.Response:
        return _json(self._health.status(), 200)

    async def _metric_text(self, _request: web.Request) -> web.Response:
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _json(value: object, status: int) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _go_duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.3f}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
