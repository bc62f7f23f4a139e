"""`hlmon gaps`: where signals may be missing or late."""

from typing import Annotated

import msgspec
import typer

from hlmonitor.cli.commands.common import addresses_of, past_ms_of, run, say, say_table
from hlmonitor.cli.core.gaps import HEADINGS, cells, meanings, summary
from hlmonitor.cli.io.connections import open_database, sql_errors
from hlmonitor.cli.settings import CliSettings
from hlmonitor.domain.addresses import Address
from hlmonitor.storage.dao import progress
from hlmonitor.storage.dao.progress import OPEN, KnownGap


def gaps(
    context: typer.Context,
    address: Annotated[str | None, typer.Option(help="only this wallet's")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="only those that changed since 2026-01-31T12:00Z, or within 30m, 2h, 1d"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="the last changed, so many")] = 100,
    *,
    only_open: Annotated[bool, typer.Option("--open", help="only those that nobody has vouched for yet")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Show where signals may be missing or late, the last changed first."""
    wallet = addresses_of([address])[0] if address else None
    since_ms = past_ms_of(since, "since") if since else 0
    found = run(_known(context.obj, wallet, OPEN if only_open else None, since_ms, limit))
    if as_json:
        for gap in found:
            say(msgspec.json.encode(gap._asdict()).decode())
        return
    if found:
        say_table(HEADINGS, [cells(gap) for gap in found])
        for meaning in meanings(found):
            say(meaning)
    say(summary(found, limit))


async def _known(
    settings: CliSettings, address: Address | None, state: str | None, since_ms: int, most: int
) -> list[KnownGap]:
    async with open_database(settings) as database:
        with sql_errors(settings):
            async with database.read() as connection:
                return await progress.known_gaps(connection, address=address, state=state, since_ms=since_ms, most=most)
