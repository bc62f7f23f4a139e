"""The simulator's control interface, as far as the demo needs it."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from hlmonitor.demo.expected import Expectation
from hlmonitor.local.stack import Stack


class Whale(msgspec.Struct, frozen=True):
    """A named wallet of the market."""

    name: str
    address: str
    style: str


@dataclass(frozen=True, slots=True)
class Market:
    """The market of a running stack. Every call raises LocalError when the simulator refuses."""

    stack: Stack

    async def whales(self) -> list[Whale]:
        """The wallets that are worth watching."""
        return msgspec.convert(await self.stack.control("wallets"), list[Whale])

    async def inject(self, faults: Mapping[str, object]) -> None:
        """Let the venue misbehave from now on."""
        await self.stack.control("faults", faults)

    async def quiesce(self) -> None:
        """Stop trading, cancel what rests, and wait until the last block was sent."""
        await self.stack.control("quiesce", {})

    async def expected(self, watch_from_ms: Mapping[str, int]) -> Expectation:
        """What must have been published for wallets that are watched from these times on."""
        return msgspec.convert(await self.stack.control("expected", {"watch_from": watch_from_ms}), Expectation)
