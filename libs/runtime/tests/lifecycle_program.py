"""A service for the lifecycle tests: how it runs and ends is a setting."""

import asyncio
from typing import Literal

from pydantic import Field

from hlmonitor.runtime.service import Service, ServiceFailedError, run_service
from hlmonitor.runtime.settings import ServiceSettings


class ProgramSettings(ServiceSettings):
    """What the program does."""

    act: Literal["drain", "hang", "crash", "fail", "once", "forever"] = Field("drain", description="what it does")


async def serve(service: Service[ProgramSettings]) -> None:
    """Do it."""
    match service.settings.act:
        case "crash":
            raise RuntimeError("the pump broke")
        case "fail":
            raise ServiceFailedError("the well is dry: dig deeper")
        case "forever":
            service.health.component("work").up()
            await service.until_stopping(asyncio.sleep(3600))
            return
        case "once":
            service.log.info("work_done")
            return
        case _:
            pass
    service.health.component("work").up()
    await service.stopping.wait()
    if service.settings.act == "hang":
        await asyncio.Event().wait()
    service.log.info("drained", amount=3)


if __name__ == "__main__":
    run_service("program", ProgramSettings, serve)
