"""What a recorder asks for, on which connections, and how it takes the answers."""

import pytest

from hlmonitor.cli.core.conversation import ANSWER_TIMEOUT_S, PING, PING_EVERY_S, PONG_TIMEOUT_S, Answer, Conversation
from hlmonitor.cli.core.progress import Progress, progress_text
from hlmonitor.cli.core.wanted import read_wanted, read_wanted_lines, share_out
from hlmonitor.cli.errors import CliError

ANNA, BERT = "0x" + "a" * 40, "0x" + "b" * 40
TRADES = {"type": "trades", "coin": "BTC"}
FILLS = {"type": "userFills", "user": ANNA}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("trades coin=BTC", TRADES),
        ("trades coin=xyz:CL", {"type": "trades", "coin": "xyz:CL"}),
        ("trades coin=@107", {"type": "trades", "coin": "@107"}),
        ("allMids", {"type": "allMids"}),
        (f"userFills user={ANNA.upper().replace('0X', '0x')} aggregateByTime=true", FILLS | {"aggregateByTime": True}),
        ("l2Book coin=BTC nSigFigs=5 fast=true", {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "fast": True}),
        ('{"type":"brandNew","deep":{"er":[1]}}', {"type": "brandNew", "deep": {"er": [1]}}),
    ],
)
def test_a_subscription_is_read_from_words_or_from_json(text: str, wanted: dict[str, object]) -> None:
    assert read_wanted(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "coin=BTC", "trades BTC", "trades coin=", "{", '{"coin":"BTC"}', '{"type":1}', "[]"]
)
def test_what_is_no_subscription_is_said(text: str) -> None:
    with pytest.raises(CliError, match="is neither"):
        read_wanted(text)


def test_a_file_has_a_subscription_a_line_and_comments() -> None:
    assert read_wanted_lines(["# some", "", "trades coin=BTC", f"  userFills user={ANNA}"]) == [TRADES, FILLS]


def test_feeds_that_frames_tell_apart_share_a_connection() -> None:
    wanted = [TRADES, {"type": "trades", "coin": "ETH"}, FILLS, FILLS | {"user": BERT}, {"type": "bbo", "coin": "BTC"}]
    assert share_out(wanted) == [wanted]


def test_feeds_whose_frames_name_nobody_have_a_connection_for_each_user() -> None:
    anna, bert = ({"type": "orderUpdates", "user": user} for user in (ANNA, BERT))
    events = {"type": "userEvents", "user": BERT}
    assert share_out([anna, bert, events]) == [[anna, events], [bert]]


def test_two_views_of_one_feed_have_a_connection_each() -> None:
    joined = FILLS | {"aggregateByTime": True}
    assert share_out([FILLS, joined, FILLS]) == [[FILLS], [joined]]


def test_more_than_the_venue_allows_is_refused_before_it_refuses() -> None:
    with pytest.raises(CliError, match="need 11 connections"):
        share_out([{"type": "orderUpdates", "user": f"0x{number:040x}"} for number in range(11)])
    with pytest.raises(CliError, match="1001 subscriptions"):
        share_out([{"type": "trades", "coin": str(number)} for number in range(1001)])


def acknowledged(echo: str) -> str:
    return f'{{"channel":"subscriptionResponse","data":{{"method":"subscribe","subscription":{echo}}}}}'


def test_subscriptions_are_sent_one_by_one_and_then_pings() -> None:
    talk = Conversation([TRADES, FILLS], 0.0)
    assert talk.next_text(0.0) == '{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}'
    assert talk.next_text(0.0) == f'{{"method":"subscribe","subscription":{{"type":"userFills","user":"{ANNA}"}}}}'
    assert talk.next_text(PING_EVERY_S - 1) is None
    assert talk.next_text(PING_EVERY_S) == PING
    assert talk.defect(PING_EVERY_S + PONG_TIMEOUT_S + 1) == "no pong"
    talk.received('{"channel":"pong"}')
    assert talk.next_text(2 * PING_EVERY_S) == PING


def test_an_acknowledgement_counts_with_the_defaults_that_the_venue_adds() -> None:
    talk = Conversation([TRADES, FILLS], 0.0)
    while talk.next_text(0.0):
        pass
    talk.received(acknowledged(f'{{"type":"userFills","user":"{ANNA}","aggregateByTime":false}}'))
    assert [entry.answer for entry in talk.entries] == [Answer.NONE, Answer.STANDS]
    assert talk.defect(ANSWER_TIMEOUT_S + 1) == "no answer to a subscription"
    talk.received(acknowledged('{"type":"trades","coin":"BTC"}'))
    assert (talk.standing, talk.defect(PING_EVERY_S - 1)) == (2, None)


@pytest.mark.parametrize(
    ("complaint", "refused"),
    [
        (f'Invalid subscription {{\\"type\\":\\"userFills\\",\\"user\\":\\"{ANNA}\\"}}', 1),
        ("Cannot track more than 10 total users.", 0),
        ("Cannot subscribe to more than 1000 channels.", 0),
    ],
)
def test_a_refusal_belongs_to_what_it_names_or_to_the_oldest_question(complaint: str, refused: int) -> None:
    talk = Conversation([TRADES, FILLS], 0.0)
    while talk.next_text(0.0):
        pass
    talk.received(f'{{"channel":"error","data":"{complaint}"}}')
    assert [entry.answer is Answer.REFUSED for entry in talk.entries].index(True) == refused


def test_an_answer_is_known_however_it_is_spaced() -> None:
    talk = Conversation([TRADES], 0.0)
    talk.next_text(0.0)
    talk.received(acknowledged('{"type": "trades", "coin": "BTC"}').replace('{"channel":', '{ "channel" : '))
    assert talk.standing == 1


def test_already_subscribed_is_as_good_as_an_acknowledgement() -> None:
    talk = Conversation([TRADES], 0.0)
    talk.next_text(0.0)
    talk.received('{"channel":"error","data":"Already subscribed: {\\"type\\":\\"trades\\",\\"coin\\":\\"BTC\\"}"}')
    assert talk.standing == 1


@pytest.mark.parametrize("text", ["Websocket connection established.", '{"channel":"error"', '{"channel":"pong"', "[]"])
def test_frames_that_mean_nothing_change_nothing(text: str) -> None:
    talk = Conversation([TRADES], 0.0)
    talk.next_text(0.0)
    talk.received(text)
    assert talk.entries[0].answer is Answer.NONE


def test_the_progress_line_says_what_goes_wrong() -> None:
    progress = Progress(
        0.0, 2, 3, open=1, frames=7_200, file_bytes=3 << 20, standing={1: 2}, lost=5, problem="disk full"
    )
    assert progress_text(progress, 3_600.0) == (
        "1:00:00  1/2 connections  2/3 subscriptions  7,200 frames (2/s)  3.0 MiB  5 lines LOST  disk full"
    )
