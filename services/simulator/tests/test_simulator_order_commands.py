from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from commander import Commander

from hlmonitor.simulator.testing import running, wallet

A, B, BUILDER = wallet(0xA), wallet(0xB), wallet(0xC)
STOP = {"px": "60000", "tpsl": "sl"}
CLOID = "0x" + "1" * 32


@asynccontextmanager
async def long_wallet() -> AsyncIterator[Commander]:
    """A is long one BTC, bought of B."""
    async with running() as server, httpx.AsyncClient(base_url=server.url) as http:
        client = Commander(http)
        for address in (A, B):
            await client.do("deposit", {"address": address, "amount": "10000000"})
        await client.do("order", [order(B, "A", "1", px="66000"), order(A, "B", "1", px="66000")])
        yield client


def order(address: str | None, side: str, sz: str, **more: object) -> dict[str, object]:
    body = {"coin": "BTC", "side": side, "sz": sz} | more
    return body if address is None else {"address": address} | body


async def test_an_entry_with_its_stops_is_one_command_and_shows_them_as_children() -> None:
    async with long_wallet() as client:
        body = {
            "address": A,
            "grouping": "normalTpsl",
            "orders": [
                order(None, "B", "1", px="65000"),
                order(None, "A", "1", reduce_only=True, trigger=STOP | {"px": "70000", "tpsl": "tp"}),
                order(None, "A", "1", px="59000", reduce_only=True, trigger=STOP | {"is_market": False}),
            ],
        }
        entry, profit, stop = await client.do("group", body)
        (row,) = await client.answer("frontendOpenOrders", user=A)
        assert row["oid"] == entry["oid"]
        assert [(child["oid"], child["orderType"], child["triggerCondition"]) for child in row["children"]] == [
            (profit["oid"], "Take Profit Market", "Price above 70000"),
            (stop["oid"], "Stop Limit", "Price below 60000"),
        ]
        await client.do("order", order(B, "A", "1", px="65000"))
        rows = await client.answer("frontendOpenOrders", user=A)
        assert [(row["oid"], row["isTrigger"], row["tif"]) for row in rows] == [
            (profit["oid"], True, None),
            (stop["oid"], True, None),
        ]
        assert await client.do("cancel", {"address": A}) == {"canceled": 2}


async def test_a_positions_stop_has_no_size_and_is_found_by_its_oid() -> None:
    async with long_wallet() as client:
        stop = order(None, "A", "0", reduce_only=True, trigger=STOP)
        (placed,) = await client.do("group", {"address": A, "grouping": "positionTpsl", "orders": [stop]})
        await client.do("order", order(B, "B", "2", px="59500"))
        await client.do("oracle", {"coin": "BTC", "px": "59600"})
        status = await client.answer("orderStatus", user=A, oid=placed["oid"])
        assert status["order"]["status"] == "filled"
        found = status["order"]["order"]
        assert (found["isPositionTpsl"], found["origSz"], found["sz"]) == (True, "0.0", "0.0")


async def test_orders_are_cancelled_and_modified_by_cloid_and_in_batches() -> None:
    async with long_wallet() as client:
        await client.do("order", order(A, "B", "1", px="60000", cloid=CLOID))
        moved = await client.do("order", order(A, "B", "1", px="60001", cloid=CLOID, modify=CLOID))
        batch = {"address": A, "orders": [order(None, "B", "1", px="60002", cloid=CLOID, modify=moved["oid"])]}
        (again,) = await client.do("group", batch)
        assert again["oid"] > moved["oid"]
        assert await client.do("group", batch) == [None]
        assert await client.do("cancel", {"address": A, "cloid": CLOID}) == {"canceled": 1}


async def test_builders_scheduled_cancels_caps_and_system_cancels_can_be_scripted() -> None:
    async with long_wallet() as client:
        builder = {"address": BUILDER, "tenths_bp": 10}
        assert "not been approved" in await client.refused("order", order(A, "B", "1", px="60000", builder=builder))
        await client.do("approve_builder", {"address": A, "builder": BUILDER, "tenths_bp": 10})
        await client.do("order", order(B, "A", "1", px="66000"))
        await client.do("order", order(A, "B", "1", px="66000", builder=builder))
        assert (await client.answer("userFills", user=A))[0]["builderFee"] == "6.6"
        assert await client.answer("maxBuilderFee", user=A, builder=BUILDER) == 10
        assert (await client.answer("referral", user=BUILDER))["builderRewards"] == "6.6"
        assert "Required: $1000000" in await client.refused("schedule_cancel", {"address": A, "time": 2**50})
        await client.do("order", [order(B, "A", "20", px="66000"), order(A, "B", "20", px="66000")])
        await client.do("schedule_cancel", {"address": A, "time": 2**50})
        await client.do("schedule_cancel", {"address": A})
        assert (await client.do("open_interest_cap", {"coin": "BTC", "notional": "10"}))["openInterest"] == "22.0"
        capped = await client.do("order", order(A, "B", "1", px="66000"))
        assert capped["status"] == "positionIncreaseAtOpenInterestCapRejected"
        await client.do("open_interest_cap", {"coin": "BTC"})
        resting = await client.do("order", order(A, "B", "1", px="60000"))
        assert await client.do("withdraw", {"status": "internalCancel", "address": A}) == {"canceled": 1}
        status = await client.answer("orderStatus", user=A, oid=resting["oid"])
        assert status["order"]["status"] == "internalCancel"


async def test_a_twap_may_wait_for_a_price_stop_at_one_and_vary_its_slices() -> None:
    async with long_wallet() as client:
        body = order(A, "B", "1", duration_ms=600_000, randomize=True, stop_px="70000")
        await client.do("twap", body | {"trigger": {"px": "68000", "above": True}})
        (row,) = await client.answer("twapHistory", user=A)
        assert row["status"] == {"status": "waitingForTrigger"}
        assert row["state"]["stopPx"] == "70000.0"
        assert row["state"]["trigger"] == {"px": "68000.0", "above": True}
        assert row["state"]["randomize"] is True


@pytest.mark.parametrize(
    ("command", "body", "field"),
    [
        ("order", order(A, "B", "1", trigger={"px": "0", "tpsl": "sl"}), "trigger.px"),
        ("order", order(A, "B", "1", trigger={"px": "1", "tpsl": "xx"}), "tpsl"),
        ("order", order(A, "A", "1", trigger=STOP | {"is_market": False}), "price"),
        ("order", order(A, "B", "0"), "sz"),
        ("group", {"address": A, "orders": []}, "orders"),
        ("group", {"address": A, "orders": [order(None, "B", "1", modify=1), order(None, "B", "1")]}, "modify"),
        ("group", {"address": A, "grouping": "normalTpsl", "orders": [order(None, "B", "1")]}, "group"),
        ("withdraw", {"status": "filled"}, "status"),
        ("withdraw", {"status": "internalCancel", "coin": "NOPE"}, "coin"),
        ("withdraw", {"status": "internalCancel", "dex": "nope"}, "dex"),
        ("open_interest_cap", {"coin": "BTC", "notional": "-1"}, "notional"),
        ("twap", order(A, "B", "1", duration_ms=1, stop_px="0"), "stop_px"),
        ("twap", order(A, "B", "1", duration_ms=1, trigger={"px": "-1", "above": True}), "trigger.px"),
    ],
)
async def test_a_command_that_makes_no_sense_is_400_and_names_the_field(command: str, body: object, field: str) -> None:
    async with long_wallet() as client:
        assert field in await client.refused(command, body)
