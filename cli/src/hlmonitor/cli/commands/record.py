"""`hlmon record`: what the venue sends, to the character, in a file that the simulator replays."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hlmonitor.cli.commands.common import EXIT_PROBLEM, complain, fail, run, say, seconds_of
from hlmonitor.cli.core.progress import Progress, progress_text
from hlmonitor.cli.core.wanted import Wanted, read_wanted, read_wanted_lines, share_out
from hlmonitor.cli.errors import CliError
from hlmonitor.cli.io.recorder import Source
from hlmonitor.cli.io.recording import Done, Run
from hlmonitor.cli.io.recording import record as capture

# What a client asks before it can make sense of anything: 142 of the 1200 weight that a minute has.
METADATA = (
    "meta", "spotMeta", "perpDexs", "allPerpMetas", "metaAndAssetCtxs", "spotMetaAndAssetCtxs", "outcomeMeta",
    "allMids",
)  # fmt: skip
_TERMINAL_EVERY_S = 1.0
_PLAIN_EVERY_S = 30.0

Subscriptions = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SUBSCRIPTION]...", help="as 'trades coin=BTC', or as JSON with any fields"),
]


def record(  # noqa: PLR0913 one argument per option
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="gone on with when it is a capture already")],
    subscriptions: Subscriptions = None,
    subscriptions_file: Annotated[
        Path | None, typer.Option("--subscriptions", help="file with more of them, one a line; # begins a comment")
    ] = None,
    info: Annotated[
        list[str] | None, typer.Option(help="request to /info whose answer is wanted too; may be given again")
    ] = None,
    info_every: Annotated[str, typer.Option(help="how often /info is asked: 10m, 1h")] = "1h",
    duration: Annotated[str | None, typer.Option(help="end after 30s, 10m, 8h; without it at Ctrl-C")] = None,
    keep_free: Annotated[int, typer.Option(min=0, help="MiB of the disk that stay free")] = 512,
    *,
    metadata: Annotated[bool, typer.Option(help="ask /info for what is listed, too")] = True,
) -> None:
    """Capture what the venue sends, with the time of receipt, until Ctrl-C.

    The connection's end, the venue's or yours, is part of the capture; it is made anew at once. The same command goes
    on with the file. docs/captures.md tells its format and how the simulator replays it.
    """
    settings = context.obj
    every_s = seconds_of(info_every, "info-every")
    duration_s = seconds_of(duration, "duration") if duration else None
    try:
        wanted = _wanted(subscriptions or [], subscriptions_file)
        groups = share_out(wanted)
        requests = [read_wanted(text) for text in (*(METADATA if metadata else ()), *(info or ()))]
    except CliError as error:
        fail(str(error))
    if not wanted:
        fail("nothing to capture: name subscriptions, such as 'trades coin=BTC' or 'userFills user=0x…'")
    source = Source(settings.venue_ws_url, settings.venue_rest_url, groups, requests, every_s)
    on_terminal = sys.stderr.isatty()
    report_every_s = _TERMINAL_EVERY_S if on_terminal else _PLAIN_EVERY_S
    done = run(capture(source, Run(file, keep_free << 20, duration_s, report_every_s, _report)))
    _sum_up(file, done, on_terminal=on_terminal)


def _wanted(texts: Sequence[str], file: Path | None) -> list[Wanted]:
    wanted = [read_wanted(text) for text in texts]
    if file is None:
        return wanted
    try:
        return wanted + read_wanted_lines(file.read_text().splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{file} cannot be read: {error}") from error


def _report(progress: Progress) -> None:
    text = progress_text(progress, time.monotonic())
    if sys.stderr.isatty():
        # One line that is written over; what is left of a longer one is wiped.
        typer.echo(f"\r{text}\x1b[K", err=True, nl=False)
    else:
        typer.echo(text, err=True)


def _sum_up(file: Path, done: Done, *, on_terminal: bool) -> None:
    progress = done.progress
    if on_terminal:
        typer.echo(err=True)
    say(f"{file}: {progress.frames:,} frames, {progress.answers} answers of /info, {progress.file_bytes:,} bytes")
    for wanted, reason in progress.refused.items():
        complain(f"{wanted} was refused: {reason}")
    if progress.lost:
        complain(f"{progress.lost:,} lines could not be kept: the capture says where")
    if done.problem:
        complain(done.problem)
    if not progress.frames:
        complain(f"nothing was captured: {progress.problem or 'the venue sent nothing'}")
    if done.problem or progress.lost or not progress.frames:
        raise typer.Exit(EXIT_PROBLEM)
