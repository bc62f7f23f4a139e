"""What faults make of the frames on one line, without a socket."""

import json
import random
from collections import Counter

from hlmonitor.simulator.core.faults import Edit, FaultBoard, FaultConfig, FaultyLine, Target
from hlmonitor.simulator.testing import wallet
from hlmonitor.simulator.wire.frames import PONG, Frame, bare_rows, message, user_rows
from hlmonitor.simulator.wire.subscriptions import Subscription

A, B = wallet(0xA), wallet(0xB)
TRADES = Subscription("trades", coin="BTC")
FILLS = Subscription("userFills", user=A)


def line(number: int = 1) -> FaultyLine[Frame]:
    return FaultyLine(random.Random(1), Counter(), "127.0.0.1", number)


def standing(**faults: float) -> FaultBoard:
    return FaultBoard(FaultConfig(**faults))  # type: ignore[arg-type]


def rule(target: Target, until_ms: int | None = None, **faults: float) -> FaultBoard:
    board = FaultBoard(FaultConfig())
    board.add(target, FaultConfig(**faults), until_ms)  # type: ignore[arg-type]
    return board


def trades(*rows: object) -> Frame:
    return bare_rows("trades", rows)


def test_split_and_reordered_are_increments_only() -> None:
    frame = bare_rows("trades", [1, 2, 3], live=False)
    assert line().push(frame, standing(duplicate=1.0, reorder=1.0, split=1.0), 0, TRADES) == [frame]


def test_a_held_frame_is_released_within_the_bound_and_nothing_is_lost() -> None:
    faulty, board = line(), standing(reorder=1.0, reorder_ms=50)
    for number in range(20):
        assert faulty.push(trades(number), board, 0, TRADES) == []
    assert faulty.held == 20
    released = faulty.release(50)
    assert sorted(frame.entries[0] for frame in released) == sorted(str(n).encode() for n in range(20))
    assert [frame.entries[0] for frame in released] != [str(n).encode() for n in range(20)]
    assert faulty.held == 0


def test_a_split_frame_keeps_its_rows_in_order() -> None:
    parts = line().push(trades(1, 2, 3), standing(split=1.0), 0, TRADES)
    assert len(parts) == 2
    assert b",".join(b",".join(part.entries) for part in parts) == b"1,2,3"


def test_a_dropped_frame_is_gone_and_replies_are_never_dropped_unasked() -> None:
    board = standing(drop=1.0)
    assert line().push(trades(1), board, 0, TRADES) == []
    assert line().push(message("spotState", {}), board, 0, Subscription("spotState", user=A)) == []
    assert line().push(PONG, board, 0) == [PONG]
    assert line().push(PONG, rule(Target(feed="pong"), drop=1.0), 0) == []


def test_merged_frames_of_a_feed_are_one_with_the_rows_in_order() -> None:
    faulty, board = line(), standing(merge=1.0, reorder_ms=50)
    assert faulty.push(trades(1), board, 0, TRADES) == []
    (joined,) = faulty.push(trades(2, 3), board, 10, TRADES)
    assert json.loads(joined.data) == {"channel": "trades", "data": [1, 2, 3]}
    assert faulty.push(trades(4), board, 20, TRADES) == []
    assert faulty.release(69) == []
    assert [frame.entries for frame in faulty.release(70)] == [(b"4",)]


def test_frames_of_different_users_are_never_merged() -> None:
    faulty, board = line(), standing(merge=1.0)
    other = Subscription("userFills", user=B)
    assert faulty.push(user_rows("userFills", A, "fills", [1]), board, 0, FILLS) == []
    assert faulty.push(user_rows("userFills", B, "fills", [2]), board, 0, other) == []
    assert [frame.entries for frame in faulty.flush()] == [(b"1",), (b"2",)]


def test_a_waiting_frame_goes_before_one_that_it_cannot_be_merged_with() -> None:
    faulty, board = line(), standing(merge=1.0)
    faulty.push(trades(1), board, 0, TRADES)
    state = message("trades", [2])
    assert [json.loads(frame.data)["data"] for frame in faulty.push(state, board, 0, TRADES)] == [[1], [2]]


def test_a_delayed_feed_keeps_its_order_even_when_the_delay_ends() -> None:
    board = rule(Target(feed="trades"), until_ms=30, delay_ms=100)
    faulty = line()
    assert faulty.push(trades(1), board, 0, TRADES) == []
    assert faulty.push(trades(2), board, 10, TRADES) == []
    board.expire(30)
    assert faulty.push(trades(3), board, 40, TRADES) == []
    other = user_rows("userFills", A, "fills", [9])
    assert faulty.push(other, board, 40, FILLS) == [other]
    assert [frame.entries for frame in faulty.release(100)] == [(b"1",)]
    assert faulty.push(trades(4), board, 110, TRADES) == []
    assert [frame.entries for frame in faulty.release(110)] == [(b"2",), (b"3",), (b"4",)]
    late = trades(5)
    assert faulty.push(late, board, 111, TRADES) == [late]


def test_a_truncated_frame_is_json_that_does_not_end() -> None:
    for _ in range(20):
        (cut,) = line().push(trades({"px": "1"}, "é"), standing(truncate=1.0), 0, TRADES)
        cut.data.decode()
        try:
            json.loads(cut.data)
        except json.JSONDecodeError:
            continue
        raise AssertionError(cut.data)


def test_a_rule_meets_only_what_it_targets() -> None:
    mine = user_rows("userFills", A, "fills", [1])
    theirs = user_rows("userFills", B, "fills", [1])
    about_b = Subscription("userFills", user=B)
    for target, hits in (
        (Target(user=A), (True, False, False)),
        (Target(feed="userFills"), (True, True, False)),
        (Target(coin="BTC"), (False, False, True)),
        (Target(client="127.0.0.9"), (False, False, False)),
        (Target(client="127.0.0.1", feed="trades"), (False, False, True)),
    ):
        board = rule(target, drop=1.0)
        frames = ((mine, FILLS), (theirs, about_b), (trades(1), TRADES))
        gone = tuple(not line().push(frame, board, 0, about) for frame, about in frames)
        assert gone == hits, target


def test_a_rule_can_spare_connections_that_come_later() -> None:
    board = rule(Target(newest=3), drop=1.0)
    assert line(3).push(trades(1), board, 0, TRADES) == []
    assert len(line(4).push(trades(1), board, 0, TRADES)) == 1


def test_rules_end_by_time_or_by_hand() -> None:
    board = FaultBoard(FaultConfig(split=0.5))
    first = board.add(Target(), FaultConfig(drop=1.0), 100)
    second = board.add(Target(), FaultConfig(truncate=1.0))
    board.expire(99)
    assert board.is_in_force(first)
    board.expire(100)
    assert board.rules == [second]
    assert board.clear(second.id) == 1
    assert not board.is_quiet
    board.clear()
    assert board.is_quiet


def test_of_several_faults_of_a_kind_the_worst_counts() -> None:
    board = rule(Target(), delay_ms=10)
    board.add(Target(feed="trades"), FaultConfig(delay_ms=200))
    faulty = line()
    faulty.push(trades(1), board, 0, TRADES)
    assert faulty.release(199) == []
    assert len(faulty.release(200)) == 1


def test_what_stands_but_does_nothing_does_not_change_how_late_a_frame_may_be() -> None:
    faulty, board = line(), rule(Target(), reorder=1.0, reorder_ms=20)
    for number in range(20):
        faulty.push(trades(number), board, 0, TRADES)
    assert len(faulty.release(20)) == 20


def test_an_edit_sees_the_whole_frame_and_is_counted_when_it_changes_something() -> None:
    counts: Counter[str] = Counter()
    faulty = FaultyLine[Frame](random.Random(1), counts)
    board = FaultBoard(FaultConfig())
    board.add(Target(feed="trades"), Edit("shout", lambda data: data.replace(b"px", b"PX") if b"px" in data else data))
    (changed,) = faulty.push(trades({"px": "1"}), board, 0, TRADES)
    assert json.loads(changed.data) == {"channel": "trades", "data": [{"PX": "1"}]}
    plain = trades({"sz": "1"})
    assert faulty.push(plain, board, 0, TRADES)[0] is plain
    assert counts == {"shout": 1}
