"""The venue's limits per client IP (facts 2): connections, subscriptions, users, messages, posts, weight."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from .durations import MINUTE_MS


@dataclass(frozen=True, slots=True)
class LimitConfig:
    """The limits, with the documented defaults."""

    connections: int = 10
    new_connections_per_minute: int = 30
    subscriptions: int = 1_000
    users: int = 10
    messages_per_minute: int = 2_000
    inflight_posts: int = 100
    rest_weight_per_minute: int = 1_200
    user_release_ms: int = 1_000


class SlidingSum:
    """The sum of amounts within the last minute."""

    def __init__(self) -> None:
        self._entries: deque[tuple[int, int]] = deque()
        self._sum = 0

    def total(self, now_ms: int) -> int:
        """Return what was added within the minute before `now_ms`."""
        while self._entries and self._entries[0][0] <= now_ms - MINUTE_MS:
            self._sum -= self._entries.popleft()[1]
        return self._sum

    def add(self, now_ms: int, amount: int) -> None:
        """Count an amount."""
        if amount:
            self._entries.append((now_ms, amount))
            self._sum += amount


class IpBudget:
    """What one client IP has used. Methods that take something return the refusal's text, or None."""

    def __init__(self, limits: LimitConfig) -> None:
        self._limits = limits
        self._opened = SlidingSum()
        self._messages = SlidingSum()
        self._weight = SlidingSum()
        self._users: Counter[str] = Counter()
        self._leaving: dict[str, int] = {}
        self.connections = 0
        self.subscriptions = 0
        self.posts = 0

    def connect(self, now_ms: int) -> str | None:
        """Take a connection."""
        if self.connections >= self._limits.connections:
            return f"Cannot open more than {self._limits.connections} connections."
        if self._opened.total(now_ms) >= self._limits.new_connections_per_minute:
            return f"Cannot open more than {self._limits.new_connections_per_minute} connections per minute."
        self._opened.add(now_ms, 1)
        self.connections += 1
        return None

    def disconnect(self, users: list[str], subscriptions: int, now_ms: int) -> None:
        """Give back a connection; its users' slots are freed a moment later, as on the venue."""
        self.connections -= 1
        self.subscriptions -= subscriptions
        for user in users:
            self._drop(user)
            self._leaving[user] = now_ms + self._limits.user_release_ms

    def is_idle(self, now_ms: int) -> bool:
        """Tell whether forgetting this IP would change nothing."""
        sums = (self._opened, self._messages, self._weight)
        return not self.connections and not self.users(now_ms) and not any(s.total(now_ms) for s in sums)

    def message(self, now_ms: int) -> str | None:
        """Count a message of the client."""
        if self._messages.total(now_ms) >= self._limits.messages_per_minute:
            return f"Cannot send more than {self._limits.messages_per_minute} messages per minute."
        self._messages.add(now_ms, 1)
        return None

    def subscribe(self, user: str | None, now_ms: int) -> str | None:
        """Take a subscription, and a user slot if the user has none yet on this IP."""
        if self.subscriptions >= self._limits.subscriptions:
            return f"Cannot subscribe to more than {self._limits.subscriptions} channels."
        if user is not None:
            taken = self.users(now_ms)
            if user not in taken and len(taken) >= self._limits.users:
                return f"Cannot track more than {self._limits.users} total users."
            self._users[user] += 1
        self.subscriptions += 1
        return None

    def unsubscribe(self, user: str | None) -> None:
        """Give back a subscription; a user slot is free at once."""
        self.subscriptions -= 1
        if user is not None:
            self._drop(user)

    def _drop(self, user: str) -> None:
        self._users[user] -= 1
        if self._users[user] <= 0:
            del self._users[user]

    def users(self, now_ms: int) -> set[str]:
        """Return the users that take a slot."""
        self._leaving = {user: until for user, until in self._leaving.items() if until > now_ms}
        return self._users.keys() | self._leaving.keys()

    def post(self, number: int) -> str | None:
        """Take a place among the posts in flight."""
        if self.posts >= self._limits.inflight_posts:
            return f"too many pending post requests id={number}"
        self.posts += 1
        return None

    def spend(self, weight: int, now_ms: int) -> bool:
        """Spend REST weight; False, and nothing spent, when it is not there."""
        if self._weight.total(now_ms) + weight > self._limits.rest_weight_per_minute:
            return False
        self._weight.add(now_ms, weight)
        return True

    def charge(self, weight: int, now_ms: int) -> None:
        """Spend weight for rows that were answered already, even beyond the budget."""
        self._weight.add(now_ms, weight)
