"""What a connection of a wallet subscribes to, and what it has shown since it was opened."""

from dataclasses import dataclass, field
from typing import TypeAlias

from hlmonitor.domain.addresses import Address
from hlmonitor.gateway.core.feeds import FEEDS, Feed
from hlmonitor.venue.core.subscriptions import Subscription

Row: TypeAlias = tuple[int, int]
"""Time and order id of a fill."""

# `orderUpdates` has no snapshot, so it comes first: the end of an order whose fill comes live then comes live too, and
# orders whose fills are in a snapshot are asked after.
SUBSCRIPTION_TYPES = (
    "orderUpdates", "userFills", "userTwapSliceFills", "userTwapHistory", "allDexsClearinghouseState", "spotState",
    "webData3",
)  # fmt: skip


def subscriptions_of(address: Address) -> list[Subscription]:
    """Everything that is streamed of a wallet, on one connection of its own."""
    return [Subscription(kind, user=address) for kind in SUBSCRIPTION_TYPES]


@dataclass(slots=True, eq=False)
class Connection:
    """A wallet has one, or two while the second takes the first one's place. Times are monotonic seconds."""

    acknowledged_at: float | None = None
    """Since when every subscription stands."""
    whole_at: float | None = None
    """Since when the first snapshots are there too, so that it shows whatever happens."""
    _snapshots: dict[Feed, list[Row]] = field(default_factory=dict)

    def took_snapshot(self, feed: Feed, rows: list[Row]) -> None:
        """The first frame of a feed came. Without rows it proves nothing."""
        self._snapshots[feed] = rows

    @property
    def has_snapshots(self) -> bool:
        """The first frame of each feed of fills came."""
        return all(feed in self._snapshots for feed in FEEDS)

    def snapshot(self, feed: Feed) -> list[Row]:
        """The rows of the first frame, as far as they prove something."""
        return self._snapshots.get(feed, [])

    def forget_snapshot(self, feed: Feed) -> None:
        """Its rows prove nothing any more, or are not needed again."""
        if feed in self._snapshots:
            self._snapshots[feed] = []
