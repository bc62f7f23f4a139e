"""Wallets that are given to another gateway and taken from one."""

from hlmonitor.domain.addresses import Address
from hlmonitor.gateway.core.handover import FRESH_S, REPEAT_S, Handover, Notice, Word

W = Address("0x" + "ab" * 20)
LINGER_S, PATIENCE_S = 15.0, 5.0


class Pair:
    """Two gateways and the bucket between them."""

    def __init__(self) -> None:
        self.old, self.new = (Handover(name, LINGER_S, PATIENCE_S) for name in ("old", "new"))
        self.now = 0.0
        self.begun = 0

    def deliver(self) -> list[tuple[str, Word]]:
        """Every word reaches both; returns who said what."""
        said = []
        for speaker in (self.old, self.new):
            words, speaker.to_say = speaker.to_say, {}
            for address, notice in words.items():
                said.append((notice.gateway, notice.word))
                self.old.heard(address, notice, self.now)
                self.begun += self.new.heard(address, notice, self.now)
        return said


def test_the_old_gateway_lets_go_when_the_new_one_is_live() -> None:
    pair = Pair()
    assert pair.old.leave(W, 0) is None
    assert pair.deliver() == [("old", Word.LEAVING)]
    assert pair.old.leave(W, 1) is None
    pair.new.live(W, 1)
    assert pair.deliver() == [("new", Word.CAUGHT_UP)]
    assert pair.old.leave(W, 1.1) == Word.CAUGHT_UP


def test_a_gateway_that_was_live_before_the_old_one_spoke_answers_all_the_same() -> None:
    pair = Pair()
    pair.new.live(W, 0)
    assert pair.deliver() == []
    pair.old.leave(W, 1)
    pair.deliver()
    assert pair.begun == 1
    pair.new.live(W, 1)
    pair.deliver()
    assert pair.old.leave(W, 1.1) == Word.CAUGHT_UP


def test_without_a_slot_the_new_gateway_says_so_after_its_patience_and_the_old_one_lets_go() -> None:
    pair = Pair()
    pair.old.leave(W, 0)
    pair.deliver()
    assert not pair.new.wait(W, 0)
    assert not pair.new.wait(W, PATIENCE_S - 0.1)
    assert pair.deliver() == []
    assert pair.new.wait(W, PATIENCE_S)
    assert pair.deliver() == [("new", Word.NO_SLOT)]
    assert pair.old.leave(W, PATIENCE_S) == Word.NO_SLOT


def test_patience_begins_anew_for_a_wallet_that_had_a_slot_meanwhile() -> None:
    pair = Pair()
    pair.new.wait(W, 0)
    pair.new.started(W)
    assert not pair.new.wait(W, PATIENCE_S)


def test_a_gateway_that_never_answers_is_waited_for_only_so_long() -> None:
    pair = Pair()
    pair.old.leave(W, 0)
    assert pair.old.leave(W, LINGER_S - 0.1) is None
    assert pair.old.leave(W, LINGER_S) == "unanswered"


def test_an_answer_to_an_earlier_question_does_not_count() -> None:
    pair = Pair()
    pair.old.leave(W, 0)
    # Our own word has not come back yet, so this one was in the bucket before it.
    pair.old.heard(W, Notice("new", Word.CAUGHT_UP), 0)
    assert pair.old.leave(W, 0.1) is None


def test_a_lost_question_and_a_lost_answer_are_said_again() -> None:
    pair = Pair()
    pair.old.leave(W, 0)
    pair.old.to_say.clear()
    pair.now = REPEAT_S
    pair.old.leave(W, pair.now)
    assert pair.deliver() == [("old", Word.LEAVING)]
    pair.new.live(W, pair.now)
    pair.new.to_say.clear()
    pair.now += REPEAT_S
    pair.old.leave(W, pair.now)
    pair.deliver()
    assert pair.begun == 1
    pair.new.live(W, pair.now)
    pair.deliver()
    assert pair.old.leave(W, pair.now) == Word.CAUGHT_UP


def test_a_wallet_that_comes_back_is_kept_and_an_old_answer_is_forgotten() -> None:
    pair = Pair()
    pair.old.leave(W, 0)
    pair.deliver()
    pair.new.live(W, 0)
    pair.deliver()
    pair.old.keep(W)
    assert pair.old.leave(W, 1) is None


def test_an_answer_is_said_once_per_question_and_not_to_one_who_asks_no_more() -> None:
    pair = Pair()
    pair.old.leave(W, 0)
    pair.deliver()
    pair.new.live(W, 0)
    pair.new.live(W, 0)
    assert pair.deliver() == [("new", Word.CAUGHT_UP)]
    pair.old.leave(W, REPEAT_S)
    pair.now = REPEAT_S
    pair.deliver()
    assert pair.new.giver(W, REPEAT_S) == "old"
    pair.new.live(W, REPEAT_S + FRESH_S)
    assert pair.deliver() == []
    assert pair.new.giver(W, REPEAT_S + FRESH_S) is None


def test_what_concerns_wallets_of_others_is_forgotten() -> None:
    pair = Pair()
    pair.new.wait(W, 0)
    pair.old.leave(W, 0)
    pair.deliver()
    pair.new.forget((), (), FRESH_S)
    pair.old.forget((), (), FRESH_S)
    assert not pair.new.wait(W, PATIENCE_S)
    assert pair.new.giver(W, 0) is None
    assert pair.old.leave(W, LINGER_S) is None
