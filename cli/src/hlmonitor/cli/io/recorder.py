"""Captures what a venue sends: connections that come back, and answers of `/info` now and then."""

import asyncio
import base64
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from hlmonitor.cli.core.capture import Kind
from hlmonitor.cli.core.conversation import Answer, Conversation
from hlmonitor.cli.core.progress import Progress
from hlmonitor.cli.core.wanted import Wanted
from hlmonitor.cli.io.clock import CaptureClock
from hlmonitor.cli.io.keeping import Keeper
from hlmonitor.venue.core.backoff import Backoff
from hlmonitor.venue.core.limits import (
    MESSAGES_PER_MINUTE,
    NEW_CONNECTIONS_PER_MINUTE,
    REST_WEIGHT_PER_MINUTE,
    RateLedger,
    most_weight_of,
)

_MAX_FRAME_BYTES = 64 << 20
_TICK_S = 0.25
_OPEN_TIMEOUT_S = 10.0
_TRIES = 3
_TOO_MANY = 429
_SERVER_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Source:
    """What is captured from where."""

    ws_url: str
    rest_url: str
    groups: Sequence[Sequence[Wanted]]
    """The subscriptions of each connection."""
    requests: Sequence[Wanted] = ()
    """What `/info` is asked at the start and every `requests_every_s`."""
    requests_every_s: float = 3600.0


@dataclass(slots=True)
class _Suspects:
    """Subscriptions at which the venue cut the connection instead of answering (facts 1.3)."""

    strikes: Counter[bytes] = field(default_factory=Counter)
    given_up: set[bytes] = field(default_factory=set)

    def order(self, group: Sequence[Wanted]) -> list[Wanted]:
        """Suspects last, so that the others stand before; without those that were given up."""
        kept = [wanted for wanted in group if _key(wanted) not in self.given_up]
        return sorted(kept, key=lambda wanted: self.strikes[_key(wanted)])

    def learn(self, ended: Conversation) -> Wanted | None:
        """Take note of a connection's end; returns a subscription that is asked for no more."""
        entry = ended.oldest_unanswered
        if entry is None:
            return None
        key = _key(entry.wanted)
        self.strikes[key] += 1
        others_stand = len(ended.entries) > 1 and ended.standing == len(ended.entries) - 1
        if others_stand and self.strikes[key] >= _TRIES:
            self.given_up.add(key)
            return entry.wanted
        return None


class Recorder:
    """Captures until cancelled. Only cancellation ends it: the venue comes back."""

    def __init__(self, source: Source, keeper: Keeper, progress: Progress, clock: CaptureClock) -> None:
        self._source = source
        self._keeper = keeper
        self._progress = progress
        self._clock = clock
        self._numbers = itertools.count(1)
        self._openings = RateLedger(NEW_CONNECTIONS_PER_MINUTE)
        self._messages = RateLedger(MESSAGES_PER_MINUTE)
        self._weight = RateLedger(REST_WEIGHT_PER_MINUTE)

    async def run(self) -> None:
        """Capture."""
        async with asyncio.TaskGroup() as tasks:
            for group in self._source.groups:
                tasks.create_task(self._stay_connected(group))
            if self._source.requests:
                tasks.create_task(self._ask_again_and_again())

    async def _stay_connected(self, group: Sequence[Wanted]) -> None:
        suspects, backoff = _Suspects(), Backoff(initial_s=0.5)
        while wanted := suspects.order(group):
            await _budget(self._openings)
            conversation = Conversation(wanted, time.monotonic())
            cause = await self._connection(conversation)
            if conversation.standing:
                backoff.succeeded()
            hopeless = suspects.learn(conversation)
            if hopeless is not None:
                self._refused(hopeless, "the venue cuts the connection whenever it is asked for")
            self._progress.reconnects += 1
            self._progress.problem = cause
            await asyncio.sleep(backoff.next_delay(random.random()))  # noqa: S311 jitter

    async def _connection(self, conversation: Conversation) -> str:
        """Hold one connection; returns why it ended."""
        try:
            socket = await connect(
                self._source.ws_url,
                open_timeout=_OPEN_TIMEOUT_S,
                close_timeout=1.0,
                ping_interval=None,
                max_size=_MAX_FRAME_BYTES,
                compression=None,
                proxy=None,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            return f"{self._source.ws_url} cannot be connected to: {error or repr(error)}"
        number = next(self._numbers)
        ending: dict[str, int | str] | None = None
        self._keeper.keep(Kind.OPEN, number)
        self._progress.open += 1
        self._progress.problem = ""
        try:
            ending = await self._converse(socket, number, conversation)
        finally:
            self._progress.open -= 1
            self._progress.standing.pop(number, None)
            self._keeper.keep(Kind.CLOSE, number, ending)
            await socket.close()
        return f"connection {number} ended: {ending['code']} {ending['reason']}".rstrip() if ending else ""

    async def _converse(
        self, socket: ClientConnection, number: int, conversation: Conversation
    ) -> dict[str, int | str]:
        reader = asyncio.create_task(self._read(socket, number, conversation))
        writer = asyncio.create_task(self._write(socket, number, conversation))
        try:
            done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            return {"code": 1006, "reason": done.pop().result()}
        except ConnectionClosed as closed:
            # Without a close frame the code is 1006 by convention.
            return (
                {"code": closed.rcvd.code, "reason": closed.rcvd.reason}
                if closed.rcvd
                else {"code": 1006, "reason": ""}
            )
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _read(self, socket: ClientConnection, number: int, conversation: Conversation) -> str:
        while True:
            frame = await socket.recv()
            time_us = self._clock.now_us()
            self._progress.frames += 1
            if isinstance(frame, bytes):
                self._keeper.keep(Kind.BINARY, number, base64.b64encode(frame).decode(), time_us)
                continue
            self._keeper.keep(Kind.IN, number, frame, time_us)
            conversation.received(frame)
            self._progress.standing[number] = conversation.standing

    async def _write(self, socket: ClientConnection, number: int, conversation: Conversation) -> str:
        while True:
            now = time.monotonic()
            if defect := conversation.defect(now):
                return defect
            text = conversation.next_text(now)
            if text is None:
                for entry in conversation.entries:
                    if entry.answer is Answer.REFUSED:
                        self._refused(entry.wanted, entry.reason)
                await asyncio.sleep(_TICK_S)
                continue
            await _budget(self._messages)
            self._keeper.keep(Kind.OUT, number, text)
            await socket.send(text)

    def _refused(self, wanted: Wanted, reason: str) -> None:
        self._progress.refused[_key(wanted).decode()] = reason

    async def _ask_again_and_again(self) -> None:
        # No proxy from the environment: the egress address is what the limits are counted by.
        async with httpx.AsyncClient(timeout=_OPEN_TIMEOUT_S, trust_env=False) as http:
            while True:
                for request in self._source.requests:
                    await self._ask(http, request)
                await asyncio.sleep(self._source.requests_every_s)

    async def _ask(self, http: httpx.AsyncClient, request: Wanted) -> None:
        backoff = Backoff(initial_s=1.0)
        for _ in range(_TRIES):
            await _budget(self._weight, most_weight_of(str(request["type"])))
            try:
                reply = await http.post(f"{self._source.rest_url}/info", json=dict(request))
            except httpx.HTTPError as error:
                self._progress.problem = f"{self._source.rest_url} does not answer: {error or repr(error)}"
            else:
                self._keeper.keep(
                    Kind.INFO, payload={"request": request, "status": reply.status_code, "body": reply.text}
                )
                self._progress.answers += 1
                if reply.status_code != _TOO_MANY and reply.status_code < _SERVER_ERRORS:
                    return
            await asyncio.sleep(backoff.next_delay(random.random()))  # noqa: S311 jitter


def _key(wanted: Wanted) -> bytes:
    return msgspec.json.encode(wanted)


async def _budget(ledger: RateLedger, units: float = 1) -> None:
    while (wait_s := ledger.take(units, time.monotonic())) > 0:  # noqa: ASYNC110 other takers may give back
        await asyncio.sleep(min(wait_s, _TICK_S))
