"""Print every signal from the beginning of the stream on: `python docs/examples/consume.py [NATS_URL]`."""

import asyncio
import json
import sys

import nats


async def main() -> None:
    """Read for ever; a hole in a wallet's numbers would mean that a signal was missed."""
    client = await nats.connect(sys.argv[1] if len(sys.argv) > 1 else "nats://127.0.0.1:4222")
    signals = await client.jetstream().subscribe("hl.signals.v1.>", ordered_consumer=True)
    last: dict[str, int] = {}
    async for message in signals.messages:
        signal = json.loads(message.data)
        address, number = signal["address"], signal["number"]
        if number > last.get(address, number - 1) + 1:
            print(f"missed {last[address] + 1} to {number - 1} of {address}")  # noqa: T201 an example prints
        last[address] = number
        if signal["kind"] != "void":
            text = f"{address} {signal['direction']} {signal['side']} {signal['size']} {signal['symbol']}"
            print(f"{text} at {signal['price']}, {signal['position_rate']} % of the account")  # noqa: T201


asyncio.run(main())
