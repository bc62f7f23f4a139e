"""The venue's rate limits: what a request weighs, and a ledger that never lets more through than allowed."""

from collections import deque
from collections.abc import Mapping

REST_WEIGHT_PER_MINUTE = 1200
CONNECTIONS = 10
NEW_CONNECTIONS_PER_MINUTE = 30
SUBSCRIPTIONS = 1000
UNIQUE_USERS = 10
MESSAGES_PER_MINUTE = 2000
WINDOW_S = 60.0

_LIGHT = {
    "l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus",
}  # fmt: skip
_LIGHT_WEIGHT = 2
_USUAL_WEIGHT = 20
_SPECIAL: Mapping[str, int] = {"userRole": 60}
# Types that cost one more per 20 rows of the reply, with the most rows that a reply can have.
_PER_ROWS: Mapping[str, int] = {
    "recentTrades": 2000, "historicalOrders": 2000, "userFills": 2000, "userFillsByTime": 2000,
    "fundingHistory": 500, "userFunding": 500, "nonUserFundingUpdates": 500, "twapHistory": 2000,
    "userTwapSliceFills": 2000, "userTwapSliceFillsByTime": 2000,
}  # fmt: skip
_ROWS_PER_WEIGHT = 20


def weight_of(request_type: str, rows: int = 0) -> int:
    """What a request costs whose reply has so many rows."""
    base = _SPECIAL.get(request_type, _LIGHT_WEIGHT if request_type in _LIGHT else _USUAL_WEIGHT)
    return base + (rows // _ROWS_PER_WEIGHT if request_type in _PER_ROWS else 0)


def most_weight_of(request_type: str) -> int:
    """What a request can cost at most: reserved before it is sent, because the rows are not known yet."""
    return weight_of(request_type, _PER_ROWS.get(request_type, 0))


class RateLedger:
    """At most `limit` units in any `window_s` seconds.

    A token bucket that refills steadily lets almost twice its limit through in one window after a pause; this one
    returns each unit exactly one window after it was taken, so that no window of the venue's can hold more.
    """

    def __init__(self, limit: float, window_s: float = WINDOW_S) -> None:
        self._limit, self._window_s = limit, window_s
        self._taken: deque[list[float]] = deque()
        self._sum = 0.0

    @property
    def limit(self) -> float:
        """Units per window."""
        return self._limit

    def resize(self, limit: float) -> None:
        """Change the limit: the share of an egress group changes with its members."""
        self._limit = limit

    def used(self, now: float) -> float:
        """Units that count against the limit now."""
        self._expire(now)
        return self._sum

    def take(self, units: float, now: float) -> float:
        """Take units and return 0, or take none and return the seconds to wait before it is worth asking again.

        A request that weighs more than the whole limit passes when nothing else is outstanding: it could never else.
        """
        self._expire(now)
        if self._sum + units <= self._limit or not self._taken:
            self._taken.append([now, units])
            self._sum += units
            return 0.0
        return self._wait_for(units, now)

    def settle(self, taken: float, cost: float, at: float, now: float) -> None:
        """Put what a request cost in the place of what was taken for it at that time.

        It counts from now on: when within the request the venue counted is not known, and so it counts for longer,
        never shorter.
        """
        self._expire(now)
        for entry in self._taken:
            if entry == [at, taken]:
                entry[1] = 0.0
                self._sum -= taken
                break
        self.charge(cost, now)

    def spend_all(self, now: float) -> None:
        """Charge a whole window: the venue said 429."""
        self._expire(now)
        self.charge(max(self._limit - self._sum, 0.0), now)

    def charge(self, units: float, now: float) -> None:
        """Count units that others took of what is ours now."""
        if units:
            self._taken.append([now, units])
            self._sum += units

    def _expire(self, now: float) -> None:
        while self._taken and self._taken[0][0] + self._window_s <= now:
            self._sum -= self._taken.popleft()[1]
        if not self._taken:
            self._sum = 0.0

    def _wait_for(self, units: float, now: float) -> float:
        excess = self._sum + units - self._limit
        for at, taken in self._taken:
            excess -= taken
            if excess <= 0:
                return max(at + self._window_s - now, 0.001)
        return max(self._taken[-1][0] + self._window_s - now, 0.001)
