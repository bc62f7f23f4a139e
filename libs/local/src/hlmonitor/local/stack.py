"""The whole system on this machine: NATS, simulator, writer, aggregators, gateways, address-loader and cleaner."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from hlmonitor.local.nats import NatsServer
from hlmonitor.local.ports import free_port
from hlmonitor.local.processes import LocalError
from hlmonitor.local.services import ServiceProcess

_STOP_TIMEOUT_S = 30.0
_CONTROL_TIMEOUT = aiohttp.ClientTimeout(total=60)
_NUMBERED = re.compile(r"(.+)-[0-9]+")
_AUTHORITY = re.compile(r"(?<=[@/])[^@/]+:[0-9]+(?=/)")
_STOPPED_IN_THIS_ORDER = (("address-loader", "cleaner", "gateway"), ("aggregator",), ("writer",), ("simulator",))


Route = Callable[[str, str, str], str]
"""Who asks, whom, where that one listens (host:port) → where to ask: the way that connections take. Services are named
as in the stack, servers `nats`, `database`, `simulator`; who asks an aggregator is `gateways`."""


def directly(client: str, server: str, address: str) -> str:
    """No detour."""
    del client, server
    return address


@dataclass(frozen=True, slots=True)
class StackConfig:
    """What the stack consists of."""

    directory: Path
    """Everything that it writes goes here."""
    database_url: str = ""
    """Default: SQLite below `directory`."""
    gateways: int = 2
    """Each leaves through a loopback address of its own, so it has the venue's limits for itself."""
    aggregators: int = 2
    whales: int = 20
    jobs: bool = True
    """Run the address-loader and the cleaner too, again and again."""
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Settings by kind of service (`gateway`), over those that the stack makes."""
    later: frozenset[str] = frozenset()
    """Names of services that are not started with the others."""
    route: Route = directly
    """Asked once for each pair that connects, before anything is started."""


class Stack:
    """An async context manager: inside it, everything is ready but the jobs, which come up behind.

    Services are reached by name: `simulator`, `writer`, `aggregator-1`…, `gateway-1`…, `address-loader`, `cleaner`.
    Killing and starting them again is the caller's pleasure.
    """

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        self.database_url = config.database_url or f"sqlite+aiosqlite:///{config.directory.resolve()}/hlmonitor.db"
        self.nats = NatsServer(config.directory)
        self.venue_url = f"http://127.0.0.1:{free_port()}"
        self._writer = f"127.0.0.1:{free_port()}"
        self.services = self._make_services()

    def __getitem__(self, name: str) -> ServiceProcess:
        """The service of that name."""
        return self.services[name]

    async def __aenter__(self) -> Self:
        """Start everything at once; each service waits for what it needs.

        Raises:
            LocalError: something did not become ready; everything is stopped then.
        """
        try:
            self.nats.start()
            first = self.services.keys() - _JOBS - self.config.later
            serving = [service for name, service in self.services.items() if name in first]
            for service in serving:
                service.start()
            await asyncio.gather(*(service.ready() for service in serving))
            for name in self.services.keys() & _JOBS:
                self.services[name].start()
        except BaseException:
            self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything in an order in which each can still hand over; what does not end in time is killed."""
        try:
            for kinds in _STOPPED_IN_THIS_ORDER:
                stopping = [service for name, service in self.services.items() if _kind(name) in kinds]
                await asyncio.gather(*(_stop(service) for service in stopping))
        finally:
            self.kill()

    def kill(self) -> None:
        """End everything at once."""
        for service in self.services.values():
            service.kill()
        self.nats.kill()

    def of_kind(self, kind: str) -> list[ServiceProcess]:
        """Every `gateway` or every `aggregator`."""
        return [service for name, service in self.services.items() if _kind(name) == kind]

    async def control(self, path: str, body: object = None) -> Any:  # noqa: ANN401 the simulator's JSON
        """The answer of the simulator's `/control/PATH`; with a body it is a POST.

        Raises:
            LocalError: it refused.
            aiohttp.ClientError: it did not answer.
        """
        url = f"{self.venue_url}/control/{path}"
        async with aiohttp.ClientSession(timeout=_CONTROL_TIMEOUT) as session:
            calling = session.get(url) if body is None else session.post(url, data=msgspec.json.encode(body))
            async with calling as response:
                answer = await response.read()
                if response.status != HTTPStatus.OK:
                    raise LocalError(f"the simulator refused {path}: {answer.decode()}")
                return msgspec.json.decode(answer)

    def _make_services(self) -> dict[str, ServiceProcess]:
        numbered = [("simulator", 0), ("writer", 0)]
        numbered += [("aggregator", number + 1) for number in range(self.config.aggregators)]
        numbered += [("gateway", number + 1) for number in range(self.config.gateways)]
        numbered += [(job, 0) for job in _JOBS if self.config.jobs]
        return {service.name: service for service in (self._make_service(kind, number) for kind, number in numbered)}

    def _make_service(self, kind: str, number: int) -> ServiceProcess:
        name = f"{kind}-{number}" if number else kind
        settings = self._settings(kind, name, number) | dict(self.config.settings.get(kind, {}))
        module = f"hlmonitor.{kind.replace('-', '_')}"
        return ServiceProcess(name, ["-m", module], self.config.directory, settings)

    def _settings(self, kind: str, name: str, number: int) -> dict[str, object]:
        match kind:
            case "simulator":
                return {"port": self.venue_url.rpartition(":")[2], "whales": self.config.whales}
            case "writer":
                return {"database_url": self._database(name), "listen": self._writer}
            case "aggregator":
                listen = f"127.0.0.1:{free_port()}"
                return {
                    "nats_url": self._nats(name),
                    "writer": self.config.route(name, "writer", self._writer),
                    "venue_rest_url": self._venue(name),
                    "listen": listen,
                    "advertise": self.config.route("gateways", name, listen),
                }
            case "gateway":
                return {
                    "nats_url": self._nats(name),
                    "venue_rest_url": (venue := self._venue(name)),
                    "venue_ws_url": f"ws{venue.removeprefix('http')}/ws",
                    "local_address": f"127.0.0.{number + 1}",
                    # The simulator's wallets are as many as there is room for: none is kept free for rotation.
                    "spare_connections": 0,
                }
            case "address-loader":
                return {"nats_url": self._nats(name), "database_url": self._database(name), "every": "5s"}
            case _:
                return {"database_url": self._database(name), "every": "5m"}

    def _nats(self, client: str) -> str:
        return f"nats://{self.config.route(client, 'nats', self.nats.url.removeprefix('nats://'))}"

    def _venue(self, client: str) -> str:
        return f"http://{self.config.route(client, 'simulator', self.venue_url.removeprefix('http://'))}"

    def _database(self, client: str) -> str:
        """The URL with the way to its server in place of the server; SQLite's has none."""
        return _AUTHORITY.sub(lambda found: self.config.route(client, "database", found[0]), self.database_url, count=1)


_JOBS = {"address-loader", "cleaner"}


def _kind(name: str) -> str:
    numbered = _NUMBERED.fullmatch(name)
    return numbered[1] if numbered else name


async def _stop(service: ServiceProcess) -> None:
    if service.running:
        try:
            await service.terminate(_STOP_TIMEOUT_S)
        except LocalError:
            # Killed by now; its log says what held it up.
            return
