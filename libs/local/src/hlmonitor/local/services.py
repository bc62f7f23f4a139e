"""A service of ours as a child process: its settings, readiness, status and metrics."""

import asyncio
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from hlmonitor.local.ports import free_port
from hlmonitor.local.processes import LocalError, LocalProcess

READY_TIMEOUT_S = 90.0
_POLL_S = 0.05
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30)


class ServiceProcess(LocalProcess):
    """A Python program that serves health over HTTP, as every service does. It keeps its health port over restarts."""

    def __init__(self, name: str, arguments: Sequence[str], directory: Path, settings: Mapping[str, object]) -> None:
        """`arguments` go to this interpreter (`-m`, `hlmonitor.gateway`), settings become `HLMON_…` variables."""
        super().__init__(name, directory)
        self.health_port = free_port()
        self._arguments = arguments
        self.settings = dict(settings)
        """Kept over starts."""

    def start(self, **settings: object) -> None:
        """Start it; settings given here are kept for later starts.

        Raises:
            LocalError: it runs already.
        """
        self.settings |= settings
        named = {"instance": self.name, "health_port": self.health_port} | self.settings
        environment = {f"HLMON_{key.upper()}": str(value) for key, value in named.items()}
        self.spawn([sys.executable, *self._arguments], environment)

    async def ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until it says that it is ready.

        Raises:
            LocalError: it ended, or was not ready in time; the message has its reason and the end of its log.
        """
        await self._says(lambda code, _: code == HTTPStatus.OK, "was not ready", timeout_s)

    async def unready(self, why: str = "", timeout_s: float = READY_TIMEOUT_S) -> str:
        """Wait until it says that it is not ready, and why in words that this pattern finds; returns what it says.

        Raises:
            LocalError: it ended, or did not say so in time; the message has what it said and the end of its log.
        """

        def is_told(code: int, body: str) -> bool:
            return code != HTTPStatus.OK and re.search(why, body) is not None

        return await self._says(is_told, f"did not say that it is not ready ({why or 'for any reason'})", timeout_s)

    async def get(self, path: str) -> tuple[int, str]:
        """Status code and body of a path of its health server.

        Raises:
            aiohttp.ClientError: it did not answer.
            TimeoutError: not in time.
        """
        async with (
            aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT) as session,
            session.get(f"http://127.0.0.1:{self.health_port}{path}") as response,
        ):
            return response.status, await response.text()

    async def status(self) -> dict[str, Any]:
        """Its `/status`. Raises as `get`."""
        _, body = await self.get("/status")
        value: dict[str, Any] = msgspec.json.decode(body)
        return value

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry these labels; 0 when there is none. Raises as `get`."""
        return sum(s.value for s in await self.samples(name) if labels.items() <= s.labels.items())

    async def samples(self, name: str) -> list[Sample]:
        """A metric's samples at one moment. Raises as `get`."""
        _, body = await self.get("/metrics")
        families = text_string_to_metric_families(body)
        return [sample for family in families for sample in family.samples if sample.name == name]

    async def _says(self, holds: Callable[[int, str], bool], lacking: str, timeout_s: float) -> str:
        said = "it does not listen yet"
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        code, said = await self.get("/health/ready")
                    except (aiohttp.ClientError, TimeoutError) as error:
                        said = repr(error)
                    else:
                        if holds(code, said):
                            return said
                    if not self.running:
                        raise LocalError(f"{self.name} ended with status {self.exit_code}: {self.log_tail()}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise LocalError(f"{self.name} {lacking} within {timeout_s} s: {said.strip()}; {self.log_tail()}") from None
