"""position_size: the rate in a word, by bounds that operators set."""

from decimal import Decimal
from typing import Any

import pytest
from aggregates import START_MS, WHALE, Desk, FixedMarkets

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.payload import legacy_json
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.domain.sizes import SizeBounds
from hlmonitor.runtime.settings import load_settings
from hlmonitor.v1 import events_pb2


def opened(account_value: str, bounds: SizeBounds | None = None) -> Desk:
    """1 BTC is bought at 100 with this much in the account."""
    desk = Desk()
    desk.partition = Partition(0, Outbox(0, 1), FixedMarkets(), sizes=bounds or SizeBounds())
    desk.watch()
    perps = events_pb2.AccountSnapshot.Perps(dexes=[events_pb2.DexState(account_value=account_value)])
    desk.partition.snapshot(events_pb2.AccountSnapshot(address=WHALE, perps=perps), START_MS)
    desk.fill()
    desk.status()
    desk.commit()
    return desk


def told(desk: Desk) -> tuple[Any, Any, str | None]:
    """Rate and size in v1, and the size in the row."""
    (signal,), (row,) = desk.signals(), desk.rows
    return signal["position_rate"], signal["position_size"], row.position_size or None


@pytest.mark.parametrize(
    ("account_value", "expected"),
    [
        ("2001", ("4.997501249", "Small", "Small")),
        ("2000", ("5", "Medium", "Medium")),
        ("500", ("20", "Large", "Large")),
        ("0", (None, None, None)),
    ],
)
def test_a_signal_and_its_row_say_the_size_of_the_published_rate(
    account_value: str, expected: tuple[str | None, str | None, str | None]
) -> None:
    assert told(opened(account_value)) == expected


def test_the_bounds_are_settings() -> None:
    settings = load_settings("aggregator", AggregatorSettings, ["--small-below", "0.5", "--medium-below", "1.5"])
    assert settings.size_bounds == SizeBounds(Decimal("0.5"), Decimal("1.5"))
    assert told(opened("10000", settings.size_bounds)) == ("1", "Medium", "Medium")


def test_the_originals_message_has_no_size() -> None:
    assert b"position_size" not in legacy_json(opened("500").rows[0].payload)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--small-below", "20"], "medium_below (--medium-below, HLMON_MEDIUM_BELOW): Value error, must be above"),
        (["--small-below", "9", "--medium-below", "9"], "must be above small_below, which is 9"),
        (["--small-below", "0"], "small_below (--small-below, HLMON_SMALL_BELOW): Input should be greater than 0"),
        (["--medium-below", "NaN"], "medium_below (--medium-below, HLMON_MEDIUM_BELOW): "),
    ],
)
def test_bounds_that_make_no_sense_stop_the_start(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refusal:
        load_settings("aggregator", AggregatorSettings, arguments)
    assert refusal.value.code == 2
    assert sentence in capsys.readouterr().err
