"""Which REST work is done when: lanes of a wallet, turns among wallets, and the part that routine may take."""

import asyncio
from typing import Any

import pytest

from hlmonitor.domain.addresses import Address
from hlmonitor.gateway.core.backlog import MAX_WAITING, Lane
from hlmonitor.gateway.core.feeds import FEEDS, Catchup
from hlmonitor.gateway.core.progress import Progress
from hlmonitor.gateway.core.turns import Heat, Turns, heat
from hlmonitor.gateway.io.turns import Gate
from hlmonitor.venue.core.limits import RateLedger

FILLS, SLICES = FEEDS
PATIENCE_S = 20


def work(from_ms: int = 5, **fields: Any) -> Catchup:  # noqa: ANN401 whatever field a test is about
    values: dict[str, Any] = {
        "feed": FILLS, "from_ms": from_ms, "to_ms": None, "oids": (), "reads_rows": True, "through_ms": 0,
        "generation": None,
    }  # fmt: skip
    return Catchup(**(values | fields))


def place(number: int = 1, **fields: Any) -> Heat:  # noqa: ANN401 whatever field a test is about
    values: dict[str, Any] = {"routine": False, "priority": 0, "open_orders": 0, "last_fill_ms": 0}
    return heat(Address(f"0x{number:040x}"), **(values | fields))


def test_works_that_read_a_feed_to_its_end_become_one() -> None:
    lane = Lane()
    for more in (work(9, oids=(3,)), work(4, oids=(1,)), work(7)):
        assert lane.add(more)
    assert lane.take() == work(4, oids=(1, 3))
    assert lane.take() is None


@pytest.mark.parametrize(
    "other", [work(4, feed=SLICES), work(4, to_ms=9), work(4, generation=1), work(4, reads_rows=False)]
)
def test_works_that_are_not_alike_stay_apart(other: Catchup) -> None:
    lane = Lane()
    assert lane.add(work(9))
    assert lane.add(other)
    assert (lane.take(), lane.take()) == (work(9), other)


def test_a_full_lane_leaves_the_newest_out() -> None:
    lane = Lane()
    assert all(lane.add(work(generation=number)) for number in range(MAX_WAITING))
    assert not lane.add(work(generation=MAX_WAITING))
    assert len(lane) == MAX_WAITING


def test_what_is_waited_for_goes_before_routine_then_priority_open_orders_and_the_latest_trader() -> None:
    routine, quiet, busy, ordering, preferred = (
        place(1, routine=True, priority=9, open_orders=9),
        place(2, last_fill_ms=10),
        place(3, last_fill_ms=20),
        place(4, open_orders=1),
        place(5, priority=1),
    )
    turns = Turns[str](1)
    assert turns.enter(routine, "first")
    for name, where in (("routine", routine), ("quiet", quiet), ("busy", busy)):
        assert not turns.enter(where, name)
    for name, where in (("ordering", ordering), ("preferred", preferred)):
        assert not turns.enter(where, name)
    order = [turns.leave() for _ in range(6)]
    assert order == ["preferred", "ordering", "busy", "quiet", "routine", None]
    assert turns.enter(quiet, "again")


async def test_a_turn_whose_waiter_is_cancelled_passes_to_the_next() -> None:
    gate = Gate(Turns(1), RateLedger(1200), 0.25)
    passed: list[str] = []

    async def pass_through(name: str, where: Heat) -> None:
        async with gate.turn(where):
            passed.append(name)

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        async with gate.turn(place()):
            leaving = tasks.create_task(pass_through("leaving", place(last_fill_ms=5)))
            tasks.create_task(pass_through("staying", place()))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.sleep(0)
        # Here the turn has come for the next and it has not run yet: cancelled now, it must hand the turn on.
        granted = tasks.create_task(pass_through("granted", place()))
        granted.cancel()
    assert passed == ["staying"]
    async with asyncio.timeout(PATIENCE_S):
        await pass_through("later", place())
    assert passed == ["staying", "later"]


async def test_routine_looks_wait_when_their_part_of_the_budget_is_spent_and_nothing_else_does() -> None:
    gate = Gate(Turns(4), RateLedger(1200), 0.25)
    routine, urgent = place(routine=True), place()
    gate.spent(urgent, 5_000)
    async with asyncio.timeout(PATIENCE_S), gate.turn(routine):
        gate.spent(routine, 300)
    async with asyncio.timeout(PATIENCE_S), gate.turn(urgent):
        pass
    waiting = asyncio.create_task(gate.turn(routine).__aenter__())
    done, _ = await asyncio.wait([waiting], timeout=0.6)
    assert not done
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


def test_progress_is_a_share_of_the_time_span() -> None:
    progress = Progress("FEED_USER_FILLS", "routine", from_ms=1_000, known_ms=3_000, at_ms=1_500)
    assert progress.shown()["percent"] == 25
    progress.at_ms = 9_999
    assert progress.shown()["percent"] == 100
    assert Progress("FEED_USER_FILLS", "routine", from_ms=5, known_ms=5, at_ms=5).percent == 100
