"""Run the simulator: `python -m hlmonitor.simulator --help` lists its settings."""

import asyncio
import contextlib
from pathlib import Path

from hlmonitor.runtime.service import Service, ServiceFailedError, run_service
from hlmonitor.simulator.io.app import Listener
from hlmonitor.simulator.io.node_files import NodeFilesError
from hlmonitor.simulator.io.scenario import ScenarioError
from hlmonitor.simulator.io.server import Simulator, run_blocks
from hlmonitor.simulator.replay.capture import CaptureError
from hlmonitor.simulator.replay.player import State
from hlmonitor.simulator.replay.server import Replay, check_speed
from hlmonitor.simulator.settings import SimulatorSettings


async def serve(service: Service[SimulatorSettings]) -> None:
    """Serve until told to stop."""
    if service.settings.replay:
        await _replay(service)
        return
    try:
        await _serve(service)
    except NodeFilesError as error:
        raise ServiceFailedError(str(error)) from error


async def _serve(service: Service[SimulatorSettings]) -> None:
    settings = service.settings
    simulator = Simulator(
        settings.market(), settings.server(), seed=settings.seed, warmup_blocks=settings.warmup_blocks
    )
    _play_scenario(simulator, settings.scenario)
    listener = Listener(simulator)
    component = service.health.component("exchange")
    try:
        await listener.start(settings.host, settings.port)
    except OSError as error:
        raise ServiceFailedError(f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}") from error
    component.up()
    service.log.info("simulator_ready", url=f"http://{settings.host}:{listener.port}", seed=settings.seed)
    blocks = asyncio.create_task(run_blocks(simulator))
    stop = asyncio.create_task(service.stopping.wait())
    await asyncio.wait({blocks, stop}, return_when=asyncio.FIRST_COMPLETED)
    for task in (blocks, stop):
        task.cancel()
    await listener.stop()
    with contextlib.suppress(asyncio.CancelledError):
        await blocks


async def _replay(service: Service[SimulatorSettings]) -> None:
    settings = service.settings
    if settings.scenario:
        raise ServiceFailedError("scenario: a capture is replayed as it was; leave out replay, or the scenario")
    start = {"subscribed": State.WAITING, "at_once": State.RUNNING, "paused": State.PAUSED}[settings.replay_start]
    component = service.health.component("replay")
    try:
        check_speed(settings.speed)
        replay = Replay(Path(settings.replay), speed=settings.speed, start=start, cuts=settings.replay_cuts)
        await replay.listen(settings.host, settings.port)
    except (CaptureError, ValueError) as error:
        raise ServiceFailedError(str(error)) from error
    except OSError as error:
        raise ServiceFailedError(f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}") from error
    component.up()
    url = f"http://{settings.host}:{replay.port}"
    service.log.info("replay_ready", url=url, capture=settings.replay, feeds=len(replay.contents.feeds))
    try:
        await service.until_stopping(_play(service, replay))
    finally:
        await replay.stop()


async def _play(service: Service[SimulatorSettings], replay: Replay) -> None:
    try:
        await replay.run()
    except CaptureError as error:
        raise ServiceFailedError(str(error)) from error
    service.log.info("replay_ended", lines=replay.player.lines)
    await service.stopping.wait()


def _play_scenario(simulator: Simulator, path: str) -> None:
    if not path:
        return
    try:
        simulator.play(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceFailedError(f"scenario {path} cannot be read: {error}") from error
    except ScenarioError as error:
        raise ServiceFailedError(f"{path}, {error}") from error


def main() -> None:
    """Entry point of `hlmon-simulator`."""
    run_service("simulator", SimulatorSettings, serve)


if __name__ == "__main__":
    main()
