import pytest

from hlmonitor.storage import Database
from hlmonitor.storage.dao import progress
from hlmonitor.storage.dao.progress import GapValues

NOW_MS = 1_700_000_000_000
WALLET, OTHER = "0x" + "11" * 20, "0x" + "22" * 20


def gap(to_ms: int | None, reason: str, state: str, *, address: str = WALLET) -> GapValues:
    return GapValues(
        address=address,
        feed="userFills",
        from_ms=5,
        to_ms=to_ms,
        partition_id=0,
        reason=reason,
        state=state,
        updated_ms=NOW_MS,
    )


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        pytest.param([gap(9, "older", "unprovable"), gap(7, "order", "unprovable")], (9, "older"), id="longer stays"),
        pytest.param([gap(7, "order", "unprovable"), gap(9, "older", "unprovable")], (9, "older"), id="longer comes"),
        pytest.param([gap(None, "frames", "open"), gap(7, "frames", "covered")], (7, "frames"), id="an open one ends"),
        pytest.param([gap(9, "older", "unprovable"), gap(None, "lost", "open")], (None, "lost"), id="it is open again"),
    ],
)
async def test_a_gap_is_replaced_by_what_is_told_later_but_never_shortened(
    database: Database, rows: list[GapValues], left: tuple[int | None, str]
) -> None:
    for row in rows:
        async with database.write() as connection:
            await progress.put_gaps(connection, [row, gap(8, "another's", "unprovable", address=OTHER)])
    async with database.read() as connection:
        found = await progress.known_gaps(connection, address=WALLET, state=None, since_ms=0, most=9)
    assert [(row.to_ms, row.reason, row.state) for row in found] == [(*left, rows[-1]["state"])]
