"""Decoding of frames: nothing that the venue may send raises."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.venue.core import frames
from hlmonitor.venue.core.frames import decode_frame

ROW = {
    "coin": "BTC", "px": "66653.0", "sz": "0.001", "side": "A", "time": 1781528065899, "startPosition": "-0.0213",
    "dir": "Open Short", "closedPnl": "0.0", "hash": "0xe29f", "oid": 55030848197, "crossed": False,
    "fee": "0.009997", "tid": 745210434703679, "feeToken": "USDC", "twapId": None,
}  # fmt: skip


def text(channel: str, data: object) -> str:
    return msgspec.json.encode({"channel": channel, "data": data}).decode()


def user_fills(*rows: object, **extra: object) -> frames.UserFills:
    frame = decode_frame(text("userFills", {"user": "0xABC", "fills": rows} | extra))
    assert isinstance(frame, frames.UserFills)
    return frame


def test_amounts_stay_the_venues_strings() -> None:
    (row,) = user_fills(ROW).rows
    assert (row.px, row.sz, row.fee, row.start_position) == ("66653.0", "0.001", "0.009997", "-0.0213")


def test_addresses_become_lower_case() -> None:
    assert user_fills(ROW).user == "0xabc"


@pytest.mark.parametrize(
    ("extra", "expected"), [({}, False), ({"isSnapshot": False}, False), ({"isSnapshot": True}, True)]
)
def test_a_frame_is_a_snapshot_only_when_it_says_true(extra: dict[str, object], expected: bool) -> None:  # noqa: FBT001
    assert user_fills(ROW, **extra).is_snapshot is expected


def test_unknown_keys_are_ignored_and_optional_ones_may_be_absent() -> None:
    old = {name: value for name, value in ROW.items() if name not in ("tid", "feeToken", "twapId")}
    (row,) = user_fills(old | {"feeTrialEscrow": "0.1", "deployerFee": "0.2"}).rows
    assert (row.tid, row.fee_token) == (0, "")


def test_a_bad_row_costs_only_itself() -> None:
    frame = user_fills(ROW, {"coin": 1}, ROW | {"tid": 2})
    assert [row.tid for row in frame.rows] == [745210434703679, 2]
    assert len(frame.rejected) == 1


def test_a_liquidation_may_name_no_user() -> None:
    (row,) = user_fills(ROW | {"liquidation": {"markPx": "1.0", "method": "backstop"}}).rows
    assert row.liquidation is not None
    assert row.liquidation.liquidated_user is None


def test_twap_history_times_are_kept_as_seconds() -> None:
    state = {"coin": "BTC", "user": "0xabc", "side": "B", "sz": "1.0", "executedSz": "0.2", "stopPx": None}
    row = {"time": 1781528065, "state": state, "status": {"status": "error", "description": "x"}, "twapId": 12}
    frame = decode_frame(text("userTwapHistory", {"user": "0xabc", "history": [row]}))
    assert isinstance(frame, frames.TwapHistory)
    assert (frame.rows[0].time, frame.rows[0].status.status) == (1781528065, "error")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("Websocket connection established.", frames.PlainText),
        ('{"channel":"pong"}', frames.Pong),
        ('{"channel":"webData9","data":{}}', frames.UnknownChannel),
        ('{"channel":"userFills","data":[]}', frames.Malformed),
        ('{"channel":"userFills","data":{"user":"0xabc"}}', frames.Malformed),
        ('{"channel":"userFills"', frames.Malformed),
        ('{"data":{}}', frames.Malformed),
        ("", frames.Malformed),
        (b"\xff\xfe\xfd", frames.PlainText),
        ('{"channel":"error","data":"Already subscribed: {}"}', frames.ErrorFrame),
        ('{"channel":"error","data":7}', frames.Malformed),
    ],
)
def test_every_kind_of_frame_has_its_value(raw: str | bytes, kind: type) -> None:
    assert isinstance(decode_frame(raw), kind)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.text() | st.binary())
def test_no_text_raises(raw: str | bytes) -> None:
    decode_frame(raw)


@given(st.sampled_from([*frames._READERS, "other"]), json_values)
def test_no_data_raises(channel: str, data: object) -> None:
    try:
        raw = text(channel, data)
    except (UnicodeEncodeError, OverflowError):
        return
    decode_frame(raw)


@given(st.sampled_from(sorted(ROW)), json_values)
def test_no_row_raises(name: str, value: object) -> None:
    try:
        raw = text("userFills", {"user": "0xabc", "fills": [ROW | {name: value}]})
    except (UnicodeEncodeError, OverflowError):
        return
    frame = decode_frame(raw)
    if isinstance(frame, frames.UserFills):
        assert len(frame.rows) + len(frame.rejected) == 1
    else:
        # A number that JSON readers cannot hold spoils the whole frame.
        assert isinstance(frame, frames.Malformed)


@pytest.mark.parametrize(
    ("named", "mode"),
    [(',"abstraction":"unifiedAccount"', "unifiedAccount"), ("", "default"), (',"abstraction":null', "default")],
)
def test_web_data_tells_where_a_wallets_collateral_is(named: str, mode: str) -> None:
    state = f'{{"user":"0xAB","isVault":false{named}}}'
    text = f'{{"channel":"webData3","data":{{"userState":{state},"perpDexStates":[]}}}}'
    assert decode_frame(text) == frames.AccountMode("0xab", mode)
