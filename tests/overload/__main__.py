"""`python -m overload`: exit status 0 when the verdict is good, 1 when it is not or the run did not come to one."""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from chaos.run import DATABASES

from overload.run import Options, run


def main(
    duration: Annotated[float, typer.Option(help="seconds of ten times too much")] = 120,
    database: Annotated[str, typer.Option(help=", ".join(DATABASES))] = "sqlite",
) -> None:
    """Send the system ten times what it sustains, and say what came of it."""
    if database not in DATABASES:
        raise typer.BadParameter(f"known are {', '.join(DATABASES)}", param_hint="database")
    directory = Path(tempfile.mkdtemp(prefix="hlmonitor-overload-"))
    # The database servers run as users of their own, below it.
    directory.chmod(0o755)
    good = False
    try:
        good = _is_good(Options(duration, database, directory))
    finally:
        if good:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            _say(f"logs and data are kept in {directory}")
    sys.exit(0 if good else 1)


def _is_good(options: Options) -> bool:
    verdict = asyncio.run(run(options, _say))
    complaints = verdict.complaints()
    for complaint in complaints:
        _say(complaint)
    _say(msgspec.json.encode(verdict).decode())
    return not complaints


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
