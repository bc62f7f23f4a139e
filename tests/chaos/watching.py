"""What is to be expected of wallets that were taken off the watch list for longer than the grace (DESIGN G8, §6.9)."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from nats.aio.client import Client

from hlmonitor.demo.comparison import StreamMessage
from hlmonitor.demo.expected import Expectation, ExpectedSignal
from hlmonitor.domain.addresses import Address
from hlmonitor.runtime.watchlist import WatchList


@dataclass(slots=True)
class Watched:
    """Since when each wallet is watched, as the system wrote it down: every start that was seen, oldest first (ms)."""

    starts: dict[str, list[int]] = field(default_factory=dict)

    async def follow(self, client: Client) -> None:
        """Note the list's changes, for ever."""
        async for entries in WatchList(client).follow():
            for address, entry in entries.items():
                self.note(address, entry.watch_from_ms)

    async def read(self, client: Client, addresses: Iterable[str]) -> bool:
        """Note the list as it is now; whether all of these are watched, which who was listed last may not be yet."""
        async with asyncio.timeout(30):
            entries = {address: stored.entry for address, stored in (await WatchList(client).read()).items()}
        for address, entry in entries.items():
            if entry is not None:
                self.note(address, entry.watch_from_ms)
        return all((entry := entries.get(Address(address))) and entry.removed_at_ms is None for address in addresses)

    def note(self, address: str, start_ms: int) -> None:
        """A start that is not the last one known is a new one."""
        known = self.starts.setdefault(address, [])
        if not known or known[-1] != start_ms:
            known.append(start_ms)

    @property
    def latest(self) -> dict[str, int]:
        """The last start of each wallet."""
        return {address: starts[-1] for address, starts in self.starts.items()}


@dataclass(frozen=True, slots=True)
class Absence:
    """A wallet's time off the list: from its removal until its watch began anew. Wall clock and venue time, ms."""

    address: str
    removed_ms: int
    back_ms: int

    def holds(self, first_fill_ms: int, last_fill_ms: int) -> bool:
        """Whether an order with these fills is neither wholly before nor wholly after it."""
        return last_fill_ms >= self.removed_ms and first_fill_ms < self.back_ms


@dataclass(frozen=True, slots=True)
class Expected:
    """Puts together what must be: before an absence, after it, and within it whatever was published.

    In an absence a signal may be published, as the grace lasts for a while, but none has to be. One that is must be
    stored, once, with the same bytes, as any other.
    """

    before: Expectation
    """From the first start on, of wallets that were absent."""
    absences: Sequence[Absence]

    def __call__(self, after: Expectation, stream: Sequence[StreamMessage]) -> Expectation:
        """`after`: what must be since each wallet's last start."""
        wanted = {signal.id: signal for signal in after.signals}
        for signal in self.before.signals:
            absence = self._of(signal.address)
            if absence and signal.last_fill_time < absence.removed_ms:
                wanted.setdefault(signal.id, signal)
        for message in stream:
            signal = msgspec.json.decode(message.payload, type=ExpectedSignal)
            absence = self._of(signal.address)
            if absence and absence.holds(signal.first_fill_time, signal.last_fill_time):
                wanted.setdefault(signal.id, signal)
        return msgspec.structs.replace(after, signals=list(wanted.values()))

    def _of(self, address: str) -> Absence | None:
        return next((absence for absence in self.absences if absence.address == address), None)


def absences(starts: Mapping[str, Sequence[int]], removed_ms: Mapping[str, int]) -> list[Absence]:
    """The absences of wallets whose watch began anew; one that is back in the grace was never absent.

    Raises:
        AssertionError: a watch began anew without a removal, or more than once.
    """
    found = []
    for address, begun in starts.items():
        if len(begun) > 1:
            assert len(begun) == 2, f"{address} is watched since {begun}"
            assert address in removed_ms, f"{address} is watched since {begun}, and was never taken off the list"
            found.append(Absence(address, removed_ms[address], begun[1]))
    return found
