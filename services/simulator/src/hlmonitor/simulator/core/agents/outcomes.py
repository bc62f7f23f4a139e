"""A wallet that lives in outcomes: it lists markets, trades and converts their tokens, and holds into settlement."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from hlmonitor.simulator.core.orders import OrderRequest, Side, Tif
from hlmonitor.simulator.core.outcome_listings import QUESTION
from hlmonitor.simulator.core.outcomes import OutcomeSpec
from hlmonitor.simulator.core.precision import round_px

from .styles import SpotTrader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.dice import Dice
    from hlmonitor.simulator.core.exchange import Exchange

_SIDES: Final = 2
_PAIRS: Final = (50, 5_000)
_WORTHS: Final = (Decimal(0), Decimal(1), Decimal(1), Decimal("0.4"))
"""What the first side of a market may turn out to be worth; most are lost or won."""


class OutcomeTrader(SpotTrader):
    """Always has a market of its own, which it settles after a while and follows with the next one.

    The venue's own markets end once a day at most. Markets that end after some turns of their owner let even
    a short run see what becomes of balances and orders then, and their number follows the wallet's activity.
    """

    __slots__ = ("_own",)

    style = "outcome"
    stake = Decimal(1_000_000)
    usual_ntl = 2_000
    most_ntl = 30_000
    most_open: ClassVar[int] = 3

    def __init__(self, address: str, coins: Sequence[str], dice: Dice) -> None:
        super().__init__(address, coins, dice)
        self._own = -1

    def _decide(self, exchange: Exchange) -> None:
        if self._own not in exchange.outcomes.live:
            self._list(exchange)
        elif self._chance(8) and self._spare(exchange, self._own, 0) + self._spare(exchange, self._own, 1):
            exchange.outcome_settler.settle(self._own, self._dice.choice(_WORTHS), "said so")
        elif self._chance(20):
            self._answer(exchange)
        elif self._chance(30):
            self._convert(exchange)
        elif self._chance(20):
            self._rest(exchange)
        else:
            self._trade(exchange)

    def _list(self, exchange: Exchange) -> None:
        """List a market. Its book is empty until the makers have seen it."""
        desk = exchange.outcomes
        self._own = max((*desk.live, *desk.settled)) + 1
        desk.open(OutcomeSpec(self._own, f"Market {self._own}", "class:binary", quiet=False))

    def _spare(self, exchange: Exchange, outcome: int, side: int) -> Decimal:
        account = exchange.state.account(self.address)
        token = exchange.outcomes.instrument(outcome, side).base
        return account.balance(token).total - exchange.margin.hold(account, token)

    def _convert(self, exchange: Exchange) -> None:
        """Make pairs, or give some back."""
        pairs = min(self._spare(exchange, self._own, side) for side in range(_SIDES))
        if pairs and self._chance(50):
            part = pairs * self._dice.choice((50, 100)) // 100
            exchange.outcomes.merge(self.address, self._own, max(part, Decimal(1)))
        else:
            exchange.outcomes.split(self.address, self._own, Decimal(self._dice.randint(*_PAIRS)))

    def _answer(self, exchange: Exchange) -> None:
        """Go once around a question: a pair, its second side into all other answers, all answers into the quote."""
        desk = exchange.outcomes
        question = desk.questions.get(QUESTION)
        if question is None or any(outcome not in desk.live for outcome in question.outcomes):
            return
        asked = question.named[0]
        every = min(self._spare(exchange, outcome, 0) for outcome in question.outcomes)
        against = self._spare(exchange, asked, 1)
        if every:
            desk.merge_question(self.address, QUESTION, every)
        elif against:
            desk.negate(self.address, asked, against)
        else:
            desk.split(self.address, asked, Decimal(self._dice.randint(*_PAIRS)))

    def _pick(self, exchange: Exchange) -> tuple[int, int]:
        """Return an outcome that makers quote, most often its own, and a side."""
        quoted = [spec.outcome for spec in exchange.outcomes.live.values() if not spec.quiet]
        return self._own if self._chance(60) else self._dice.choice(quoted), self._dice.randrange(_SIDES)

    def _trade(self, exchange: Exchange) -> None:
        outcome, side = self._pick(exchange)
        coin, owned = exchange.outcomes.instrument(outcome, side).coin, self._spare(exchange, outcome, side)
        if owned and self._chance(45):
            self._market(exchange, coin, Side.SELL, max(owned * self._dice.choice((50, 100)) // 100, Decimal(1)))
        else:
            self._market(exchange, coin, Side.BUY, self._size(exchange, coin))

    def _rest(self, exchange: Exchange) -> None:
        """Bid inside the spread of its own market, so that its end finds open orders."""
        mine = exchange.state.account(self.address).open_orders
        if len(mine) >= self.most_open:
            exchange.cancel(self.address, next(iter(mine)))
        instrument = exchange.outcomes.instrument(self._own, self._dice.randrange(_SIDES))
        near = exchange.state.oracle[instrument.coin] * self._dice.randint(990, 1_000) / 1_000
        sz = self._size(exchange, instrument.coin)
        if sz:
            px = round_px(instrument, near)
            exchange.place(self.address, OrderRequest(instrument.coin, Side.BUY, sz, px, Tif.GTC, cloid=self._cloid()))
