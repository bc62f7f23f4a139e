"""What of a wallet's feeds somebody vouched for: watermarks, open gaps, and the rows that record them."""

from collections.abc import Iterable
from dataclasses import dataclass

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.convert import FEED_NUMBERS
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.wallet import OpenGap, Wallet
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import Fill
from hlmonitor.v1 import events_pb2, storage_pb2

LATE = "fills came later than the dedup horizon: they are stored, and no signal tells of them"


@dataclass(slots=True)
class Coverage:
    """Keeps the feeds of a partition's wallets."""

    outbox: Outbox

    def lost(self, wallet: Wallet, gap: events_pb2.Gap, now: Now) -> None:
        """A gateway cannot vouch for a stretch of a feed, from some time on."""
        known = wallet.gaps.get(gap.feed)
        from_ms = min(gap.from_ms, known.from_ms) if known else gap.from_ms
        if known and from_ms < known.from_ms:
            self._record(wallet, gap.feed, known, "covered", known.from_ms)
        self._open(wallet, gap.feed, OpenGap(from_ms, gap.reason, known.since_s if known else now.mono_s))

    def give_up(self, wallet: Wallet, gap: events_pb2.Gap) -> None:
        """Record a stretch that nothing can prove; what follows it may still be covered."""
        known = wallet.gaps.get(gap.feed)
        self._record(wallet, gap.feed, OpenGap(gap.from_ms, gap.reason, 0.0), "unprovable", gap.to_ms)
        if known and gap.from_ms <= known.from_ms < gap.to_ms:
            if known.from_ms != gap.from_ms:
                self._record(wallet, gap.feed, known, "unprovable", gap.to_ms)
            self._open(wallet, gap.feed, OpenGap(gap.to_ms, known.reason, known.since_s))
        if gap.from_ms <= wallet.resume_from_ms(gap.feed) < gap.to_ms:
            self._move_watermark(wallet, gap.feed, gap.to_ms)

    def covered(self, wallet: Wallet, caught_up: events_pb2.CaughtUp) -> None:
        """Everything of the feed in the range was told: the watermark moves, a covered gap closes."""
        feed = caught_up.feed
        gap = wallet.gaps.get(feed)
        if gap and caught_up.from_ms <= gap.from_ms:
            del wallet.gaps[feed]
            self._record(wallet, feed, gap, "covered", caught_up.through_ms)
        elif gap:
            return
        if caught_up.from_ms <= wallet.resume_from_ms(feed) < caught_up.through_ms:
            self._move_watermark(wallet, feed, caught_up.through_ms)

    def removed(self, wallet: Wallet) -> None:
        """Nobody watches the wallet any more: its gaps end with it."""
        for feed, gap in wallet.gaps.items():
            self._record(wallet, feed, gap, "removed")
        wallet.gaps = {}

    def open_gaps(self, wallets: Iterable[Wallet]) -> list[storage_pb2.GapRow]:
        """What is open now, as it is recorded."""
        return [
            _row(wallet.address, feed, gap.from_ms, None, gap.reason, "open")
            for wallet in wallets
            for feed, gap in wallet.gaps.items()
        ]

    def late(self, wallet: Wallet, fill: Fill) -> None:
        """Record a fill that came too late to be told."""
        feed = FEED_NUMBERS[fill.feed]
        from_ms = wallet.record_from_ms(feed, fill.time_ms)
        self.outbox.late(_row(wallet.address, feed, from_ms, fill.time_ms, LATE, "late"))

    def _open(self, wallet: Wallet, feed: int, gap: OpenGap) -> None:
        wallet.gaps[feed] = gap
        self._record(wallet, feed, gap, "open")

    def _record(self, wallet: Wallet, feed: int, gap: OpenGap, state: str, to_ms: int | None = None) -> None:
        self.outbox.gap(_row(wallet.address, feed, gap.from_ms, to_ms, gap.reason, state))

    def _move_watermark(self, wallet: Wallet, feed: events_pb2.Feed.ValueType, to_ms: int) -> None:
        wallet.watermarks[feed] = to_ms
        self.outbox.watermark(storage_pb2.Watermark(address=wallet.address, feed=feed, watermark_ms=to_ms))


def _row(address: Address, feed: int, from_ms: int, to_ms: int | None, reason: str, state: str) -> storage_pb2.GapRow:
    return storage_pb2.GapRow(
        address=address,
        feed=events_pb2.Feed.ValueType(feed),
        from_ms=from_ms,
        to_ms=to_ms,
        reason=reason,
        state=state,
    )
