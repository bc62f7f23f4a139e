"""The simulator's control interface, as far as the demo needs it."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import msgspec

from hlmonitor.demo.expected import Expectation

T = TypeVar("T")


class Whale(msgspec.Struct, frozen=True):
    """A named wallet of the market."""

    name: str
    address: str
    style: str


class Market:
    """A running simulator. Every call raises aiohttp.ClientError when it does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(self._url, timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def whales(self) -> list[Whale]:
        """The wallets that are worth watching."""
        return await self._call("GET", "/control/wallets", None, list[Whale])

    async def inject(self, faults: Mapping[str, object]) -> None:
        """Let the venue misbehave from now on."""
        await self._call("POST", "/control/faults", faults, dict[str, object])

    async def quiesce(self) -> None:
        """Stop trading, cancel what rests, and wait until the last block was sent."""
        await self._call("POST", "/control/quiesce", {}, dict[str, object])

    async def expected(self, watch_from_ms: Mapping[str, int]) -> Expectation:
        """What must have been published for wallets that are watched from these times on."""
        return await self._call("POST", "/control/expected", {"watch_from": watch_from_ms}, Expectation)

    async def _call(self, method: str, path: str, body: object, kind: type[T]) -> T:
        if self._session is None:
            raise RuntimeError("use the market as a context manager")
        async with self._session.request(method, path, json=body) as response:
            response.raise_for_status()
            return msgspec.json.decode(await response.read(), type=kind)
