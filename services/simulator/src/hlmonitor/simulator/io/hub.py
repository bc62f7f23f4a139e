"""Who listens to what, and what each block sends to them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Protocol

from hlmonitor.simulator.wire.feeds import View, sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.core.faults import FaultBoard
    from hlmonitor.simulator.core.market import Market
    from hlmonitor.simulator.wire.feeds import Delivery, Source
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .config import ServerConfig


class Listener(Protocol):
    """Whoever frames are sent to: a connection."""

    def send(self, frame: Frame, faults: FaultBoard, now_ms: int, about: Subscription, /) -> None:
        """Take a frame of a subscription."""
        ...


class Listeners:
    """The subscriptions that somebody listens to, findable by type and by user or coin."""

    def __init__(self) -> None:
        self._listeners: dict[Subscription, dict[Listener, None]] = {}
        self._by_key: dict[tuple[str, str], tuple[Subscription, ...]] = {}
        self._kinds: Counter[str] = Counter()

    def __contains__(self, subscription: Subscription) -> bool:
        """Tell whether a subscription has listeners."""
        return subscription in self._listeners

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._listeners)

    def any(self, kind: str) -> bool:
        """Tell whether anything of a type is listened to."""
        return self._kinds[kind] > 0

    def of(self, kind: str, key: str = "") -> Sequence[Subscription]:
        """Return the subscriptions of a type about a user or coin, oldest first."""
        return self._by_key.get((kind, key), ())

    def to(self, subscription: Subscription) -> Iterable[Listener]:
        """Return who listens to a subscription."""
        return self._listeners.get(subscription, ())

    def add(self, listener: Listener, subscription: Subscription) -> None:
        """Add a listener."""
        if subscription not in self._listeners:
            index = (subscription.type, subscription.key)
            self._listeners[subscription] = {}
            self._by_key[index] = (*self._by_key.get(index, ()), subscription)
            self._kinds[subscription.type] += 1
        self._listeners[subscription][listener] = None

    def remove(self, listener: Listener, subscription: Subscription) -> None:
        """Take a listener away; one that is not there is no error."""
        listeners = self._listeners.get(subscription)
        if listeners is None:
            return
        listeners.pop(listener, None)
        if not listeners:
            index = (subscription.type, subscription.key)
            del self._listeners[subscription]
            self._kinds[subscription.type] -= 1
            self._by_key[index] = tuple(other for other in self._by_key[index] if other != subscription)
            if not self._by_key[index]:
                del self._by_key[index]

    def count(self) -> dict[str, int]:
        """Return the number of listeners by feed type."""
        count: dict[str, int] = defaultdict(int)
        for subscription, listeners in self._listeners.items():
            count[subscription.type] += len(listeners)
        return dict(count)


class Hub:
    """Frames are built only for feeds that somebody listens to, once each."""

    def __init__(self, market: Market, config: ServerConfig) -> None:
        self._market = market
        self._heard = Listeners()
        self._sources = sources(View(market.exchange, market.ledger, config.feeds))
        self._source_of: dict[str, Source] = {kind: source for source in self._sources for kind in source.kinds}

    def add(self, listener: Listener, subscription: Subscription, faults: FaultBoard) -> None:
        """Add a listener, and send it the feed's first frame if it has one."""
        self._heard.add(listener, subscription)
        first = self._source_of[subscription.type].first(subscription)
        if first is not None:
            listener.send(first, faults, self._market.exchange.state.now_ms, subscription)

    def remove(self, listener: Listener, subscription: Subscription) -> None:
        """Take a listener away."""
        self._heard.remove(listener, subscription)

    @property
    def heard(self) -> Listeners:
        """What is listened to, and by whom."""
        return self._heard

    def listeners(self) -> dict[str, int]:
        """Return the number of listeners by feed type."""
        return self._heard.count()

    def publish(self, block: Block, faults: FaultBoard) -> None:
        """Send everything that a block means to its listeners."""
        for source in self._ordered(faults):
            self._deliver(source.live(block, self._heard), faults, block.time_ms)

    def _ordered(self, faults: FaultBoard) -> list[Source]:
        """Return the sources in the order of their frames; a fault puts order statuses before all else."""
        if not faults.status_first:
            return self._sources
        return sorted(self._sources, key=lambda source: "orderUpdates" not in source.kinds)

    def _deliver(self, deliveries: Iterable[Delivery], faults: FaultBoard, now_ms: int) -> None:
        for subscription, frame in deliveries:
            for listener in self._heard.to(subscription):
                listener.send(frame, faults, now_ms, subscription)
