"""A node's files show the same market as the API."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from hlmonitor.simulator.core.accounts import ZERO
from hlmonitor.simulator.core.events import Block
from hlmonitor.simulator.core.instruments import Kind
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.orders import ZERO_HASH, Builder, Side
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeConfig, Fees
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.node_files import FILLS, STATUSES, NodeFiles, NodeFilesError, hourly_path
from hlmonitor.simulator.io.server import Simulator
from hlmonitor.simulator.testing import GENESIS_MS, Desk, request, wallet
from hlmonitor.simulator.wire.node import block_time_ns, fills_line, node_time, statuses_line

SHARE = Fees().deployer_share
HOUR_MS = 3_600_000


class Order(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The whole order, every key always there."""

    coin: str
    side: str
    limit_px: str
    sz: str
    oid: int
    timestamp: int
    trigger_condition: str
    is_trigger: bool
    trigger_px: str
    children: list[object]
    is_position_tpsl: bool
    reduce_only: bool
    order_type: str
    orig_sz: str
    tif: str | None
    cloid: str | None


class Status(msgspec.Struct, forbid_unknown_fields=True):
    time: str
    user: str
    hash: str | None
    builder: dict[str, object] | None
    status: str
    order: Order


class Line(msgspec.Struct, forbid_unknown_fields=True):
    local_time: str
    block_time: str
    block_number: int
    events: list[msgspec.Raw]


def lines(root: Path, kind: str) -> list[Line]:
    """Every line of a kind, hour by hour."""
    files = sorted((root / kind / "hourly").glob("*/*"), key=lambda path: (path.parent.name, int(path.name)))
    return [msgspec.json.decode(line, type=Line) for file in files for line in file.read_bytes().splitlines()]


def statuses(block: Block) -> list[Status]:
    events = msgspec.json.decode(statuses_line(block, 0), type=Line).events
    return [msgspec.json.decode(event, type=Status) for event in events]


def fills(block: Block) -> list[tuple[str, dict[str, object]]]:
    events = msgspec.json.decode(fills_line(block, 0, SHARE), type=Line).events
    return [msgspec.json.decode(event, type=tuple[str, dict[str, object]]) for event in events]


def traded(px: str = "50000") -> Desk:
    """A desk on which wallet 1 sold to wallet 2."""
    desk = Desk()
    desk.fund(wallet(1))
    desk.fund(wallet(2))
    desk.sell(wallet(1), "1", px)
    desk.buy(wallet(2), "0.4", px)
    return desk


def market(seed: int) -> MarketConfig:
    return MarketConfig(
        exchange=ExchangeConfig(block_ms=1_000),
        population=PopulationConfig(seed=seed, whales=10, rate=Decimal(20)),
        ledger_limit=100_000,
    )


def run(root: Path, *, seed: int = 5, blocks: int = 30) -> Simulator:
    """Trade for a while across a full hour on a clock that the caller sets."""
    clock = GENESIS_MS - GENESIS_MS % HOUR_MS - 15_000

    def now_ms() -> int:
        return clock

    simulator = Simulator(market(seed), ServerConfig(node_dir=root), seed=seed, warmup_blocks=10, clock_ms=now_ms)
    for _ in range(blocks):
        clock += 1_000
        simulator.step(clock)
    simulator.close()
    return simulator


@pytest.fixture(scope="module")
def traded_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Simulator]:
    root = tmp_path_factory.mktemp("node")
    return root, run(root)


def test_a_fill_event_names_its_user_and_is_the_fill_of_the_api() -> None:
    (taker, bought), (maker, sold) = fills(traded().blocks[-1])
    assert (taker, maker) == (wallet(2), wallet(1))
    assert bought.pop("twapId") is None
    assert list(bought) == [
        "coin", "px", "sz", "side", "time", "startPosition", "dir", "closedPnl", "hash", "oid", "crossed", "fee", "tid",
        "feeToken",
    ]  # fmt: skip
    assert bought["tid"] == sold["tid"]
    assert bought["hash"] == sold["hash"] != ZERO_HASH


def test_the_deployer_part_of_a_fee_is_told_on_hip3_coins_only() -> None:
    desk = Desk()
    for number in (1, 2):
        desk.fund(wallet(number), dex="xyz")
    px = str(desk.exchange.state.mark("xyz:NVDA"))
    desk.sell(wallet(1), "10", px, coin="xyz:NVDA")
    desk.buy(wallet(2), "10", px, coin="xyz:NVDA")
    for (_, row), fill in zip(fills(desk.blocks[-1]), desk.blocks[-1].fills, strict=True):
        assert Decimal(str(row["deployerFee"])) == (fill.fee / 2).quantize(Decimal("0.000001"))
    assert all("deployerFee" not in row for _, row in fills(traded().blocks[-1]))


def test_a_builder_is_named_with_the_order_and_keeps_its_own_part_of_the_fee() -> None:
    desk = Desk()
    for number in (1, 2):
        desk.fund(wallet(number), dex="xyz")
    px = str(desk.exchange.state.mark("xyz:NVDA"))
    desk.sell(wallet(1), "10", px, coin="xyz:NVDA")
    desk.block(lambda exchange: exchange.approve_builder(wallet(2), wallet(3), 50))
    bought = replace(request(Side.BUY, "10", px, coin="xyz:NVDA"), builder=Builder(wallet(3), 50))
    desk.send(wallet(2), bought)
    builders = {status.user: status.builder for status in statuses(desk.blocks[-1])}
    assert builders == {wallet(1): None, wallet(2): {"b": wallet(3), "f": 50}}
    (_, taken), _ = fills(desk.blocks[-1])
    fill = desk.blocks[-1].fills[0]
    assert fill.builder_fee is not None
    own = fill.fee - fill.builder_fee
    assert Decimal(str(taken["builderFee"])) == fill.builder_fee
    assert Decimal(str(taken["deployerFee"])) == (own / 2).quantize(Decimal("0.000001"))


def test_what_the_exchange_takes_away_has_no_transaction_even_among_those_of_others() -> None:
    desk = traded()
    block = desk.block(
        lambda exchange: exchange.place(wallet(2), request(Side.BUY, "0.1", "40000")),
        lambda exchange: exchange.delist("BTC"),
    )
    told = [(status.status, status.hash is None) for status in statuses(block)]
    assert told[0] == ("open", False)
    assert set(told[1:]) == {("delistedCanceled", True)}


def test_nobody_has_a_part_of_a_rebate() -> None:
    fill = replace(traded().blocks[-1].fills[0], coin="xyz:NVDA", fee=Decimal("-0.1"))
    block = Block(1, GENESIS_MS, fills=[fill])
    assert "deployerFee" not in fills(block)[0][1]


def test_a_slice_names_its_twap_on_its_owners_side_only() -> None:
    desk = Desk()
    desk.fund(wallet(1))
    desk.fund(wallet(2))
    desk.sell(wallet(1), "5", "50000")
    twap = desk.twap(wallet(2), TwapRequest("BTC", Side.BUY, Decimal(1), duration_ms=300_000))
    rows = dict(fills(desk.blocks[-1]))
    assert rows[wallet(2)]["twapId"] == twap.twap_id
    assert rows[wallet(1)]["twapId"] is None
    assert rows[wallet(1)]["hash"] == rows[wallet(2)]["hash"] == ZERO_HASH


def test_an_order_status_shows_the_whole_order_as_it_was_then() -> None:
    block = traded().blocks[-1]
    (filled,) = statuses(block)
    assert (filled.user, filled.status, filled.order.sz, filled.order.orig_sz) == (wallet(2), "filled", "0.0", "0.4")
    assert filled.time == node_time(block_time_ns(block))
    assert filled.order.tif == "Gtc"


def test_remaining_sizes_within_one_block_are_those_of_each_moment() -> None:
    desk = traded()
    oid = next(iter(desk.exchange.state.account(wallet(1)).open_orders))
    block = desk.block(
        lambda exchange: exchange.place(wallet(2), request(Side.BUY, "0.2", "50000")),
        lambda exchange: exchange.cancel(wallet(1), oid),
    )
    canceled = next(status for status in statuses(block) if status.status == "canceled")
    assert canceled.order.sz == "0.4"


def test_a_status_names_the_transaction_that_caused_it() -> None:
    desk = traded()
    placed = desk.blocks[-1]
    assert {status.hash for status in statuses(placed)} == {placed.fills[0].hash}
    oids = list(desk.exchange.state.account(wallet(1)).open_orders)
    (canceled,) = statuses(desk.block(lambda exchange: exchange.cancel(wallet(1), *oids)))
    assert canceled.hash is not None
    assert canceled.hash != placed.fills[0].hash


def test_what_the_exchange_does_by_itself_has_no_transaction() -> None:
    desk = Desk()
    desk.fund(wallet(1))
    desk.fund(wallet(2))
    desk.sell(wallet(1), "0.01", "50000")
    desk.twap(wallet(2), TwapRequest("BTC", Side.BUY, Decimal(1), duration_ms=300_000))
    (filled,) = [status for status in statuses(desk.blocks[-1]) if status.user == wallet(1)]
    assert (filled.status, filled.hash) == ("filled", None)


def test_times_have_nanoseconds_and_agree_with_the_fills_milliseconds() -> None:
    block = traded().blocks[-1]
    line = msgspec.json.decode(fills_line(block, 0, SHARE), type=Line)
    whole, _, digits = line.block_time.partition(".")
    assert len(digits) == 9
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    assert seconds * 1_000 + int(digits[:3]) == block.fills[0].time


def test_a_node_never_writes_a_block_before_its_time() -> None:
    line = msgspec.json.decode(fills_line(traded().blocks[-1], 0, SHARE), type=Line)
    assert line.local_time == line.block_time


def test_the_files_hold_every_fill_and_status_of_the_market_and_a_line_for_every_block(
    traded_files: tuple[Path, Simulator],
) -> None:
    root, simulator = traded_files
    told = lines(root, FILLS)
    assert [line.block_number for line in told] == list(range(1, len(told) + 1))
    assert [line.block_number for line in lines(root, STATUSES)] == [line.block_number for line in told]
    written = Counter(
        (user, row["coin"], row["tid"], row["side"])
        for line in told
        for user, row in (msgspec.json.decode(event, type=tuple[str, dict[str, object]]) for event in line.events)
    )
    ledger = simulator.market.ledger
    kept = Counter(
        (f.address, f.coin, f.tid, f.side) for address in ledger.addresses() for f in ledger.of(address).fills
    )
    assert written == kept
    assert written.total() > 500


def test_positions_can_be_followed_from_the_files_alone(traded_files: tuple[Path, Simulator]) -> None:
    root, simulator = traded_files
    held: dict[tuple[str, str], Decimal] = {}
    for line in lines(root, FILLS):
        for event in line.events:
            user, row = msgspec.json.decode(event, type=tuple[str, dict[str, object]])
            if simulator.market.exchange.state.universe.get(str(row["coin"])).kind is not Kind.PERP:
                continue
            key = (user, str(row["coin"]))
            assert held.get(key, ZERO) == Decimal(str(row["startPosition"])), row
            held[key] = Decimal(str(row["startPosition"])) + Decimal(str(row["sz"])) * (1 if row["side"] == "B" else -1)


def test_each_hour_has_its_own_file_whose_name_is_not_padded(traded_files: tuple[Path, Simulator]) -> None:
    root, _ = traded_files
    (day,) = (root / FILLS / "hourly").iterdir()
    assert sorted(path.name for path in day.iterdir()) == ["21", "22"]
    assert hourly_path(root, STATUSES, 1_733_824_800_000 - HOUR_MS).relative_to(root).as_posix() == (
        f"{STATUSES}/hourly/20241210/9"
    )


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(tmp_path / name, blocks=20)
    for path in (tmp_path / "a").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_with_a_buffer_a_file_ends_in_the_middle_of_a_line(tmp_path: Path) -> None:
    node = NodeFiles(tmp_path, SHARE, buffer_bytes=512)
    for _ in range(3):
        node.write(traded().blocks[-1], 0)
    path = hourly_path(tmp_path, FILLS, GENESIS_MS)
    assert not path.read_bytes().endswith(b"\n")
    node.close()
    assert len(path.read_bytes().splitlines()) == 3


def test_files_that_cannot_be_written_are_an_error_that_names_the_directory(tmp_path: Path) -> None:
    (tmp_path / FILLS).write_text("in the way")
    with pytest.raises(NodeFilesError, match=str(tmp_path)):
        NodeFiles(tmp_path, SHARE).write(traded().blocks[-1], 0)
