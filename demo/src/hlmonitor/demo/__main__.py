"""`hlmon-demo`: all of hl-monitor on this machine, against simulated whales.

Exit codes: 0 the verdict is good (or Ctrl-C without a duration), 1 it is not, or something did not start.
"""

import asyncio
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from hlmonitor.demo.run import DemoRun
from hlmonitor.demo.verdict import Verdict
from hlmonitor.local.processes import LocalError
from hlmonitor.local.stack import Stack, StackConfig

FAULTS: dict[str, dict[str, object]] = {
    "reorder": {"reorder": 0.1},
    "duplicate": {"duplicate": 0.1},
    "split": {"split": 0.1},
    "status_first": {"status_first": True},
}
"""What FAULTS=… may name, and what that asks of the simulator."""


def main() -> None:
    """Entry point."""
    typer.run(demo)


def demo(
    duration: Annotated[float, typer.Option(help="seconds of trading, then a verdict; 0: until Ctrl-C")] = 0,
    whales: Annotated[int, typer.Option(help="wallets to watch; a gateway's IP may watch 10")] = 20,
    gateways: Annotated[int, typer.Option(help="gateways, each with an egress IP of its own")] = 2,
    aggregators: Annotated[int, typer.Option()] = 2,
    seed: Annotated[int, typer.Option(help="same seed, same market")] = 1,
    faults: Annotated[str, typer.Option(help=f"what the venue does wrong, by commas: {', '.join(FAULTS)}")] = "",
    directory: Annotated[Path, typer.Option(help="data and logs; made anew")] = Path(".run/demo"),
) -> None:
    """Run the demo."""
    unknown = [name for name in faults.split(",") if name and name not in FAULTS]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(FAULTS)}", param_hint="faults")
    wanted = {key: value for name in faults.split(",") if name for key, value in FAULTS[name].items()}
    config = StackConfig(
        directory.absolute(),
        gateways=gateways,
        aggregators=aggregators,
        whales=whales,
        settings={"simulator": {"seed": seed}, "address-loader": {"every": "1s"}},
    )
    sys.exit(asyncio.run(_run(config, Console(highlight=False), duration, wanted)))


async def _run(config: StackConfig, console: Console, duration_s: float, faults: dict[str, object]) -> int:
    shutil.rmtree(config.directory, ignore_errors=True)
    console.print("starting NATS, the simulated venue and hl-monitor", style="dim")
    console.print(f"data and logs are in {config.directory}", style="dim", soft_wrap=True)
    began = time.monotonic()
    this = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel if this else lambda: None)
    try:
        async with Stack(config) as stack:
            console.print(f"up after {time.monotonic() - began:.1f} s", style="dim")
            run = DemoRun(stack, console, faults)
            if not duration_s:
                await _until_interrupted(run)
                console.print("stopping", style="dim")
                return 0
            verdict = await run.judge(duration_s)
    except LocalError as error:
        console.print(str(error), style="red", soft_wrap=True)
        return 1
    except asyncio.CancelledError:
        console.print("stopped before the verdict", style="red")
        return 1
    return _tell(verdict)


async def _until_interrupted(run: DemoRun) -> None:
    try:
        await run.show_for_ever()
    except asyncio.CancelledError:
        this = asyncio.current_task()
        if this:
            this.uncancel()


def _tell(verdict: Verdict) -> int:
    # Not by way of the console, which would wrap it: the verdict is one line.
    print(msgspec.json.encode(verdict).decode(), flush=True)  # noqa: T201
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    main()
