"""The line at the end of an overload, and what is not good enough."""

from typing import Any

import msgspec
import pytest

from overload.memory import Footprint
from overload.verdict import Verdict

MB = 1 << 20
COUNTS = {"in_gaps": 30, "gaps": 4, "signals": 50, "whole": 40, "windows_full": 7, "sent": 100, "stored": 70}
GOOD = Verdict(
    sustained_per_s=1000,
    offered_per_s=9900,
    seconds=120.0,
    committed_per_s=1100,
    drained_s=20.0,
    missing=0,
    duplicates=0,
    wrong=0,
    memory_mb={"gateway-1": Footprint(200, 190, 195)},
    **COUNTS,
)


def test_nothing_is_to_complain_of_in_a_good_run() -> None:
    assert GOOD.complaints() == []


@pytest.mark.parametrize(
    "change",
    [
        {"missing": 1},
        {"duplicates": 1},
        {"wrong": 1},
        {"offered_per_s": 8000},
        {"windows_full": 0},
        {"in_gaps": 0},
        {"memory_mb": {"gateway-2": Footprint(4000, 3900, 3900)}},
        {"memory_mb": {"gateway-2": Footprint(300, 150, 290)}},
    ],
)
def test_each_of_these_makes_a_run_bad(change: dict[str, Any]) -> None:
    assert len(msgspec.structs.replace(GOOD, **change).complaints()) == 1


def test_a_short_run_need_not_have_reached_the_venues_horizon_nor_a_steady_memory() -> None:
    growing = {"gateway-1": Footprint(300, 150, 290)}
    assert msgspec.structs.replace(GOOD, seconds=15.0, in_gaps=0, memory_mb=growing).complaints() == []


def test_a_footprint_compares_the_halves_of_a_run_by_their_medians() -> None:
    samples = [megabytes * MB for megabytes in (100, 900, 110, 120, 210, 200, 220)]
    assert Footprint.of(samples) == Footprint(most=900, first_half=115, second_half=210)
    assert Footprint.of([5 * MB]) == Footprint(5, 5, 5)
