"""Membership against a real server: who is seen, who is gone, and what a crash of NATS does to the view."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import msgspec
import pytest
from nats.aio.client import Client

from hlmonitor.local.nats import NatsServer
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.core import membership
from hlmonitor.runtime.core.membership import Member, staying
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.membership import join, watch_members

from .conftest import connected


def aggregator(name: str) -> Member:
    return Member(kind="aggregator", name=name, address=f"127.0.0.1:{len(name)}")


@asynccontextmanager
async def watching(client: Client) -> AsyncIterator[list[set[str]]]:
    views: list[set[str]] = []
    task = asyncio.create_task(watch_members(client, "aggregator", lambda members: views.append(set(members))))
    try:
        yield views
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_members_of_the_kind_are_seen_and_a_goodbye_shows_at_once(
    client: Client, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only a goodbye can end a membership now.
    monkeypatch.setattr(membership, "TTL_S", 3600.0)
    async with (
        join(client, aggregator("a"), log=log),
        join(client, Member(kind="gateway", name="g"), log=log),
        watching(client) as views,
    ):

        async def is_seen_leaving(name: str) -> bool:
            async with join(client, aggregator(name), log=log):
                await eventually(lambda: len(views) > 0 and views[-1] >= {"a", name}, "both are seen")
            with suppress(AssertionError):
                await eventually(lambda: name not in views[-1], "the goodbye shows")
            return name not in views[-1]

        # A goodbye is given up when NATS does not take it within a second, so one may be lost.
        assert await is_seen_leaving("b") or await is_seen_leaving("c")
        assert "a" in views[-1]
    assert all("g" not in view for view in views)


async def test_what_a_member_says_of_itself_anew_is_heard_at_once(client: Client, log: Log) -> None:
    seen: list[dict[str, Member]] = []
    async with join(client, aggregator("a"), log=log) as presence, join(client, aggregator("b"), log=log):
        task = asyncio.create_task(watch_members(client, "aggregator", seen.append))
        await eventually(lambda: len(seen) > 0 and len(seen[-1]) > 1, "both are seen")
        presence.say(msgspec.structs.replace(presence.member, draining=True))
        await eventually(lambda: staying(seen[-1]).keys() == {"b"}, "it drains")
        assert seen[-1].keys() == {"a", "b"}
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_member_that_fell_silent_is_gone_soon_and_the_rest_stay(
    server: NatsServer, client: Client, log: Log
) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(join(client, aggregator("alive"), log=log))
        views = await stack.enter_async_context(watching(client))
        async with connected(server, log) as doomed:
            dying = join(doomed, aggregator("doomed"), log=log)
            await dying.__aenter__()
            await eventually(lambda: views[-1:] == [{"alive", "doomed"}], "both are seen")
            settled = len(views)
            # A closed connection can send neither heartbeats nor a goodbye, as after a crash.
            await doomed.close()
            await eventually(lambda: views[-1] == {"alive"}, "the silent one is gone")
            await dying.__aexit__(None, None, None)
        assert all("alive" in view for view in views[settled:])


async def test_a_kill_of_the_server_does_not_make_the_view_flicker(
    server: NatsServer, client: Client, log: Log
) -> None:
    async with (
        join(client, aggregator("a"), log=log),
        join(client, aggregator("b"), log=log),
        watching(client) as views,
    ):
        await eventually(lambda: views[-1:] == [{"a", "b"}], "both are seen")
        settled = len(views)
        server.kill()
        server.start()
        await eventually(lambda: client.is_connected, "the client is back")
        async with join(client, aggregator("c"), log=log):
            await eventually(lambda: views[-1] == {"a", "b", "c"}, "a newcomer is seen")
            assert all({"a", "b"} <= view for view in views[settled:])
