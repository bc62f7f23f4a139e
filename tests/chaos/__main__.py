"""`python -m chaos`: exit status 0 when the verdict is good, 1 when it is not or the run did not come to one."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from judged import Judgement, end_with_verdict, say

from chaos.run import DATABASES, Options, run


def main(
    seed: Annotated[int, typer.Option(help="same seed, same blows")] = 1,
    duration: Annotated[float, typer.Option(help="seconds of trading")] = 120,
    database: Annotated[str, typer.Option(help=", ".join(DATABASES))] = "sqlite",
    only: Annotated[str, typer.Option(help="by commas: Kill, Freeze, Hurt, Join, Leave, List, Unlist")] = "",
) -> None:
    """Break everything, and say what came of it."""
    if database not in DATABASES:
        raise typer.BadParameter(f"known are {', '.join(DATABASES)}", param_hint="database")

    def judge(directory: Path) -> Judgement:
        options = Options(seed, duration, database, directory, frozenset(filter(None, only.split(","))))
        verdict = asyncio.run(run(options, say))
        return Judgement(verdict, verdict.complaints(duration), verdict.remarks())

    end_with_verdict("chaos", judge)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
