"""Answers of `/info` from a capture: the ones that were captured, and those that follow from captured feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from .capture import canonical
from .feeds import newest_first, row_time

if TYPE_CHECKING:
    from .capture import Contents, Fields
    from .feeds import Feeds, Rows

_PAGE: Final = 2_000
_OK: Final = 200


class MissingAnswerError(LookupError):
    """The capture has no answer to a request."""

    def __init__(self, request: Fields) -> None:
        asked = msgspec.json.encode(request).decode()
        super().__init__(f"the capture has no answer to {asked}: record one with hlmon record --info '{asked}'")


class Answers:
    """The answers as of the moment that the replay has reached."""

    def __init__(self, contents: Contents, feeds: Feeds) -> None:
        # What is first asked before it was captured has the first answer that there is: lists hardly change.
        self._captured = dict(contents.answers)
        self._feeds = feeds

    def take(self, request: Fields, answer: Fields) -> None:
        """Take note of a captured answer: from now on it is the one."""
        self._captured[canonical(request)] = answer

    def answer(self, request: Fields) -> tuple[int, bytes]:
        """Return status and body.

        Raises:
            MissingAnswerError: neither captured nor to be had from feeds.
        """
        captured = self._captured.get(canonical(request))
        if captured is not None:
            return int(str(captured["status"])), str(captured["body"]).encode()
        value = self._from_feeds(request)
        if value is None:
            raise MissingAnswerError(request)
        return _OK, msgspec.json.encode(value)

    def _from_feeds(self, request: Fields) -> object:
        user = {"user": request.get("user")}
        match request:
            case {"type": "userFills" | "userTwapSliceFills"}:
                rows = self._rows(request, str(request["type"]))
                return None if rows is None else newest_first(rows)[:_PAGE]
            case {"type": "userFillsByTime" | "userTwapSliceFillsByTime", "startTime": int(start)}:
                rows = self._rows(request, str(request["type"]).removesuffix("ByTime"))
                return None if rows is None else _page(rows, start, request)
            case {"type": "clearinghouseState"}:
                dex = request.get("dex") or ""
                own = self._latest({"type": "clearinghouseState", "dex": dex} | user, "clearinghouseState")
                everywhere = self._latest({"type": "allDexsClearinghouseState"} | user, "clearinghouseStates")
                return own or next((state for name, state in _pairs(everywhere) if name == dex), None)
            case {"type": "spotClearinghouseState"}:
                return self._latest({"type": "spotState"} | user, "spotState")
            case _:
                return None

    def _rows(self, request: Fields, kind: str) -> Rows | None:
        wanted = {"type": kind, "user": request.get("user"), "aggregateByTime": request.get("aggregateByTime") or False}
        feed = self._feeds.find(wanted)
        return None if feed is None else feed.rows()

    def _latest(self, wanted: Fields, name: str) -> object:
        feed = self._feeds.find(wanted)
        if feed is None or feed.latest is None:
            return None
        return msgspec.json.decode(feed.latest)["data"][name]


def _page(rows: Rows, start: int, request: Fields) -> Rows:
    end = request.get("endTime")
    within = [row for row in rows if start <= (time := row_time(row)) and (not isinstance(end, int) or time <= end)]
    return (newest_first(within) if request.get("reversed") else within)[:_PAGE]


def _pairs(states: object) -> list[tuple[str, object]]:
    return msgspec.convert(states or [], list[tuple[str, object]])
