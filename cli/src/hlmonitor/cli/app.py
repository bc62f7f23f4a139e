"""The root command: settings, groups, and the doctor."""

from typing import Annotated

import typer

from hlmonitor.cli.commands import gaps, record, signals, watch
from hlmonitor.cli.commands.common import EXIT_PROBLEM, run, say
from hlmonitor.cli.io.doctor import examine
from hlmonitor.cli.settings import CliSettings
from hlmonitor.runtime.settings import load_settings

app = typer.Typer(name="hlmon", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(watch.app, name="watch", help="the watch list")
app.add_typer(signals.app, name="signals", help="what was published")
app.command()(gaps.gaps)
app.command()(record.record)


@app.callback()
def connect(
    context: typer.Context,
    config: Annotated[str | None, typer.Option(help="TOML file of settings, as the services'")] = None,
    nats_url: Annotated[str | None, typer.Option(help="NATS server")] = None,
    database_url: Annotated[str | None, typer.Option(help="SQLAlchemy URL of the database")] = None,
    venue_rest_url: Annotated[str | None, typer.Option(help="the venue's REST, without /info")] = None,
    venue_ws_url: Annotated[str | None, typer.Option(help="the venue's websocket")] = None,
    address_source: Annotated[str | None, typer.Option(help="table of the watch list")] = None,
) -> None:
    """Watch whales: the command line of hl-monitor.

    Each of these options has its environment variable: HLMON_NATS_URL, HLMON_DATABASE_URL and so on.
    """
    given = {
        "config": config,
        "nats-url": nats_url,
        "database-url": database_url,
        "venue-rest-url": venue_rest_url,
        "venue-ws-url": venue_ws_url,
        "address-source": address_source,
    }
    arguments = [f"--{name}={value}" for name, value in given.items() if value is not None]
    context.obj = load_settings("cli", CliSettings, arguments)


@app.command()
def doctor(context: typer.Context) -> None:
    """Check everything that the system depends on, and say what to do. The status is 1 when something is wrong."""
    findings = run(examine(context.obj))
    for finding in findings:
        say(f"{'ok     ' if finding.is_well else 'PROBLEM'}  {finding.what}: {finding.detail}")
        if finding.remedy:
            say(f"         → {finding.remedy}")
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(EXIT_PROBLEM)
