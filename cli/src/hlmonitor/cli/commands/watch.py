"""`hlmon watch`: the watch list."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hlmonitor.cli.commands.common import (
    EXIT_PROBLEM,
    addresses_of,
    complain,
    fail,
    past_ms_of,
    run,
    say,
    say_table,
    seconds_of,
)
from hlmonitor.cli.core.listing import Listed, listing
from hlmonitor.cli.core.wallets import Wallet, Wallets, read_wallets
from hlmonitor.cli.io.connections import open_database, open_nats
from hlmonitor.cli.io.watching import Options, Watching
from hlmonitor.cli.settings import CliSettings
from hlmonitor.domain.addresses import Address
from hlmonitor.runtime.clock import wall_ms

app = typer.Typer(no_args_is_help=True)

Addresses = Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="0x and 40 hex digits")]
OrderTimeout = Annotated[
    str | None,
    typer.Option(help="after this long without an end an order's fills go out: 30s, 5m; 0 sends every fill at once"),
]
BackfillFrom = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="signals start here, not at the adding: 2026-01-31T12:00Z, or 2h for two hours ago; "
        "fills older than the aggregator's HLMON_DEDUP_HORIZON are stored without a signal",
    ),
]
Priority = Annotated[int | None, typer.Option(help="higher is served first when not everybody has room")]


@app.command()
def add(
    context: typer.Context,
    addresses: Addresses,
    label: Annotated[str, typer.Option(help="your name for it")] = "",
    order_timeout: OrderTimeout = None,
    priority: Priority = None,
    backfill_from: BackfillFrom = None,
) -> None:
    """Watch wallets from now on, or with signals of what they did before."""
    wallets = [Wallet(address, label) for address in addresses_of(addresses)]
    added = run(_add(context.obj, wallets, _options(order_timeout, priority, backfill_from)))
    for wallet in wallets:
        say(f"{wallet.address} {'is watched now' if wallet.address in added else 'was watched already'}")


@app.command()
def remove(context: typer.Context, addresses: Addresses) -> None:
    """Watch wallets no more. For some minutes they still are, so that coming back loses nothing."""
    wanted = addresses_of(addresses)
    removed = run(_remove(context.obj, wanted))
    for address in wanted:
        say(f"{address} {'is removed' if address in removed else 'was not on the list'}")


@app.command("list")
def list_(
    context: typer.Context, *, as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False
) -> None:
    """Show who is watched."""
    rows = run(_listed(context.obj))
    if as_json:
        for row in rows:
            say(msgspec.json.encode(row).decode())
        return
    say_table(
        ("wallet", "label", "state", "since", "priority", "order timeout"),
        [(row.address, row.label, row.state, row.since, str(row.priority), row.order_timeout) for row in rows],
    )
    say(f"{len(rows)} wallets")


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="an address or `address,label` per line; - is stdin")],
    order_timeout: OrderTimeout = None,
    priority: Priority = None,
) -> None:
    """Watch the wallets of a file. Bad lines are named, the good ones still count; the status is then 1."""
    found = _read(file)
    added = run(_add(context.obj, found.good, _options(order_timeout, priority))) if found.good else []
    for line in found.bad:
        complain(f"line {line.number}: {line.reason}")
    say(f"{len(found.good)} wallets read, {len(added)} new, {len(found.bad)} bad lines")
    if found.bad:
        raise typer.Exit(EXIT_PROBLEM)


async def _add(settings: CliSettings, wallets: Sequence[Wallet], options: Options) -> list[Address]:
    async with open_database(settings) as database, open_nats(settings) as client:
        return await Watching(settings, database, client).add(wallets, options)


async def _remove(settings: CliSettings, addresses: Sequence[Address]) -> list[Address]:
    async with open_database(settings) as database, open_nats(settings) as client:
        return await Watching(settings, database, client).remove(addresses)


async def _listed(settings: CliSettings) -> list[Listed]:
    async with open_database(settings) as database, open_nats(settings) as client:
        rows, held = await Watching(settings, database, client).read()
    entries = {address: stored.entry for address, stored in held.items()}
    return listing(rows, entries, wall_ms(), int(settings.remove_grace * 1000))


def _read(file: str) -> Wallets:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}")
    return read_wallets(text.splitlines())


def _options(order_timeout: str | None, priority: int | None, backfill_from: str | None = None) -> Options:
    return Options(
        seconds_of(order_timeout, "order-timeout") if order_timeout is not None else None,
        priority,
        past_ms_of(backfill_from, "backfill-from") if backfill_from is not None else None,
    )
