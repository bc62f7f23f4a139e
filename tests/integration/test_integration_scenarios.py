"""Orders with a known outcome, placed one by one: what the whole system makes of each is asserted word for word."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from world import World, config, quick, running_world, until

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.runtime.watchlist import WatchList

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

GRACE_S = 15.0
USDC, UBTC = 0, 197
NOT_COMPARED = {
    "address", "decided_at_ms", "first_fill_time", "id", "last_fill_time", "leverage", "mid", "number", "oid",
    "position_rate", "position_size", "received_at_ms", "timestamp", "twap_id",
}  # fmt: skip
"""What depends on the moment or on the run; the tests look at these one by one."""

SIGNAL: dict[str, object] = {
    "asset_type": "futures", "cloid": None, "close_rate": None, "closed_pnl": "0", "coin": "BTC", "coin_type": "D",
    "complete": True, "direction": "open", "fee_token": "USDC", "feed": "userFills", "fills": 1, "kind": "order",
    "seeded": True, "side": "LONG", "size": "1", "status": "filled", "symbol": "BTCUSDC", "trigger": "status",
}  # fmt: skip
"""A plain market buy of 1 BTC; each test says what is different."""


@dataclass
class Desk:
    """The control interface's orders, and the signals of one wallet at a time."""

    world: World
    seen: dict[str, int] = field(default_factory=dict)

    async def order(self, address: str, side: str, sz: str, px: str | None = None, **more: object) -> dict[str, Any]:
        body = {"address": address, "coin": "BTC", "side": side, "sz": sz} | ({"px": px} if px else {}) | more
        reply: dict[str, Any] = await self.world.stack.control("order", body)
        return reply

    async def fund(self, address: str, amount: str = "1000000", **more: object) -> None:
        await self.world.stack.control("deposit", {"address": address, "amount": amount} | more)

    async def clear_book(self) -> None:
        await self.world.stack.control("cancel", {"address": MAKER})

    async def signals(self, address: str, count: int) -> list[dict[str, Any]]:
        """The wallet's next signals: exactly so many."""

        async def there() -> bool:
            return len(await self._of(address)) >= self.seen.get(address, 0) + count

        await until(there, f"{address} has {count} more signals", 60)
        first = self.seen.get(address, 0)
        found = (await self._of(address))[first:]
        assert len(found) == count, found
        self.seen[address] = first + count
        assert [signal["number"] for signal in found] == list(range(first + 1, first + count + 1))
        return found

    async def silent(self, address: str) -> bool:
        return len(await self._of(address)) == self.seen.get(address, 0)

    async def fills(self, address: str, oid: int) -> list[dict[str, Any]]:
        rows = await self.world.stored_fills(address)
        return sorted((row for row in rows if row["oid"] == oid), key=lambda row: (row["time_ms"], row["tid"]))

    async def _of(self, address: str) -> list[dict[str, Any]]:
        return [signal for signal in await self.world.signals() if signal["address"] == address]


def wallet(number: int) -> str:
    return f"0x{number:040x}"


MAKER, GAMBLERS_BANE = wallet(0xB), wallet(0xC)
FLIPPER, PATIENT, REDUCER, SPOTTER, SLICER, GAMBLER, FOREIGNER, COMER, LEAVER = (wallet(n) for n in range(0xA1, 0xAA))
CAUTIOUS = wallet(0xAA)
WATCHED = (FLIPPER, PATIENT, REDUCER, SPOTTER, SLICER, GAMBLER, FOREIGNER, CAUTIOUS)


def compared(signal: dict[str, Any]) -> dict[str, object]:
    return {name: value for name, value in signal.items() if name not in NOT_COMPARED}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    grace = {"remove_grace": GRACE_S}
    settings = quick(
        simulator={"agents": "off", "block_ms": 20, "warmup_blocks": 0},
        gateway=grace | {"handover_linger_s": 0},
        aggregator=grace | {"status_grace": 1},
        address_loader=grace | {"every": "200ms"},
    )
    stack = config(tmp_path_factory.mktemp("scenarios"), whales=0, gateways=1, settings=settings)
    async with running_world(stack) as world:
        found = Desk(world)
        # Before they are watched: the first state that comes shows it, the next one only seconds later.
        for address in (MAKER, GAMBLERS_BANE):
            await found.fund(address, "100000000")
        for address in (FLIPPER, PATIENT, REDUCER, SLICER, COMER, CAUTIOUS):
            await found.fund(address)
        await found.fund(GAMBLER, "2200")
        await found.fund(FOREIGNER, "100000", dex="xyz")
        await found.fund(MAKER, "1000000", dex="xyz")
        for address in (SPOTTER, MAKER):
            await found.fund(address, token=USDC)
        await found.fund(MAKER, "10", token=UBTC)
        await world.watch(WATCHED)
        yield found


async def test_a_flip_is_a_close_and_an_open_in_this_order(desk: Desk) -> None:
    await desk.order(MAKER, "A", "1", "66000")
    bought = await desk.order(FLIPPER, "B", "1")
    (opened,) = await desk.signals(FLIPPER, 1)
    assert compared(opened) == SIGNAL | {
        "notional_usd": "66000", "price": "66000", "fee": "29.7", "start_position": "0", "end_position": "1",
    }  # fmt: skip
    (fill,) = await desk.fills(FLIPPER, bought["oid"])
    assert opened["id"] == f"{FLIPPER}:BTC:{bought['oid']}:open:{fill['time_ms']}-{fill['tid']}"
    assert opened["timestamp"] == opened["first_fill_time"] == opened["last_fill_time"] == fill["time_ms"]
    # 66,000 of 1,000,000; or of a little more or less when the state after the trade came first.
    assert abs(Decimal(opened["position_rate"]) - Decimal("6.6")) < Decimal("0.01")
    assert opened["position_size"] == "Medium"

    await desk.order(MAKER, "B", "3", "66500")
    sold = await desk.order(FLIPPER, "A", "3", cloid="0x00000000000000000000000000000007")
    close, reopened = await desk.signals(FLIPPER, 2)
    assert compared(close) == SIGNAL | {
        "direction": "close", "size": "1", "price": "66500", "notional_usd": "66500", "fee": "29.925",
        "close_rate": "1", "closed_pnl": "500", "start_position": "1", "end_position": "0",
        "cloid": "0x00000000000000000000000000000007",
    }  # fmt: skip
    assert compared(reopened) == SIGNAL | {
        "side": "SHORT", "size": "2", "price": "66500", "notional_usd": "133000", "fee": "59.85",
        "start_position": "0", "end_position": "-2", "cloid": "0x00000000000000000000000000000007",
    }  # fmt: skip
    (fill,) = await desk.fills(FLIPPER, sold["oid"])
    tail = f"{fill['time_ms']}-{fill['tid']}"
    assert close["id"] == f"{FLIPPER}:BTC:{sold['oid']}:close:{tail}"
    assert reopened["id"] == f"{FLIPPER}:BTC:{sold['oid']}:open:{tail}"
    await desk.clear_book()


async def test_a_partly_filled_order_is_told_when_it_is_cancelled(desk: Desk) -> None:
    resting = await desk.order(PATIENT, "B", "3", "66000")
    await desk.order(MAKER, "A", "0.4", "66000")
    await desk.order(MAKER, "A", "0.6", "65000")
    await asyncio.sleep(0.5)
    assert await desk.silent(PATIENT)
    await desk.world.stack.control("cancel", {"address": PATIENT, "oid": resting["oid"]})
    (signal,) = await desk.signals(PATIENT, 1)
    assert compared(signal) == SIGNAL | {
        "fills": 2, "price": "66000", "notional_usd": "66000", "fee": "9.9", "status": "canceled",
        "start_position": "0", "end_position": "1",
    }  # fmt: skip
    (row,) = await desk.world.rows(
        "SELECT total_size, weighted_avg_px, order_status, signal_sent, symbol, direction FROM hl_order_aggregation "
        "WHERE address = :address",
        address=PATIENT,
    )
    assert row == {
        "total_size": 1.0, "weighted_avg_px": 66000.0, "order_status": "canceled", "signal_sent": 1,
        "symbol": "BTCUSDC", "direction": "Open Long",
    }  # fmt: skip


async def test_a_reduce_only_order_that_is_trimmed_closes_all(desk: Desk) -> None:
    await desk.order(MAKER, "A", "1", "66000")
    await desk.order(REDUCER, "B", "1")
    await desk.signals(REDUCER, 1)
    await desk.order(MAKER, "B", "5", "66000")
    await desk.order(REDUCER, "A", "3", reduce_only=True)
    (close,) = await desk.signals(REDUCER, 1)
    assert compared(close) == SIGNAL | {
        "direction": "close", "price": "66000", "notional_usd": "66000", "fee": "29.7", "close_rate": "1",
        "status": "reduceOnlyCanceled", "start_position": "1", "end_position": "0",
    }  # fmt: skip
    await desk.clear_book()


async def test_a_stop_under_its_entry_is_told_like_any_order_once_it_is_filled(desk: Desk) -> None:
    await desk.order(MAKER, "A", "1", "66000")
    legs = [
        {"coin": "BTC", "side": "B", "sz": "1", "px": "66000"},
        {"coin": "BTC", "side": "A", "sz": "1", "reduce_only": True, "trigger": {"px": "70000", "tpsl": "tp"}},
        {"coin": "BTC", "side": "A", "sz": "1", "reduce_only": True, "trigger": {"px": "65000", "tpsl": "sl"}},
    ]
    body = {"address": CAUTIOUS, "grouping": "normalTpsl", "orders": legs}
    _, _, stop = await desk.world.stack.control("group", body)
    await desk.signals(CAUTIOUS, 1)
    await desk.order(MAKER, "B", "5", "64900")
    await desk.world.stack.control("oracle", {"coin": "BTC", "px": "64950"})
    (close,) = await desk.signals(CAUTIOUS, 1)
    assert compared(close) == SIGNAL | {
        "direction": "close", "price": "64900", "notional_usd": "64900", "fee": "29.205", "close_rate": "1",
        "closed_pnl": "-1100", "start_position": "1", "end_position": "0",
    }  # fmt: skip
    assert close["oid"] == stop["oid"]
    await desk.clear_book()
    await desk.world.stack.control("oracle", {"coin": "BTC", "px": "66650"})


async def test_of_a_positions_stop_nobody_can_tell_that_it_is_complete(desk: Desk) -> None:
    await desk.order(MAKER, "A", "1", "66000")
    await desk.order(CAUTIOUS, "B", "1", "66000")
    await desk.signals(CAUTIOUS, 1)
    leg = {"coin": "BTC", "side": "A", "sz": "0", "reduce_only": True, "trigger": {"px": "65000", "tpsl": "sl"}}
    await desk.world.stack.control("group", {"address": CAUTIOUS, "grouping": "positionTpsl", "orders": [leg]})
    await desk.order(MAKER, "B", "5", "64900")
    await desk.world.stack.control("oracle", {"coin": "BTC", "px": "64950"})
    (close,) = await desk.signals(CAUTIOUS, 1)
    assert (close["size"], close["close_rate"], close["end_position"]) == ("1", "1", "0")
    assert (close["complete"], close["trigger"], close["status"]) == (False, "grace", "filled")
    await desk.clear_book()
    await desk.world.stack.control("oracle", {"coin": "BTC", "px": "66650"})


async def test_spot_is_bought_and_sold_under_its_own_symbol(desk: Desk) -> None:
    await desk.order(MAKER, "A", "1", "60000", coin="@142")
    await desk.order(SPOTTER, "B", "1", coin="@142")
    (bought,) = await desk.signals(SPOTTER, 1)
    spot = SIGNAL | {"asset_type": "spot", "coin": "@142", "symbol": "BTCUSDC"}
    assert compared(bought) == spot | {
        "price": "60000", "notional_usd": "60000", "fee": "0.0007", "fee_token": "UBTC",
        "start_position": "0", "end_position": "1",
    }  # fmt: skip
    await desk.order(MAKER, "B", "1", "66600", coin="@142")
    await desk.order(SPOTTER, "A", "0.4", coin="@142")
    (sold,) = await desk.signals(SPOTTER, 1)
    assert compared(sold) == spot | {
        "direction": "close", "size": "0.4", "price": "66600", "notional_usd": "26640", "fee": "18.648",
        "close_rate": "0.400280196", "closed_pnl": "2623.188232", "start_position": "0.9993", "end_position": "0.5993",
    }  # fmt: skip


async def test_a_twap_is_one_order_of_all_its_slices(desk: Desk) -> None:
    await desk.order(MAKER, "A", "10", "66650")
    body = {"address": SLICER, "coin": "BTC", "side": "B", "sz": "3", "duration_ms": 600, "slice_ms": 200}
    twap = await desk.world.stack.control("twap", body)
    (signal,) = await desk.signals(SLICER, 1)
    assert compared(signal) == SIGNAL | {
        "kind": "twap", "feed": "userTwapSliceFills", "fills": 3, "size": "3", "price": "66650",
        "notional_usd": "199950", "fee": "89.9775", "status": "finished", "start_position": "0", "end_position": "3",
    }  # fmt: skip
    assert signal["twap_id"] == twap["twap_id"]
    assert signal["oid"] < 0
    assert signal["id"].startswith(f"{SLICER}:BTC:{signal['oid']}:open:{signal['timestamp']}-")
    await desk.clear_book()


async def test_a_liquidation_is_told_without_a_status(desk: Desk) -> None:
    await desk.world.stack.control("leverage", {"address": GAMBLER, "coin": "BTC", "leverage": 40})
    await desk.order(MAKER, "A", "1", "66000")
    await desk.order(GAMBLER, "B", "1", "66000")
    await desk.signals(GAMBLER, 1)
    await desk.order(GAMBLERS_BANE, "B", "5", "64000")
    await desk.world.stack.control("oracle", {"coin": "BTC", "px": "64500"})
    (signal,) = await desk.signals(GAMBLER, 1)
    assert compared(signal) == SIGNAL | {
        "kind": "liquidation", "trigger": "system", "status": None, "direction": "close", "price": "64000",
        "notional_usd": "64000", "fee": "28.8", "close_rate": "1", "closed_pnl": "-2000",
        "start_position": "1", "end_position": "0",
    }  # fmt: skip
    assert signal["oid"] < 0
    await desk.world.stack.control("cancel", {"address": GAMBLERS_BANE})
    await desk.world.stack.control("oracle", {"coin": "BTC", "px": "66650"})


async def test_a_coin_of_a_builder_dex_is_measured_against_that_dexs_account(desk: Desk) -> None:
    await desk.order(MAKER, "A", "10", "71", coin="xyz:CL")
    await desk.order(FOREIGNER, "B", "10", coin="xyz:CL")
    (signal,) = await desk.signals(FOREIGNER, 1)
    assert compared(signal) == SIGNAL | {
        "coin": "xyz:CL", "symbol": "CLUSDC", "size": "10", "price": "71", "notional_usd": "710", "fee": "0.639",
        "start_position": "0", "end_position": "10",
    }  # fmt: skip
    assert abs(Decimal(signal["position_rate"]) - Decimal("0.71")) < Decimal("0.001")


async def test_a_wallet_on_the_list_is_told_of_and_one_off_it_is_not_after_its_grace(desk: Desk) -> None:
    await desk.order(MAKER, "A", "9", "66000")
    await desk.order(COMER, "B", "1")
    await desk.world.watch([COMER])
    await desk.order(COMER, "B", "1")
    (first,) = await desk.signals(COMER, 1)
    assert (first["start_position"], first["end_position"]) == ("1", "2")

    watch_from_ms = desk.world.watch_from_ms[COMER]
    await desk.world.unlist_in_sql(COMER)
    await until(lambda: removed(desk, COMER), "its removal is noted")
    await desk.order(COMER, "B", "1")
    await desk.signals(COMER, 1)
    await desk.world.list_in_sql([COMER])
    await until(lambda: watched(desk, COMER), "it is back")
    assert (await entry(desk, COMER)).watch_from_ms == watch_from_ms
    await desk.order(COMER, "B", "1")
    await desk.signals(COMER, 1)

    await desk.world.unlist_in_sql(COMER)
    await until(lambda: uncovered(desk, COMER), "its feeds are let go", GRACE_S + 60)
    await asyncio.sleep(1.5)
    await desk.order(COMER, "B", "1")
    await asyncio.sleep(1.5)
    assert await desk.silent(COMER)

    await desk.world.watch([COMER])
    assert desk.world.watch_from_ms[COMER] > watch_from_ms
    await desk.order(COMER, "B", "1")
    (last,) = await desk.signals(COMER, 1)
    assert (last["number"], last["start_position"], last["end_position"]) == (4, "5", "6")
    await desk.clear_book()


async def test_rows_with_wrong_addresses_are_reported_and_the_others_are_watched(desk: Desk) -> None:
    wrong = ("0x123", "not an address", "0x" + "g" * 40)
    async with desk.world.database.write() as connection:
        for number, address in enumerate((*wrong, LEAVER.upper().replace("0X", "0x"))):
            await connection.exec_driver_sql(
                "INSERT INTO hl_watch_addresses (player_id, address, nickname, is_system) "
                f"VALUES ({number + 7}, '{address}', '', 0)"
            )
    await until(lambda: watched(desk, LEAVER), "the good row is on the list")
    loader = desk.world.stack["address-loader"]
    assert await loader.metric("hl_monitor_watch_rows_rejected") == len(wrong)
    rejected = [line for line in loader.log_file.read_text().splitlines() if "watch_row_rejected" in line]
    bad = await desk.world.rows("SELECT id FROM hl_watch_addresses WHERE player_id >= 7 ORDER BY id")
    for row, line in zip(bad, rejected, strict=False):
        assert f"row_id={row['id']}" in line
        assert "hl_watch_addresses" in line
    assert len(rejected) == len(wrong)
    await loader.ready()


async def entry(desk: Desk, address: str) -> WatchEntry:
    found = (await WatchList(desk.world.nats).read())[Address(address)].entry
    assert found is not None
    return found


async def removed(desk: Desk, address: str) -> bool:
    return (await entry(desk, address)).removed_at_ms is not None


async def watched(desk: Desk, address: str) -> bool:
    return (await entry(desk, address)).removed_at_ms is None


async def uncovered(desk: Desk, address: str) -> bool:
    statuses = [await gateway.status() for gateway in desk.world.stack.of_kind("gateway")]
    return all(address != each["address"] for status in statuses for each in status["wallets"])
