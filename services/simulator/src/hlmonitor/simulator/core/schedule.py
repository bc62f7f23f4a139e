"""Scheduled cancels, the dead man's switch: all open orders of a wallet end at a time unless it is set anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .durations import DAY_MS
from .errors import RefusedError
from .orders import Status

if TYPE_CHECKING:
    from .entry import OrderEntry
    from .state import ExchangeState

_LEAST_AHEAD_MS: Final = 5_000
_MOST_A_DAY: Final = 10


class CancelSchedule:
    """At most one time per wallet. The venue lets it fire ten times a day (UTC) and wants traded volume first."""

    def __init__(self, state: ExchangeState, entry: OrderEntry) -> None:
        self._state = state
        self._entry = entry
        self._due: dict[str, int] = {}
        self._fired: dict[str, tuple[int, int]] = {}

    def set(self, address: str, time_ms: int | None) -> None:
        """Cancel everything of a wallet at a time; None takes the time back.

        Raises:
            RefusedError: the time is less than 5 s ahead, the wallet traded too little, or it fired too often today.
        """
        if time_ms is None:
            self._due.pop(address, None)
            return
        if time_ms < self._state.now_ms + _LEAST_AHEAD_MS:
            raise RefusedError("Scheduled cancel time too early, must be at least 5 seconds from now.")
        needed, traded = self._state.config.scheduled_cancel_volume, self._state.ledger.of(address).traded_ntl
        if traded < needed:
            raise RefusedError(
                "Cannot set scheduled cancel time until enough volume traded. "
                f"Required: ${needed}. Traded: ${traded.normalize():f}."
            )
        if self._count(address) >= _MOST_A_DAY:
            raise RefusedError(f"Scheduled cancel fired {_MOST_A_DAY} times today already.")
        self._due[address] = time_ms

    def of(self, address: str) -> int | None:
        """Return when everything of a wallet will be cancelled, None when it will not."""
        return self._due.get(address)

    def run(self) -> None:
        """Fire what is due. Call at the start of a block, before anybody acts."""
        now = self._state.now_ms
        for address in [address for address, due in self._due.items() if due <= now]:
            del self._due[address]
            account = self._state.account(address)
            orders = [*account.all_open(), *account.held_back.values()]
            if self._entry.withdraw(orders, Status.SCHEDULED_CANCEL):
                self._fired[address] = (now // DAY_MS, self._count(address) + 1)

    def _count(self, address: str) -> int:
        day, count = self._fired.get(address, (0, 0))
        return count if day == self._state.now_ms // DAY_MS else 0
