"""What the commands decide: wallets of a file, the list, a signal's line."""

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.cli.core.lines import COLUMNS, SignalView, heading, short_address, signal_line
from hlmonitor.cli.core.listing import listing
from hlmonitor.cli.core.wallets import BadLine, Wallet, read_wallets
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import ListedAddress, WatchEntry

ANNA, BERT, CARL = (Address("0x" + letter * 40) for letter in "abc")
NOW_MS = 1_700_000_000_000


def test_wallets_are_read_one_per_line_with_or_without_label() -> None:
    text = f'address,label\n# whales\n{ANNA}\n\n {BERT.upper()} , big fish \n{CARL},"Carl, the third"\n{ANNA},again\n'
    found = read_wallets(text.splitlines())
    assert found.good == [Wallet(ANNA), Wallet(BERT, "big fish"), Wallet(CARL, "Carl, the third")]
    assert found.bad == []


def test_bad_lines_are_named_by_number_and_good_ones_still_count() -> None:
    found = read_wallets(["0x12", ANNA, "address,label", "label"])
    assert found.good == [Wallet(ANNA)]
    assert [line.number for line in found.bad] == [1, 3, 4]
    assert found.bad[0] == BadLine(1, "'0x12' is not an address: expected 0x and 40 hex digits")


@given(st.lists(st.text(max_size=60)))
def test_no_text_is_too_strange_to_be_read(lines: list[str]) -> None:
    found = read_wallets(lines)
    assert len(found.good) + len(found.bad) <= len(lines)


def test_the_list_shows_both_places_and_what_differs() -> None:
    rows = [
        ListedAddress("hl_watch_addresses", 1, ANNA, "whale"),
        ListedAddress("hl_watch_addresses", 2, BERT.upper(), ""),
        ListedAddress("hl_watch_addresses", 3, "0x3", "typo"),
    ]
    entries: dict[Address, WatchEntry | None] = {
        ANNA: WatchEntry(address=ANNA, watch_from_ms=NOW_MS, priority=2, order_timeout_s=0.5),
        CARL: WatchEntry(address=CARL, watch_from_ms=NOW_MS, removed_at_ms=NOW_MS - 100_000),
    }
    listed = listing(rows, entries, NOW_MS, grace_ms=300_000)
    assert [(row.address, row.label, row.state) for row in listed] == [
        (ANNA, "whale", "watched"),
        (BERT, "", "waits for the address-loader"),
        (CARL, "", "removed, watched for 200 s more"),
        ("0x3", "typo", "no address: hl_watch_addresses id 3"),
    ]
    assert (listed[0].priority, listed[0].order_timeout) == (2, "0.5 s")


def test_a_wallet_that_sql_does_not_have_is_shown_as_such() -> None:
    entries: dict[Address, WatchEntry | None] = {
        ANNA: WatchEntry(address=ANNA, watch_from_ms=NOW_MS),
        BERT: WatchEntry(address=BERT, watch_from_ms=NOW_MS, removed_at_ms=NOW_MS - 300_000),
    }
    states = [row.state for row in listing([], entries, NOW_MS, grace_ms=300_000)]
    assert states == ["watched, but not in SQL", "removed"]


def a_signal(**fields: object) -> SignalView:
    values: dict[str, object] = {
        "number": 7,
        "address": ANNA,
        "kind": "order",
        "symbol": "BTCUSDC",
        "direction": "close",
        "side": "SHORT",
        "size": "0.25",
        "price": "95123.456789012",
        "position_rate": "15.512345",
        "close_rate": "0.5",
        "timestamp": NOW_MS,
        "received_at_ms": NOW_MS + 100,
    }
    return SignalView(**(values | fields))  # type: ignore[arg-type]


def test_a_signal_is_one_line_under_its_heading() -> None:
    line = signal_line(a_signal(), {ANNA: "whale"}, NOW_MS + 112)
    assert line.split()[1:] == [
        "whale",
        "BTCUSDC",
        "close",
        "SHORT",
        "0.25",
        "95123.457",
        "15.51",
        "%",
        "50.0",
        "%",
        "12",
        "ms",
    ]
    assert line.index("BTCUSDC") == heading().index("symbol")
    assert heading().split("  ")[0] == COLUMNS[0].heading


def test_wallets_without_label_show_the_ends_of_their_address() -> None:
    assert short_address(ANNA) == "0xaaaa…aaaa"
    assert "0xaaaa…aaaa" in signal_line(a_signal(), {}, NOW_MS)


def test_what_is_unknown_or_unusual_is_shown_as_such() -> None:
    line = signal_line(a_signal(position_rate=None, close_rate=None, complete=False), {}, NOW_MS)
    assert line.endswith("partial")
    assert signal_line(a_signal(kind="liquidation"), {}, NOW_MS).endswith("liquidation")
    void = SignalView(number=3, address=ANNA, kind="void")
    assert signal_line(void, {}, NOW_MS).endswith("void")
