"""What every command needs: to run work, to read arguments, to speak."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hlmonitor.cli.errors import CliError
from hlmonitor.domain.addresses import Address, AddressError, parse_address
from hlmonitor.runtime.settings import parse_duration

EXIT_PROBLEM = 1
TABLE_WIDTH = 150

T = TypeVar("T")


def run(work: Coroutine[None, None, T]) -> T:
    """Do the work; what cannot be done ends the command with one sentence, Ctrl-C ends it quietly."""
    try:
        return asyncio.run(work)
    except CliError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def addresses_of(texts: Sequence[str]) -> list[Address]:
    """The addresses, or the end of the command."""
    try:
        return [parse_address(text) for text in texts]
    except AddressError as error:
        fail(str(error))


def seconds_of(text: str, option: str) -> float:
    """The seconds of a duration, or the end of the command."""
    seconds = parse_duration(text)
    if seconds is None:
        fail(f"--{option}: {text!r} is not a duration such as 250ms, 30s, 5m, 2h or 1d")
    return seconds


def past_ms_of(text: str, option: str) -> int:
    """The Unix time in ms of an ISO 8601 time (UTC if it names no zone) or of a duration ago, or the command's end."""
    now = datetime.now(UTC)
    if (seconds := parse_duration(text)) is not None:
        return int((now.timestamp() - seconds) * 1000)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--{option}: {text!r} is neither a time such as 2026-01-31T12:00Z nor a duration such as 2h")
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    if time > now:
        fail(f"--{option}: {text} is not past")
    return round(time.timestamp() * 1000)


def say(text: str) -> None:
    """Print a line."""
    typer.echo(text)


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, wide enough for whole addresses, in a pipe too."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=max(Console().width, TABLE_WIDTH)).print(table)


def complain(text: str) -> None:
    """Print a line to stderr, with our name before it."""
    typer.echo(f"hlmon: {text}", err=True)


def fail(text: str) -> NoReturn:
    """Complain and end the command with status 1."""
    complain(text)
    raise typer.Exit(EXIT_PROBLEM)
