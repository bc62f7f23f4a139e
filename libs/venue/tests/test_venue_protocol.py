"""The life of a connection, by the machine alone."""

import msgspec
import pytest

from hlmonitor.venue.core.backoff import Backoff
from hlmonitor.venue.core.frames import Frame, decode_frame
from hlmonitor.venue.core.protocol import (
    PING,
    Acknowledged,
    ConnectionProtocol,
    Failed,
    ProtocolTimes,
    UserLimitLearned,
)
from hlmonitor.venue.core.subscriptions import Subscription, UserLimitReached, parse_complaint

USER = "0x" + "ab" * 20
FILLS = Subscription("userFills", user=USER)
STATES = Subscription("allDexsClearinghouseState", user=USER)
TIMES = ProtocolTimes(25, 10, 8, {"allDexsClearinghouseState": 20})


def machine(*subscriptions: Subscription, now: float = 0.0) -> ConnectionProtocol:
    return ConnectionProtocol(subscriptions, TIMES, now)


def ack(subscription: Subscription, **extra: object) -> Frame:
    echo = msgspec.to_builtins(subscription) | extra
    data = {"method": "subscribe", "subscription": echo}
    return decode_frame(msgspec.json.encode({"channel": "subscriptionResponse", "data": data}))


def error(text: str) -> Frame:
    return decode_frame(msgspec.json.encode({"channel": "error", "data": text}))


def sent(protocol: ConnectionProtocol, now: float = 0.0) -> list[str]:
    return list(iter(lambda: protocol.next_frame(now) or "", ""))


def test_each_subscription_is_one_frame_and_is_sent_once() -> None:
    protocol = machine(FILLS, STATES)
    assert sent(protocol) == [FILLS.frame(), STATES.frame()]
    assert FILLS.frame() == f'{{"method":"subscribe","subscription":{{"type":"userFills","user":"{USER}"}}}}'


def test_a_new_machine_subscribes_everything_again() -> None:
    assert sent(machine(FILLS, STATES)) == sent(machine(FILLS, STATES))


def test_an_echo_with_defaults_added_acknowledges() -> None:
    protocol = machine(FILLS)
    sent(protocol)
    assert protocol.received(ack(FILLS, aggregateByTime=False), 1) == [Acknowledged()]
    assert protocol.all_acknowledged


def test_an_echo_of_another_user_does_not() -> None:
    protocol = machine(FILLS)
    sent(protocol)
    assert protocol.received(ack(Subscription("userFills", user="0x" + "cd" * 20)), 1) == []
    assert not protocol.all_acknowledged


def test_all_are_needed_for_acknowledged() -> None:
    protocol = machine(FILLS, STATES)
    sent(protocol)
    assert protocol.received(ack(STATES), 1) == []
    assert protocol.received(ack(FILLS), 1) == [Acknowledged()]


def test_no_acknowledgement_in_time_is_a_defect() -> None:
    protocol = machine(FILLS)
    sent(protocol, 1)
    assert protocol.defect(9) is None
    assert protocol.defect(9.1) == "no_acknowledgement"


def test_the_user_limit_is_learned_and_the_oldest_unanswered_subscription_fails() -> None:
    protocol = machine(FILLS, STATES)
    sent(protocol)
    text = "Cannot track more than 15 total users."
    assert protocol.received(error(text), 1) == [UserLimitLearned(15), Failed(FILLS, text)]
    assert protocol.defect(1) == "subscription_refused"


def test_already_subscribed_is_an_acknowledgement() -> None:
    protocol = machine(FILLS)
    sent(protocol)
    text = f'Already subscribed: {{"type":"userFills","user":"{USER}","aggregateByTime":false}}'
    assert protocol.received(error(text), 1) == [Acknowledged()]


@pytest.mark.parametrize(
    "text",
    [
        f'Invalid subscription {{"type":"userFills","user":"{USER}"}}',
        f'Error parsing JSON into valid websocket request: {{"subscription":{{"type":"userFills","user":"{USER}"}}}}',
    ],
)
def test_a_rejected_subscription_fails_by_its_echo(text: str) -> None:
    protocol = machine(STATES, FILLS)
    sent(protocol)
    assert protocol.received(error(text), 1) == [Failed(FILLS, text)]


@pytest.mark.parametrize("text", ["Cannot subscribe to more than 1000 channels.", "Error parsing JSON: what"])
def test_an_error_without_echo_is_the_oldest_unanswered_ones(text: str) -> None:
    protocol = machine(FILLS, STATES)
    sent(protocol)
    protocol.received(ack(FILLS), 1)
    assert protocol.received(error(text), 1) == [Failed(STATES, text)]


def test_an_unknown_complaint_changes_nothing() -> None:
    protocol = machine(FILLS)
    sent(protocol)
    assert protocol.received(error("the moon is full"), 1) == []
    assert protocol.defect(1) is None


def test_a_late_acknowledgement_counts_after_all() -> None:
    protocol = machine(FILLS)
    sent(protocol)
    protocol.received(error("Cannot send more than 2000 messages per minute."), 1)
    assert protocol.received(ack(FILLS), 2) == [Acknowledged()]
    assert protocol.defect(2) is None


def test_pings_are_regular_and_need_a_pong() -> None:
    protocol = machine()
    assert protocol.next_frame(24.9) is None
    assert protocol.has_frame(25)
    assert protocol.next_frame(25) == PING
    assert not protocol.has_frame(60)
    assert protocol.next_frame(60) is None
    assert protocol.defect(35) is None
    assert protocol.defect(35.1) == "no_pong"
    protocol.received(decode_frame('{"channel":"pong"}'), 35)
    assert protocol.defect(35.1) is None
    assert protocol.next_frame(50) == PING


def test_a_silent_feed_is_a_defect_though_pongs_come() -> None:
    protocol = machine(STATES)
    sent(protocol)
    protocol.received(ack(STATES), 1)
    state = {"channel": STATES.type, "data": {"user": USER, "clearinghouseStates": []}}
    protocol.received(decode_frame(msgspec.json.encode(state)), 10)
    protocol.received(decode_frame('{"channel":"pong"}'), 29)
    assert protocol.defect(30) is None
    assert protocol.defect(30.1) == "stale_feed"


def test_a_calm_feed_without_beat_is_no_defect() -> None:
    protocol = machine(FILLS)
    sent(protocol)
    protocol.received(ack(FILLS), 1)
    assert protocol.defect(5000) is None


def test_the_number_in_the_user_limit_is_read() -> None:
    assert parse_complaint("Cannot track more than 10 total users.") == UserLimitReached(10)


def test_back_off_doubles_to_its_most_and_starts_anew_after_success() -> None:
    backoff = Backoff(1, 30)
    assert [backoff.next_delay(1.0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.next_delay(0.0) == 15
    backoff.succeeded()
    assert backoff.next_delay(1.0) == 1
