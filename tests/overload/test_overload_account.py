"""What the account finds: each way in which fills and signals can be lost, doubled or changed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from overload import account as accounting
from overload.account import Account
from overload.books import Books, RecordedGap, StoredFill
from overload.ledger import SentFill

ADDRESS = f"0x{1:040x}"


def sent(tid: int, *, oid: int, side: str, sz: str, start: str, time: int) -> SentFill:
    amounts: dict[str, Any] = {"px": Decimal(100 + tid), "sz": Decimal(sz), "start_position": Decimal(start)}
    rest: dict[str, Any] = {"dir": "", "closed_pnl": Decimal(0), "fee": Decimal("0.1")}
    return SentFill(address=ADDRESS, coin="BTC", oid=oid, tid=tid, time=time, side=side, **amounts, **rest)


SENT = [
    sent(1, oid=10, side="B", sz="1", start="0", time=1000),
    sent(2, oid=10, side="B", sz="2", start="1", time=1000),
    sent(3, oid=11, side="A", sz="5", start="3", time=2000),
    sent(4, oid=12, side="B", sz="2", start="-2", time=3000),
]
"""An order opens in two fills, one flips, and one closes."""


def stored(fill: SentFill, *, close: int | None = None, opens: int | None = None) -> StoredFill:
    values = {name: getattr(fill, name) for name in StoredFill.__dataclass_fields__ if hasattr(fill, name)}
    return StoredFill(**values, close_number=close, open_number=opens)


def signal(number: int, oid: int, direction: str, size: str, price: str, **more: object) -> bytes:
    fields = {"number": number, "oid": oid, "direction": direction, "size": size, "price": price, "fills": 1}
    return msgspec.json.encode({"id": f"s{number}", "coin": "BTC", "complete": True} | fields | more)


ROWS = [stored(SENT[0], opens=1), stored(SENT[1], opens=1), stored(SENT[2], close=2, opens=3), stored(SENT[3], close=4)]
SIGNALS = [
    signal(1, 10, "open", "3", "101.666666666666666667", fills=2),
    signal(2, 11, "close", "3", "103"),
    signal(3, 11, "open", "2", "103"),
    signal(4, 12, "close", "2", "104"),
]
GOOD = Books(ROWS, [], SIGNALS, SIGNALS)


def account_of(books: Books) -> Account:
    account = Account()
    account.check(SENT, books)
    return account


def counts(books: Books) -> tuple[int, int, int]:
    found = account_of(books)
    return len(found.missing), len(found.duplicates), len(found.wrong)


def test_nothing_is_to_complain_of_when_all_is_stored_told_and_published() -> None:
    account = account_of(GOOD)
    assert (account.missing, account.duplicates, account.wrong) == ([], [], [])
    assert (account.sent, account.stored, account.signals, account.whole) == (4, 4, 4, 4)


def without_the_last(**more: Any) -> Books:  # noqa: ANN401 the dataclass' fields
    return replace(GOOD, **{"fills": ROWS[:3], "stored": SIGNALS[:3], "published": SIGNALS[:3], **more})


def test_a_fill_that_is_not_stored_may_only_lie_in_a_gap_that_is_recorded_as_unprovable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounting, "HORIZON", 0)
    account = account_of(without_the_last(gaps=[RecordedGap(3000, 3001, "unprovable")]))
    assert (account.missing, account.wrong, account.in_gaps, account.gaps) == ([], [], 1, 1)
    for gap in (RecordedGap(3000, 3001, "covered"), RecordedGap(3001, 9000, "unprovable")):
        assert account_of(without_the_last(gaps=[gap])).missing


def test_no_gap_excuses_a_fill_that_the_venue_still_shows() -> None:
    assert len(account_of(without_the_last(gaps=[RecordedGap(0, 9000, "unprovable")])).missing) == 1


def test_an_order_that_a_gap_touched_may_be_told_in_parts() -> None:
    parts = [signal(1, 10, "open", "1", "101", complete=False), signal(2, 10, "open", "2", "102")]
    rows = [stored(SENT[0], opens=1), stored(SENT[1], opens=2), *(_later(row) for row in ROWS[2:])]
    later = [
        signal(3, 11, "close", "3", "103"),
        signal(4, 11, "open", "2", "103"),
        signal(5, 12, "close", "2", "104"),
    ]
    books = Books(rows, [RecordedGap(900, 1500, "covered")], parts + later, parts + later)
    assert counts(books) == (0, 0, 0)
    assert counts(replace(books, gaps=[])) == (0, 0, 1)


def _later(row: StoredFill) -> StoredFill:
    return replace(
        row,
        close_number=None if row.close_number is None else row.close_number + 1,
        open_number=None if row.open_number is None else row.open_number + 1,
    )


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"fills": [*ROWS, ROWS[0]]}, (0, 1, 2)),
        ({"fills": [*ROWS[:3], replace(ROWS[3], px=Decimal(1))]}, (0, 0, 2)),
        ({"fills": [*ROWS, replace(ROWS[0], tid=9, open_number=None)]}, (1, 0, 1)),
        ({"fills": [replace(ROWS[0], open_number=None), *ROWS[1:]]}, (1, 0, 2)),
        ({"fills": [replace(ROWS[0], close_number=4), *ROWS[1:]]}, (0, 0, 1)),
        ({"published": SIGNALS[:3]}, (1, 0, 0)),
        ({"published": [*SIGNALS, SIGNALS[0]]}, (0, 1, 0)),
        ({"published": [*SIGNALS[:2], SIGNALS[3], SIGNALS[2]]}, (0, 0, 1)),
        ({"published": [*SIGNALS, signal(5, 10, "open", "1", "1")]}, (0, 0, 1)),
        ({"stored": SIGNALS[:3], "published": SIGNALS[:3]}, (2, 0, 0)),
        ({"stored": [SIGNALS[0], *SIGNALS[2:]], "published": [SIGNALS[0], *SIGNALS[2:]]}, (2, 0, 1)),
    ],
)
def test_each_defect_is_found(change: dict[str, Any], found: tuple[int, int, int]) -> None:
    assert counts(replace(GOOD, **change)) == found


@pytest.mark.parametrize(
    "change", [{"size": "2.5"}, {"price": "101.6"}, {"fills": 1}, {"oid": 13}, {"complete": False}]
)
def test_a_signal_must_be_the_exact_sum_of_its_fills(change: dict[str, object]) -> None:
    wrong = msgspec.json.encode(msgspec.json.decode(SIGNALS[0], type=dict[str, object]) | change)
    books = replace(GOOD, stored=[wrong, *SIGNALS[1:]], published=[wrong, *SIGNALS[1:]])
    assert account_of(books).wrong
