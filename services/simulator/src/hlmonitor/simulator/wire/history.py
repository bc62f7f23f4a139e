"""Which past fills a request sees, and in what order."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import MICRO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hlmonitor.simulator.core.events import Fill

PAGE: Final = 2_000
HORIZON: Final = 10_000


def newest_first(fills: Sequence[Fill]) -> list[Fill]:
    """Order by time, newest first; rows that share a millisecond stay chronological (facts 3.3)."""
    blocks = [list(rows) for _, rows in groupby(fills, key=lambda fill: fill.time)]
    return [fill for block in reversed(blocks) for fill in block]


def within(fills: Iterable[Fill], start: int, end: int | None) -> list[Fill]:
    """Keep fills between two times, both included, oldest first."""
    return [fill for fill in fills if fill.time >= start and (end is None or fill.time <= end)]


def aggregate(fills: Iterable[Fill]) -> list[Fill]:
    """Join the partial fills of one order in one block, keeping different `dir` texts apart.

    The joined row has the volume-weighted price and the first row's tid and start position.
    """
    groups: dict[tuple[int, int, str], list[Fill]] = {}
    for fill in fills:
        groups.setdefault((fill.time, fill.oid, fill.dir), []).append(fill)
    return [_join(rows) for rows in groups.values()]


def _join(rows: list[Fill]) -> Fill:
    first = rows[0]
    if len(rows) == 1:
        return first
    sz = sum((row.sz for row in rows[1:]), first.sz)
    notional = sum((row.px * row.sz for row in rows[1:]), first.px * first.sz)
    return replace(
        first,
        px=(notional / sz).quantize(MICRO),
        sz=sz,
        fee=sum((row.fee for row in rows[1:]), first.fee),
        closed_pnl=sum((row.closed_pnl for row in rows[1:]), first.closed_pnl),
    )
