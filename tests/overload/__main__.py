"""`python -m overload`: exit status 0 when the verdict is good, 1 when it is not or the run did not come to one."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from chaos.run import DATABASES
from judged import Judgement, end_with_verdict, say

from overload.run import Options, run


def main(
    duration: Annotated[float, typer.Option(help="seconds of ten times too much")] = 120,
    database: Annotated[str, typer.Option(help=", ".join(DATABASES))] = "sqlite",
) -> None:
    """Send the system ten times what it sustains, and say what came of it."""
    if database not in DATABASES:
        raise typer.BadParameter(f"known are {', '.join(DATABASES)}", param_hint="database")

    def judge(directory: Path) -> Judgement:
        verdict = asyncio.run(run(Options(duration, database, directory), say))
        return Judgement(verdict, verdict.complaints())

    end_with_verdict("overload", judge)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
