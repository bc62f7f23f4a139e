"""The watch list against a real server."""

import asyncio
from contextlib import suppress

import pytest
from nats.aio.client import Client

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime import watchlist
from hlmonitor.runtime.kv import open_bucket
from hlmonitor.runtime.watchlist import BUCKET, Stored, WatchList

ANNA, BERT = Address("0x" + "a" * 40), Address("0x" + "b" * 40)


def entry(address: Address, label: str = "") -> WatchEntry:
    return WatchEntry(address=address, watch_from_ms=1_700_000_000_000, label=label)


@pytest.fixture
def watch_list(client: Client) -> WatchList:
    return WatchList(client)


async def test_entries_are_written_at_their_revision_and_read_back(watch_list: WatchList) -> None:
    assert await watch_list.read() == {}
    assert await watch_list.put(entry(ANNA), None)
    assert not await watch_list.put(entry(ANNA, "other"), None)
    stored = (await watch_list.read())[ANNA]
    assert stored.entry == entry(ANNA)
    assert await watch_list.put(entry(ANNA, "whale"), stored.revision)
    assert not await watch_list.purge(ANNA, stored.revision)
    stored = (await watch_list.read())[ANNA]
    assert stored.entry == entry(ANNA, "whale")
    assert await watch_list.purge(ANNA, stored.revision)
    assert await watch_list.read() == {}


@pytest.mark.parametrize("value", [b"", b"{", b'{"address":3}', b'{"address":"0xbb","watch_from_ms":1}'])
async def test_an_unreadable_entry_can_be_overwritten(client: Client, watch_list: WatchList, value: bytes) -> None:
    revision = await (await open_bucket(client, BUCKET)).put(ANNA, value)
    assert await watch_list.read() == {ANNA: Stored(None, revision)}
    assert await watch_list.put(entry(ANNA), revision)
    assert (await watch_list.read())[ANNA].entry == entry(ANNA)


async def test_keys_that_are_no_address_are_left_alone(client: Client, watch_list: WatchList) -> None:
    await (await open_bucket(client, BUCKET)).put("note", b"hello")
    assert await watch_list.read() == {}


async def test_followers_see_the_whole_list_first_and_then_each_change(client: Client, watch_list: WatchList) -> None:
    await watch_list.put(entry(ANNA), None)
    seen: list[set[Address]] = []

    async def listen() -> None:
        async for entries in watch_list.follow():
            seen.append(set(entries))  # noqa: PERF401 the following never ends

    task = asyncio.create_task(listen())
    try:
        await eventually(lambda: seen == [{ANNA}], "the list was read")
        await watch_list.put(entry(BERT), None)
        await eventually(lambda: seen[-1] == {ANNA, BERT}, "the new wallet shows")
        await (await open_bucket(client, BUCKET)).put(BERT, b"nonsense")
        await watch_list.purge(ANNA, (await watch_list.read())[ANNA].revision)
        # What cannot be read changes nothing: BERT stays as it was.
        await eventually(lambda: seen[-1] == {BERT}, "the removal shows")
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_key_is_brought_in_line_unless_somebody_was_faster(watch_list: WatchList) -> None:
    assert await watch_list.bring(ANNA, None, None)
    assert await watch_list.bring(ANNA, entry(ANNA), None)
    held = (await watch_list.read())[ANNA]
    assert await watch_list.bring(ANNA, entry(ANNA), held)
    assert (await watch_list.read())[ANNA] == held
    assert await watch_list.bring(ANNA, entry(ANNA, "whale"), held)
    assert not await watch_list.bring(ANNA, entry(ANNA, "shark"), held)
    assert not await watch_list.bring(ANNA, None, held)
    assert await watch_list.bring(ANNA, None, (await watch_list.read())[ANNA])
    assert await watch_list.read() == {}


async def test_wallets_that_the_server_lost_are_followed_on_until_somebody_deletes_them(
    client: Client, watch_list: WatchList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchlist, "REREAD_S", 0.2)
    await watch_list.put(entry(ANNA), None)
    await watch_list.put(entry(BERT), None)
    seen: list[dict[Address, WatchEntry]] = []

    async def listen() -> None:
        async for entries in watch_list.follow():
            seen.append(entries)  # noqa: PERF401 the following never ends

    task = asyncio.create_task(listen())
    try:
        await eventually(lambda: len(seen) == 1, "the list was read")
        await client.jetstream().delete_stream("KV_hl_watch")
        await watch_list.put(entry(BERT, "back"), None)
        await eventually(lambda: seen[-1].get(BERT) == entry(BERT, "back"), "the new bucket was read")
        assert seen[-1].keys() == {ANNA, BERT}
        await watch_list.purge(BERT, (await watch_list.read())[BERT].revision)
        await eventually(lambda: seen[-1].keys() == {ANNA}, "the deletion shows")
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_list_survives_a_kill_of_the_server(
    server: NatsServer, client: Client, watch_list: WatchList
) -> None:
    await watch_list.put(entry(ANNA, "whale"), None)
    server.kill()
    await eventually(lambda: not client.is_connected, "the client notices")
    server.start()
    await eventually(lambda: client.is_connected, "the client is back")
    assert (await watch_list.read())[ANNA].entry == entry(ANNA, "whale")
