"""What the venue may send and nobody has planned for: it is counted and told, and the rest goes on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest
import pytest_asyncio
from crooked_venue import CrookedVenue, crooked_venue
from world import World, config, quick, running_world

from hlmonitor.local.ports import free_port

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

MAKER, WHALE = f"0x{0xB:040x}", f"0x{0xAA:040x}"


@dataclass
class Scene:
    world: World
    venue: CrookedVenue

    async def buy(self, coin: str = "BTC", px: str = "66000", sz: str = "1") -> dict[str, object]:
        """The whale buys; returns the signal that comes of it."""
        before = len(await self.world.signals())
        await self.world.stack.control("order", {"address": MAKER, "coin": coin, "side": "A", "sz": sz, "px": px})
        await self.world.stack.control("order", {"address": WHALE, "coin": coin, "side": "B", "sz": sz})
        return (await self.world.until_signals(before + 1))[-1]

    async def rejected(self) -> float:
        return await self.world.metric("gateway", "frames_rejected_total")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    port = free_port()
    here = {"venue_rest_url": f"http://127.0.0.1:{port}"}
    settings = quick(
        simulator={"agents": "off", "block_ms": 20, "warmup_blocks": 0},
        aggregator=here | {"status_grace": 1},
        gateway=here | {"venue_ws_url": f"ws://127.0.0.1:{port}/ws"},
    )
    stack = config(tmp_path_factory.mktemp("bad"), whales=0, gateways=1, settings=settings)
    async with crooked_venue(port) as venue:
        venue.rewrite_reply = unlist_doge
        async with running_world(stack, before_venue=venue.stands_before) as world:
            for address in (MAKER, WHALE):
                await world.stack.control("deposit", {"address": address, "amount": "100000000"})
            await world.watch([WHALE])
            yield Scene(world, venue)


def unlist_doge(body: bytes) -> bytes:
    """A metadata reply without DOGE, which is traded all the same: as if it had been listed since."""
    reply = msgspec.json.decode(body)
    for meta in reply if isinstance(reply, list) else [reply]:
        if isinstance(meta, dict) and isinstance(meta.get("universe"), list):
            meta["universe"] = [asset for asset in meta["universe"] if asset.get("name") != "DOGE"]
    return msgspec.json.encode(reply)


async def test_a_coin_that_was_listed_since_the_metadata_was_read_goes_by_its_raw_name(scene: Scene) -> None:
    signal = await scene.buy("DOGE", "0.16", "1000")
    assert (signal["coin"], signal["symbol"], signal["coin_type"]) == ("DOGE", "DOGE", "D")
    assert (signal["kind"], signal["direction"], signal["size"], signal["price"]) == ("order", "open", "1000", "0.16")
    assert await scene.world.metric("aggregator", "cache_miss_total", cache_type="symbol") > 0


async def test_an_unknown_dir_gives_a_signal_of_unknown_kind(scene: Scene) -> None:
    scene.venue.rewrite_frame = lambda frame: frame.replace(b'"dir":"Open Long"', b'"dir":"Open Sideways"')
    signal = await scene.buy()
    scene.venue.rewrite_frame = lambda frame: frame
    assert (signal["kind"], signal["direction"], signal["side"], signal["size"]) == ("unknown", "open", "LONG", "1")
    assert signal["complete"] is True


async def test_an_unknown_status_ends_its_order(scene: Scene) -> None:
    scene.venue.rewrite_frame = lambda frame: frame.replace(b'"status":"filled"', b'"status":"vaporised"')
    signal = await scene.buy()
    scene.venue.rewrite_frame = lambda frame: frame
    assert (signal["kind"], signal["status"], signal["complete"]) == ("unknown", "vaporised", True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="cut short"),
        pytest.param("[1,2]", id="not an object"),
        pytest.param('{"channel":"astrology","data":{"sign":"leo"}}', id="unknown channel"),
        pytest.param('{"channel":"userFills","data":{"user":"' + WHALE + '","fills":"none"}}', id="wrong shape"),
        pytest.param(
            '{"channel":"userFills","data":{"user":"' + WHALE + '","fills":[{"coin":"BTC","px":"NaN"}]}}',
            id="a row without its fields",
        ),
    ],
)
async def test_a_frame_that_cannot_be_read_is_counted_and_the_next_one_is_used(scene: Scene, text: str) -> None:
    before = await scene.rejected()
    assert await scene.venue.inject(text) > 0
    async with asyncio.timeout(30):
        while await scene.rejected() <= before:
            await asyncio.sleep(0.05)
    signal = await scene.buy()
    assert signal["complete"] is True


@pytest.mark.parametrize("reply", [b"<html>502</html>", b"[]", b"null"])
async def test_a_rest_reply_that_cannot_be_read_stops_nothing(scene: Scene, reply: bytes) -> None:
    scene.venue.rewrite_reply = lambda _: reply
    await scene.world.stack.control("disconnect", {"all": True})
    await asyncio.sleep(1)
    scene.venue.rewrite_reply = unlist_doge
    signal = await scene.buy()
    assert signal["complete"] is True
    for service in scene.world.stack.services.values():
        assert service.running
