"""What a capture says is what its clients hear."""

import base64
import gzip
import zlib
from pathlib import Path

import msgspec
import pytest
from captures import Json, acknowledged, asked, encode, line, run_line

from hlmonitor.simulator.replay.answers import Answers, MissingAnswerError
from hlmonitor.simulator.replay.capture import CaptureError, Contents, look_through, read_lines, timed_lines
from hlmonitor.simulator.replay.feeds import Feeds

ANNA, BERT = "0x" + "a" * 40, "0x" + "b" * 40
TRADES: dict[str, object] = {"type": "trades", "coin": "BTC"}
FILLS: dict[str, object] = {"type": "userFills", "user": ANNA, "aggregateByTime": False}


def frame(channel: str, data: Json) -> str:
    return encode({"channel": channel, "data": data})


def fills(*times: int, snapshot: bool = False) -> str:
    rows = [{"coin": "BTC", "time": time, "tid": time} for time in times]
    flag: dict[str, Json] = {"isSnapshot": True} if snapshot else {}
    return frame("userFills", flag | {"user": ANNA, "fills": rows})


def times(text: str | None) -> list[int]:
    assert text is not None
    data = msgspec.json.decode(text)["data"]
    return [row["time"] for row in (data if isinstance(data, list) else data["fills"])]


def capture(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(gzip.compress(text) for text in lines))
    return path


def listening(*echoes: dict[str, Json], connection: int = 1) -> Feeds:
    feeds = Feeds(echoes)
    for echo in echoes:
        feeds.sent(connection, asked(echo))
    return feeds


def hear(feeds: Feeds, text: str, connection: int = 1) -> str | None:
    delivery = feeds.received(connection, text)
    return None if delivery is None else delivery[1]


def first(feeds: Feeds, wanted: dict[str, Json]) -> str | None:
    feed = feeds.find(wanted)
    assert feed is not None
    return feed.first()


def test_frames_are_passed_on_to_the_character() -> None:
    feeds = listening(TRADES, FILLS)
    for text in ('{"channel":"trades", "data":[ {"coin":"BTC","time":1} ]}', fills(1, snapshot=True), fills(2)):
        assert hear(feeds, text) == text


def test_a_frame_belongs_to_the_subscription_that_it_shows() -> None:
    echoes: list[dict[str, Json]] = [
        TRADES, TRADES | {"coin": "ETH"}, FILLS, FILLS | {"user": BERT},
        {"type": "candle", "coin": "BTC", "interval": "1m"}, {"type": "candle", "coin": "BTC", "interval": "1h"},
        {"type": "allMids"}, {"type": "allMids", "dex": "xyz"}, {"type": "webData3", "user": ANNA},
        {"type": "webData3", "user": BERT}, {"type": "activeAssetCtx", "coin": "@107"},
        {"type": "activeAssetCtx", "coin": "BTC"}, {"type": "userEvents", "user": BERT},
    ]  # fmt: skip
    feeds = listening(*echoes)
    shown: list[tuple[str, int]] = [
        (frame("trades", [{"coin": "ETH", "time": 1}]), 1),
        (frame("userFills", {"isSnapshot": True, "user": BERT, "fills": []}), 3),
        (frame("candle", {"t": 1, "s": "BTC", "i": "1h"}), 5),
        (frame("allMids", {"mids": {}}), 6),
        (frame("allMids", {"mids": {}, "dex": "xyz"}), 7),
        (frame("webData3", {"userState": {"user": BERT}}), 9),
        (frame("activeSpotAssetCtx", {"coin": "@107", "ctx": {}}), 10),
        (frame("user", {"fills": []}), 12),
    ]
    for text, number in shown:
        delivery = feeds.received(1, text)
        assert delivery is not None
        assert delivery[0].echo == echoes[number]
    assert feeds.unattributed == 0


def test_frames_of_feeds_that_nobody_asked_for_are_counted() -> None:
    feeds = listening(TRADES, TRADES | {"coin": "ETH"})
    assert hear(feeds, frame("trades", [{"coin": "SOL"}])) is None
    assert hear(feeds, frame("news", {})) is None
    assert hear(feeds, '{"channel":"pong"}') is None
    assert hear(feeds, "Websocket connection established.") is None
    assert feeds.unattributed == 2


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"type": "userFills", "user": ANNA}, True),
        ({"type": "userFills", "user": ANNA.upper().replace("0X", "0x"), "aggregateByTime": False}, True),
        ({"type": "userFills", "user": ANNA, "brandNew": 1}, True),
        ({"type": "userFills", "user": ANNA, "aggregateByTime": True}, False),
        ({"type": "userFills", "user": BERT}, False),
        ({"type": "userFills"}, False),
        ({"type": "trades", "coin": "btc"}, False),
        ({}, False),
    ],
)
def test_a_client_finds_a_feed_as_the_venue_would_normalise_it(wanted: dict[str, Json], *, found: bool) -> None:
    assert (listening(TRADES, FILLS).find(wanted) is not None) == found


def test_who_comes_late_has_a_snapshot_of_all_that_was_said_newest_first() -> None:
    feeds = listening(FILLS)
    for text in (fills(20, 10, snapshot=True), fills(30), fills(40, 41)):
        hear(feeds, text)
    late = first(feeds, FILLS)
    assert late is not None
    assert times(late) == [41, 40, 30, 20, 10]
    assert list(msgspec.json.decode(late)["data"]) == ["isSnapshot", "user", "fills"]


def test_after_the_recorder_came_back_those_who_stayed_hear_only_what_is_new() -> None:
    feeds = listening(FILLS)
    hear(feeds, fills(20, 10, snapshot=True))
    hear(feeds, fills(30))
    assert [feed.type for feed in feeds.ended(1)] == ["userFills"]
    feeds.sent(2, asked(FILLS))
    again = hear(feeds, fills(50, 40, 30, 20, snapshot=True), connection=2)
    assert times(again) == [40, 50]
    assert "isSnapshot" not in str(again)
    feeds.restart()
    feeds.sent(1, asked(FILLS))
    assert hear(feeds, fills(50, 40, snapshot=True)) is None
    assert times(first(feeds, FILLS)) == [50, 40, 30, 20, 10]


def test_the_backfill_of_trades_is_passed_on_once_and_given_to_who_comes_late() -> None:
    feeds = listening(TRADES)
    rows = [{"coin": "BTC", "time": time} for time in range(60)]
    for row in rows:
        hear(feeds, frame("trades", [row]))
    assert times(first(feeds, TRADES)) == list(range(30, 60))
    feeds.ended(1)
    feeds.sent(2, asked(TRADES))
    assert times(hear(feeds, frame("trades", [*rows[40:], {"coin": "BTC", "time": 60}]), connection=2)) == [60]
    assert times(hear(feeds, frame("trades", [rows[-1]]), connection=2)) == [59]


@pytest.mark.parametrize("kind", ["orderUpdates", "userEvents", "notification"])
def test_feeds_without_a_first_frame_have_none(kind: str) -> None:
    wanted: dict[str, Json] = {"type": kind, "user": ANNA}
    feeds = listening(wanted)
    hear(feeds, frame("user" if kind == "userEvents" else kind, []))
    assert first(feeds, wanted) is None


def test_of_a_feed_of_whole_states_the_last_one_comes_first() -> None:
    wanted: dict[str, Json] = {"type": "spotState", "user": ANNA}
    feeds = listening(wanted)
    for number in range(3):
        text = frame("spotState", {"user": ANNA, "spotState": number})
        assert hear(feeds, text) == text
    assert first(feeds, wanted) == text


def packed(changes: Json) -> str:
    machine = zlib.compressobj(wbits=-15)
    return frame(
        "fastAssetCtxs", base64.b64encode(machine.compress(msgspec.json.encode(changes)) + machine.flush()).decode()
    )


def test_of_a_feed_of_changes_their_sum_comes_first() -> None:
    wanted: dict[str, Json] = {"type": "fastAssetCtxs"}
    feeds = listening(wanted)
    for changes in ({"BTC": {"markPx": "1", "midPx": "1"}, "ETH": {"markPx": "2"}}, {"BTC": {"markPx": "3"}}):
        assert hear(feeds, packed(changes)) == packed(changes)
    data = msgspec.json.decode(first(feeds, wanted) or "")["data"]
    assert msgspec.json.decode(zlib.decompress(base64.b64decode(data), -15)) == {
        "BTC": {"markPx": "3", "midPx": "1"},
        "ETH": {"markPx": "2"},
    }


@pytest.mark.parametrize("text", ['{"channel":"trades","data":{"new":1}}', '{"channel":"trades","data":7}'])
def test_a_shape_that_is_not_known_is_passed_on_as_it_is(text: str) -> None:
    assert hear(listening(TRADES), text) == text


def answers(feeds: Feeds) -> Answers:
    return Answers(Contents(), feeds)


def test_captured_answers_change_when_the_replay_reaches_the_next() -> None:
    contents = Contents(answers={b'{"type":"meta"}': {"status": 200, "body": "first"}})
    known = Answers(contents, Feeds([]))
    assert known.answer({"type": "meta", "dex": ""}) == (200, b"first")
    known.take({"type": "meta"}, {"status": 500, "body": "second"})
    assert known.answer({"type": "meta"}) == (500, b"second")


def test_an_answer_that_the_capture_lacks_is_refused_with_what_would_record_it() -> None:
    with pytest.raises(MissingAnswerError, match=r"record one with hlmon record --info '\{\"type\":\"userRole\"\}'"):
        answers(Feeds([])).answer({"type": "userRole"})


def test_fills_by_time_follow_from_the_feed_of_fills() -> None:
    feeds = listening(FILLS)
    for text in (fills(20, 10, snapshot=True), fills(30), fills(40)):
        hear(feeds, text)

    def by_time(**fields: Json) -> list[int]:
        request = {"type": "userFillsByTime", "user": ANNA, "startTime": 20} | fields
        return [row["time"] for row in msgspec.json.decode(answers(feeds).answer(request)[1])]

    assert by_time() == [20, 30, 40]
    assert by_time(endTime=30) == [20, 30]
    assert by_time(endTime=30, reversed=True) == [30, 20]
    latest = answers(feeds).answer({"type": "userFills", "user": ANNA})[1]
    assert [row["time"] for row in msgspec.json.decode(latest)] == [40, 30, 20, 10]
    for request in ({"aggregateByTime": True}, {"user": BERT}):
        with pytest.raises(MissingAnswerError):
            by_time(**request)


def test_states_follow_from_their_feeds() -> None:
    everywhere: dict[str, Json] = {"type": "allDexsClearinghouseState", "user": ANNA}
    spot: dict[str, Json] = {"type": "spotState", "user": ANNA}
    feeds = listening(everywhere, spot)
    with pytest.raises(MissingAnswerError):
        answers(feeds).answer({"type": "clearinghouseState", "user": ANNA})
    hear(
        feeds,
        frame("allDexsClearinghouseState", {"user": ANNA, "clearinghouseStates": [["", {"a": 1}], ["xyz", {"b": 2}]]}),
    )
    hear(feeds, frame("spotState", {"user": ANNA, "spotState": {"balances": []}}))
    assert answers(feeds).answer({"type": "clearinghouseState", "user": ANNA})[1] == b'{"a":1}'
    assert answers(feeds).answer({"type": "clearinghouseState", "user": ANNA, "dex": "xyz"})[1] == b'{"b":2}'
    assert answers(feeds).answer({"type": "spotClearinghouseState", "user": ANNA})[1] == b'{"balances":[]}'


def test_a_capture_is_known_before_it_is_played(tmp_path: Path) -> None:
    info = {"request": {"type": "meta"}, "status": 200, "body": "{}"}
    path = capture(
        tmp_path / "a",
        run_line() + line("open", 2, 1) + line("in", 3, 1, acknowledged(TRADES).replace(":", " : ", 1)),
        line("info", 4, payload=info) + line("in", 1_000_003, 1, frame("trades", [])),
        run_line(9_000_000_000) + line("in", 9_000_000_010, 1, acknowledged(TRADES)) + line("end", 9_000_500_000),
    )
    contents = look_through(path)
    assert (contents.feeds, list(contents.answers), contents.runs, contents.frames) == (
        [TRADES],
        [b'{"type":"meta"}'],
        2,
        3,
    )
    assert contents.length_us == 1_000_002 + 1_000_000 + 500_000


def test_time_never_goes_back(tmp_path: Path) -> None:
    path = capture(
        tmp_path / "a", run_line(100) + line("in", 200, 1, "") + line("in", 150, 2, "") + line("in", 300, 1, "")
    )
    assert [now for now, _ in timed_lines(path)] == [0, 100, 100, 200]


def test_what_a_crash_left_unfinished_is_left_out(tmp_path: Path) -> None:
    path = capture(tmp_path / "a", run_line() + line("open", 2, 1), line("in", 3, 1, "x" * 1_000) + b'["in",4')
    assert len(list(read_lines(path))) == 3
    whole = path.read_bytes()
    for cut in range(len(gzip.compress(run_line() + line("open", 2, 1))), len(whole)):
        path.write_bytes(whole[:cut])
        assert len(list(read_lines(path))) in {2, 3}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"a letter", "no gzip file"),
        (gzip.compress(b"a letter\n"), "is no capture"),
        (gzip.compress(line("open", 1, 1)), "is no capture"),
        (gzip.compress(run_line().replace(b'"version":1', b'"version":2')), "of version 2"),
        (gzip.compress(run_line() + b'["in"]\n'), "line 2"),
        (gzip.compress(run_line()) + b"\0\0\0\0\0\0\0\0\0\0\0\0", "damaged"),
    ],
    # The bytes hold the second in which they were compressed: two test processes would name them differently.
    ids=["empty", "text", "another file", "no run", "another version", "a bad row", "a bad end"],
)
def test_a_file_that_cannot_be_replayed_says_why(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(CaptureError, match=said):
        look_through(tmp_path / "a")
    with pytest.raises(CaptureError, match="cannot be read"):
        look_through(tmp_path / "none")
