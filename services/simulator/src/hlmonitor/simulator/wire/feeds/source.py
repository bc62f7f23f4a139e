"""The interface of a feed, and what feeds read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from hlmonitor.simulator.wire.frames import Frame
from hlmonitor.simulator.wire.subscriptions import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.ledger import Ledger

Delivery = tuple[Subscription, Frame]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """Habits of the feeds. Times are of the exchange's clock.

    `state_every_ms`, `mids_every_ms`, `book_every_ms` and `fast_book_every_ms` were observed on the venue; the
    beat of contexts is an assumption. Every `lacks_main_every`th `allDexsClearinghouseState` frame of a user
    comes without the main dex, as was seen of the venue; 0 turns that off.
    """

    snapshot_rows: int = 50
    state_every_ms: int = 4_500
    mids_every_ms: int = 5_000
    book_every_ms: int = 5_000
    fast_book_every_ms: int = 500
    context_every_ms: int = 1_000
    contexts_every_ms: int = 5_000
    lacks_main_every: int = 25


@dataclass(frozen=True, slots=True)
class View:
    """What feeds may look at."""

    exchange: Exchange
    ledger: Ledger
    config: FeedConfig


class Heard(Protocol):
    """The subscriptions that somebody listens to."""

    def __contains__(self, subscription: Subscription, /) -> bool:
        """Tell whether this one has listeners."""
        ...

    def any(self, kind: str) -> bool:
        """Tell whether anything of a type is listened to."""
        ...

    def of(self, kind: str, key: str = "") -> Sequence[Subscription]:
        """Return those of a type about a user or coin, in the order in which they were first asked for."""
        ...


class Source(Protocol):
    """Serves the subscription types in `kinds`."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types that it serves."""
        ...

    def first(self, wanted: Subscription) -> Frame | None:
        """Return what a new listener gets at once, None if the feed starts in silence."""
        ...

    def live(self, block: Block, heard: Heard) -> Iterable[Delivery]:
        """Yield what the block means to those who listen. Frames are made only for them."""
        ...


def grouped(items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    """Collect items under their key, in order."""
    groups: dict[str, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def listened(
    items: Iterable[T], key: Callable[[T], str], kind: str, heard: Heard
) -> Iterator[tuple[Subscription, list[T]]]:
    """Yield for each subscription of a type those items that it is about, in order."""
    if heard.any(kind):
        for about, group in grouped(items, key).items():
            for subscription in heard.of(kind, about):
                yield subscription, group
