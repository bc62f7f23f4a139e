"""Runs in the release's toolbox, which is handed this text: asks the simulator, tells what was published and stored.

Arguments: `control PATH [BODY]`, or `told`.
"""

import asyncio
import json
import os
import sys
import urllib.request

import nats

from hlmonitor.runtime.streams import read_stream
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.storage import Database
from hlmonitor.storage.dao import signals

TIMEOUT_S = 120


def control(path: str, body: str | None = None) -> object:
    """The simulator's answer; with a body it is a POST."""
    url = f"{os.environ['HLMON_VENUE_REST_URL']}/control/{path}"
    request = urllib.request.Request(url, data=body.encode() if body else None)  # noqa: S310 the chart's own URL
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        return json.load(answer)


async def told() -> object:
    """When each wallet's signals begin, what is on the stream, and what is stored."""
    client = await nats.connect(os.environ["HLMON_NATS_URL"], connect_timeout=10)
    database = Database(os.environ["HLMON_DATABASE_URL"])
    try:
        entries = await WatchList(client).read()
        messages = await read_stream(client, "HL_SIGNALS", "hl.signals.v1.>")
        async with database.read() as connection:
            rows = await signals.kept(connection)
    finally:
        await database.close()
        await client.close()
    return {
        "watch_from": {key: held.entry.watch_from_ms for key, held in entries.items() if held.entry},
        "stream": [[message.data.decode(), message.stored_at_ms] for message in messages],
        "rows": [
            [
                row.signal_id,
                row.payload.decode(),
                *map(str, (row.price, row.size, row.close_rate)),
                row.direction,
                row.side,
            ]
            for row in rows
        ],
    }


if __name__ == "__main__":
    json.dump(control(*sys.argv[2:]) if sys.argv[1] == "control" else asyncio.run(told()), sys.stdout)
