"""docs/signals.md: its examples are what the code makes, its tables name every field in order."""

import asyncio
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import msgspec
import pytest
from aggregates import START_MS, WHALE, Desk, FixedMarkets
from model_stream import ModelStream

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.news import GapState, Reporter, Source
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.payload import legacy_json
from hlmonitor.aggregator.core.signals import Signal
from hlmonitor.aggregator.core.triggers import Trigger
from hlmonitor.aggregator.io.owner import Owner
from hlmonitor.aggregator.io.query import Totals
from hlmonitor.aggregator.io.status import HEARTBEAT_SUBJECT, StatusReporter
from hlmonitor.domain.orders import Kind
from hlmonitor.domain.sizes import MEDIUM_BELOW_PERCENT, SMALL_BELOW_PERCENT
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.storage.original import SIGNAL_VIEW
from hlmonitor.v1 import events_pb2, storage_pb2
from hlmonitor.writer.core.voids import void_of

PAGE = (Path(__file__).parents[2] / "docs" / "signals.md").read_text()
SELL = {"side": events_pb2.SIDE_SELL, "oid": 55030848197, "dir": "Long > Short", "cloid": "0x" + "0c" * 16}


class BusyMarkets(FixedMarkets):
    def mid_of(self, coin: str) -> Decimal | None:  # noqa: ARG002 one market is enough
        return Decimal("66619.5")


def flip() -> list[storage_pb2.SignalRow]:
    """Long 1.5 BTC, 2 BTC are sold in two fills: the second one crosses zero."""
    desk = Desk(now_s=START_MS / 1000 + 0.043)
    desk.partition = Partition(0, Outbox(0, 1), BusyMarkets())
    desk.watch()
    position = events_pb2.Position(coin="BTC", szi="1.5", leverage_type="cross", leverage_value=20)
    dex = events_pb2.DexState(account_value="2500000", positions=[position])
    account = events_pb2.AccountSnapshot(address=WHALE, perps=events_pb2.AccountSnapshot.Perps(dexes=[dex]))
    desk.partition.snapshot(account, START_MS)
    first: dict[str, Any] = {"px": "66620", "sz": "1.2", "start_position": "1.5", "tid": 745210434703679}
    second: dict[str, Any] = {"px": "66618.5", "sz": "0.8", "start_position": "0.3", "tid": 745210434703680}
    desk.fill(**SELL, **first, fee="35.9748", closed_pnl="1284")
    desk.fill(**SELL, **second, fee="23.98266", closed_pnl="320.55", time_ms=START_MS + 20)
    desk.status(oid=55030848197, orig_sz="2", status_time_ms=START_MS + 20)
    desk.commit()
    return desk.rows


def heartbeat() -> bytes:
    owner = Owner("aggregator-1", cast("Any", None), cast("Any", None))
    host = SimpleNamespace(state="ready", unpublished=0, open_gaps=1)
    owner.hosts = cast("Any", dict.fromkeys((3, 17, 42), host))
    stream = ModelStream()
    reporter = StatusReporter(stream, owner, Metrics(), Totals(signals=1284), "aggregator-1")
    asyncio.run(reporter._heartbeat())
    [(subject, payload)] = stream.told
    assert subject == f"{HEARTBEAT_SUBJECT}.aggregator-1"
    return payload


def news() -> dict[str, tuple[bytes, type[msgspec.Struct]]]:
    """Of each type, what an aggregator says, and its fields."""
    reporter, now = Reporter("aggregator-1", 0), Now(0.0, START_MS + 43)
    feed = events_pb2.FEED_USER_FILLS
    gap = storage_pb2.GapRow(address=WHALE, feed=feed, from_ms=START_MS - 10_000, reason="reconnect", state="open")
    mark = storage_pb2.Watermark(address=WHALE, feed=feed, watermark_ms=START_MS)
    told = [
        *reporter.of_batch(storage_pb2.CommitBatch(gaps=[gap], watermarks=[mark]), now),
        *reporter.of_sources([(WHALE, Source("gateway-2", "192.0.2.7"))], now),
    ]
    encoded = [msgspec.json.encode(one) for one in told]
    return {msgspec.json.decode(text)["type"]: (text, type(one)) for text, one in zip(encoded, told, strict=True)}


def documented(name: str) -> dict[str, Any]:
    found = re.search(rf"<!-- example: {name} -->\n```json\n(.*?)\n```", PAGE, re.DOTALL)
    assert found, f"docs/signals.md has no example {name}"
    value: dict[str, Any] = msgspec.json.decode(found[1])
    return value


def table_after(heading: str) -> list[str]:
    return table_in(PAGE.split(f"\n{heading}\n")[1])


def table_in(section: str) -> list[str]:
    table = section[section.index("| field | type |") :].split("\n\n", maxsplit=1)[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def pretty(payload: bytes) -> str:
    return msgspec.json.format(payload, indent=2).decode()


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("v1-close", flip()[0].payload),
        ("v1-open", flip()[1].payload),
        ("legacy-close", legacy_json(flip()[0].payload)),
        ("void", void_of(flip()[0], "price: out of range").payload),
    ],
)
def test_an_example_is_what_the_code_makes(name: str, payload: bytes) -> None:
    documented(name)
    assert f"<!-- example: {name} -->\n```json\n{pretty(payload)}\n```" in PAGE, pretty(payload)


def test_the_heartbeat_is_what_an_aggregator_says() -> None:
    said = msgspec.json.decode(heartbeat())
    shown = documented("heartbeat")
    assert said | {"time_ms": 0} == shown | {"time_ms": 0}, pretty(heartbeat())
    assert table_after("## Status messages") == list(said)


@pytest.mark.parametrize("kind", ["gap", "caught_up", "source"])
def test_news_are_what_an_aggregator_says_and_every_field_is_explained(kind: str) -> None:
    text, struct = news()[kind]
    assert f"<!-- example: {kind} -->\n```json\n{pretty(text)}\n```" in PAGE, pretty(text)
    of_all = table_after("### News of gaps and sources")
    own = table_in(PAGE.split(f"<!-- example: {kind} -->")[1])
    assert of_all + own == ["type", *struct.__struct_fields__]


def test_every_state_of_a_gap_is_explained() -> None:
    (row,) = re.findall(r"^\| `state` \| string \| (`open`.*) \|$", PAGE, re.MULTILINE)
    assert [state for state in get_args(GapState) if f"`{state}`:" not in row] == []


def test_every_field_of_a_signal_is_explained_in_order() -> None:
    assert table_after("## The v1 message") == list(Signal.__struct_fields__)


def test_every_field_of_the_originals_message_is_explained_in_order() -> None:
    assert table_after("## The original's message") == list(msgspec.json.decode(legacy_json(flip()[0].payload)))


def test_every_kind_and_trigger_is_named() -> None:
    rows = dict(re.findall(r"^\| `(kind|trigger)` \| string \| (.*) \|$", PAGE, re.MULTILINE))
    assert [word for word in Kind if f"`{word.value}`" not in rows["kind"]] == []
    assert [word for word in Trigger if f"`{word.value}`" not in rows["trigger"]] == []


def test_the_views_words_are_explained() -> None:
    assert f"The view `{SIGNAL_VIEW}`" in PAGE
    assert f"`Small` below {SMALL_BELOW_PERCENT} %" in PAGE
    assert f"`Medium` below {MEDIUM_BELOW_PERCENT} %" in PAGE
