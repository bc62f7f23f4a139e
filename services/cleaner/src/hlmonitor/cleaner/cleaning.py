"""One round of cleaning: every kind of row, step by step."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.cleaner.settings import CleanerSettings
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.storage import Database
from hlmonitor.storage.dao import cleaning

Step = Callable[[AsyncConnection], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Cleaner:
    """Deletes what may go."""

    database: Database
    settings: CleanerSettings
    metrics: Metrics
    log: Log
    stopping: asyncio.Event

    async def round(self, now_ms: int) -> dict[str, int]:
        """Delete everything that may go at this time; returns the number of rows by table.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refuses or is away; what was deleted so far stays deleted.
            TimeoutError: a step took too long.
        """
        settings, most = self.settings, self.settings.step_rows
        orders_before = now_ms - _ms(settings.orders_after)
        rest_before = now_ms - _ms(settings.rest_after)
        excess_before = now_ms - _ms(settings.excess_after)
        # Orders first: the rest of an order may go only when its rows are gone.
        steps: list[tuple[str, Step]] = [
            ("hl_order_aggregation", lambda tx: cleaning.delete_orders(tx, orders_before, most)),
            ("hl_fill", lambda tx: cleaning.delete_fills(tx, rest_before, most)),
            ("hl_order_status", lambda tx: cleaning.delete_statuses(tx, rest_before, most)),
            ("hl_address_signals", lambda tx: cleaning.delete_signals(tx, rest_before, most)),
            ("hl_void_signal", lambda tx: cleaning.delete_voids(tx, rest_before, most)),
            (
                "hl_address_signals",
                lambda tx: cleaning.delete_excess_signals(tx, excess_before, settings.most_signals, most),
            ),
        ]
        deleted: dict[str, int] = {}
        for table, step in steps:
            deleted[table] = deleted.get(table, 0) + await self._all_steps(table, step)
        await self._report_excess()
        return deleted

    async def _all_steps(self, table: str, step: Step) -> int:
        total = 0
        while not self.stopping.is_set():
            async with asyncio.timeout(self.settings.transaction_timeout), self.database.write() as connection:
                rows = await step(connection)
            if rows == 0:
                break
            total += rows
            self.metrics.rows_cleaned_total.labels(table).inc(rows)
            self.log.info("rows_deleted", table=table, rows=rows, total=total)
        return total

    async def _report_excess(self) -> None:
        async with asyncio.timeout(self.settings.transaction_timeout), self.database.read() as connection:
            excess = max(0, await cleaning.count_signals(connection) - self.settings.most_signals)
        self.metrics.signal_rows_over_limit.set(excess)
        if excess:
            self.log.error("too_many_signal_rows", above_limit=excess, limit=self.settings.most_signals)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
