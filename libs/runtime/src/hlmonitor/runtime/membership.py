"""Heartbeats of the live processes in the KV bucket `hl_members`, written and read."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from hlmonitor.runtime.core.membership import HEARTBEAT_S, TTL_S, Member, MembershipView
from hlmonitor.runtime.kv import Put, Removed, Synced, bucket_config, follow, open_bucket
from hlmonitor.runtime.logs import Log

BUCKET = bucket_config("hl_members", ttl_s=TTL_S)


@dataclass(slots=True)
class Presence:
    """What a process says of itself, and how it says something else."""

    member: Member
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, member: Member) -> None:
        """Say this from now on, at once if it is news. Kind and name stay the same."""
        if member != self.member:
            self.member = member
            self._changed.set()

    async def pause(self) -> None:
        """Return when the next heartbeat is due."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_S):
                await self._changed.wait()
        self._changed.clear()


@asynccontextmanager
async def join(client: Client, member: Member, *, log: Log) -> AsyncIterator[Presence]:
    """Heartbeat as this member while the context lasts; say goodbye at its end."""
    presence = Presence(member)
    task = asyncio.create_task(_heartbeat(client, presence, log), name="heartbeat")
    try:
        yield presence
    finally:
        while not task.done():
            # Once is not enough: the plain library's requests forget a cancellation that comes with the answer.
            task.cancel()
            await asyncio.wait({task}, timeout=HEARTBEAT_S)
        with suppress(NatsError, OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await (await open_bucket(client, BUCKET)).delete(member.key)


async def _heartbeat(client: Client, presence: Presence, log: Log) -> None:
    bucket = None
    failing = False
    while True:
        try:
            async with asyncio.timeout(TTL_S):
                bucket = bucket or await open_bucket(client, BUCKET)
                await bucket.put(presence.member.key, msgspec.json.encode(presence.member))
            failing = False
        except (NatsError, OSError, TimeoutError) as error:
            # The bucket may be gone with a server that lost its memory: open it anew.
            bucket = None
            if not failing:
                log.warning("heartbeat_failed", error=repr(error))
            failing = True
        await presence.pause()


async def watch_members(client: Client, kind: str, on_view: Callable[[dict[str, Member]], None]) -> None:
    """Call `on_view` with the members of a kind, by name, at the first full view and at each change; never returns."""
    view = MembershipView()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_expire(client, view, on_view))
        tasks.create_task(_listen(client, kind, view, on_view))


async def _listen(
    client: Client, kind: str, view: MembershipView, on_view: Callable[[dict[str, Member]], None]
) -> None:
    prefix = f"{kind}."
    async for change in follow(client, BUCKET, quiet_s=TTL_S):
        changed = False
        match change:
            case Put(key, value):
                view.heard_anyone(time.monotonic())
                if key.startswith(prefix):
                    with suppress(msgspec.DecodeError):
                        changed = view.heard(msgspec.json.decode(value, type=Member), time.monotonic())
            case Removed(key, deleted=True):
                changed = view.left(key)
            case Removed():
                # The server's clock let it expire, or the server lost its memory: we judge by our own clock.
                pass
            case Synced():
                changed = view.read_fully()
        if changed:
            on_view(view.members)


async def _expire(client: Client, view: MembershipView, on_view: Callable[[dict[str, Member]], None]) -> None:
    while True:
        if client.is_connected:
            view.connected(time.monotonic())
        else:
            view.disconnected()
        if view.expire(time.monotonic()):
            on_view(view.members)
        await asyncio.sleep(HEARTBEAT_S / 2)
