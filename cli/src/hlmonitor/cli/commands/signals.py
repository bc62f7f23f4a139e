"""`hlmon signals`: what was published."""

import time
from contextlib import aclosing
from typing import Annotated

import typer

from hlmonitor.cli.commands.common import addresses_of, run, say, seconds_of
from hlmonitor.cli.core.lines import heading, signal_line
from hlmonitor.cli.io import tail as stream
from hlmonitor.cli.io.connections import nats_errors, open_nats
from hlmonitor.cli.settings import CliSettings
from hlmonitor.domain.addresses import Address

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep `signals` a group while it has one command."""


@app.command()
def tail(
    context: typer.Context,
    address: Annotated[str | None, typer.Option(help="only this wallet's")] = None,
    since: Annotated[str | None, typer.Option(help="also those of the last 30s, 5m, 2h, 1d")] = None,
    limit: Annotated[int, typer.Option(min=0, help="end after so many; 0: never")] = 0,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="the messages as published, one a line")] = False,
) -> None:
    """Show signals as they come, until Ctrl-C."""
    wallet = addresses_of([address])[0] if address else None
    since_s = seconds_of(since, "since") if since else None
    run(_tail(context.obj, wallet, since_s, limit, as_json=as_json))


async def _tail(
    settings: CliSettings, address: Address | None, since_s: float | None, limit: int, *, as_json: bool
) -> None:
    since_ms = None if since_s is None else int((time.time() - since_s) * 1000)
    async with open_nats(settings) as client:
        with nats_errors(settings):
            labels = await stream.labels(client)
        if not as_json:
            say(heading())
        shown = 0
        async with aclosing(stream.signals(client, address, since_ms)) as signals:
            async for seen in signals:
                say(seen.raw.decode() if as_json else signal_line(seen.view, labels, seen.seen_at_ms))
                shown += 1
                if shown == limit:
                    return
