"""To what a fault happens, and until when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .effects import Effect


class Subject(Protocol):
    """What a frame is about: a subscription."""

    @property
    def type(self) -> str:
        """Its type."""
        ...

    @property
    def user(self) -> str | None:
        """The address it is about, if any."""
        ...

    @property
    def coin(self) -> str | None:
        """The coin it is about, if any."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """What is meant. Each field that is set must fit.

    `feed` is a subscription type; of a request, its type; of a frame that belongs to no subscription
    (`pong`, `subscriptionResponse`, `error`, `post`), its channel. Such frames are meant only by name.
    `newest` is the number of the newest connection that is meant: later ones are spared.
    """

    feed: str | None = None
    user: str | None = None
    coin: str | None = None
    client: str | None = None
    newest: int | None = None

    def means(self, subject: Subject | None, channel: str, client: str, connection: int) -> bool:
        """Tell whether a frame is meant."""
        if not self.means_client(client) or (self.newest is not None and connection > self.newest):
            return False
        if subject is None:
            return self.feed is not None and self.feed == channel and self.user is None and self.coin is None
        return (
            (self.feed is None or self.feed == subject.type)
            and (self.user is None or self.user == subject.user)
            and (self.coin is None or self.coin == subject.coin)
        )

    def means_request(self, kind: str, user: str | None, coin: str | None, client: str) -> bool:
        """Tell whether an `/info` request is meant."""
        return (
            (self.feed is None or self.feed == kind)
            and (self.user is None or self.user == user)
            and (self.coin is None or self.coin == coin)
            and self.means_client(client)
        )

    def means_client(self, client: str) -> bool:
        """Tell whether a new connection is meant."""
        return self.client is None or self.client == client


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault. `until_ms` is the venue time of its end, None for until it is cleared; `said` how it was asked for."""

    id: int
    target: Target
    effect: Effect
    until_ms: int | None
    said: Mapping[str, object] = field(default_factory=dict)
