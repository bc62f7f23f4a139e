"""What an address trades and pays. Everybody pays the base rates here: there are no tiers, discounts or referrals."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import ZERO
from hlmonitor.simulator.core.candles import Interval
from hlmonitor.simulator.core.durations import DAY_MS
from hlmonitor.simulator.core.instruments import USDC
from hlmonitor.simulator.wire.portfolio import portfolio
from hlmonitor.simulator.wire.requests import fees as asked
from hlmonitor.simulator.wire.rows import amount

from .topic import Topic

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()

FREE_REQUESTS: Final = 10_000
_DAYS: Final = 15
_REFERRER_VOLUME: Final = Decimal(10_000)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@TOPIC.answers_to(asked.UserFees)
def _user_fees(request: asked.UserFees, exchange: Exchange) -> object:
    fees, account = exchange.state.config.fees, exchange.state.accounts.get(request.user.lower())
    add = fees.house_maker if account is not None and account.house else fees.perp_maker
    rates = {"cross": fees.perp_taker, "add": fees.perp_maker, "spotCross": fees.spot_taker, "spotAdd": fees.spot_maker}
    return {
        "dailyUserVlm": _daily_volumes(exchange, request.user.lower()),
        "feeSchedule": {name: amount(rate) for name, rate in rates.items()}
        | {"tiers": {"vip": [], "mm": []}, "referralDiscount": "0.0", "stakingDiscountTiers": []},
        "userCrossRate": amount(fees.perp_taker),
        "userAddRate": amount(add),
        "userSpotCrossRate": amount(fees.spot_taker),
        "userSpotAddRate": amount(fees.spot_maker),
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }


def _daily_volumes(exchange: Exchange, user: str) -> list[dict[str, object]]:
    """Write the volumes of the latest 15 days, oldest first, from the fills that are kept."""
    today = exchange.state.now_ms // DAY_MS
    crossed: defaultdict[int, Decimal] = defaultdict(Decimal)
    added: defaultdict[int, Decimal] = defaultdict(Decimal)
    for fill in reversed(exchange.state.ledger.of(user).fills):
        day = fill.time // DAY_MS
        if day <= today - _DAYS:
            break
        (crossed if fill.crossed else added)[day] += fill.px * fill.sz
    return [
        {
            "date": (_EPOCH + timedelta(days=day)).date().isoformat(),
            "userCross": amount(crossed[day]),
            "userAdd": amount(added[day]),
            "exchange": amount(_exchange_volume(exchange, day * DAY_MS)),
        }
        for day in range(today - _DAYS + 1, today + 1)
    ]


def _exchange_volume(exchange: Exchange, day_ms: int) -> Decimal:
    candles, now_ms = exchange.state.candles.values(), exchange.state.now_ms
    days = (day for coin in candles for day in coin.between(Interval.D1, day_ms, day_ms, now_ms))
    return sum((day.notional for day in days), ZERO)


@TOPIC.answers_to(asked.UserRateLimit)
def _user_rate_limit(request: asked.UserRateLimit, exchange: Exchange) -> object:
    """One request for each unit of quote ever traded, after 10,000 free ones; each order is one, cancels are free."""
    records = exchange.state.ledger.of(request.user.lower())
    return {
        "cumVlm": amount(records.traded_ntl),
        "nRequestsUsed": records.sent_orders,
        "nRequestsCap": FREE_REQUESTS + int(records.traded_ntl),
        "nRequestsSurplus": 0,
    }


@TOPIC.answers_to(asked.Portfolio)
def _portfolio(request: asked.Portfolio, exchange: Exchange) -> object:
    return portfolio(exchange, request.user.lower())


@TOPIC.answers_to(asked.Referral)
def _referral(request: asked.Referral, exchange: Exchange) -> object:
    """Only builders earn: what they charged is theirs, in dollars."""
    user = request.user.lower()
    volume = exchange.state.ledger.of(user).traded_ntl
    ready = volume >= _REFERRER_VOLUME
    return {
        "referredBy": None,
        "cumVlm": amount(volume),
        "unclaimedRewards": "0.0",
        "claimedRewards": "0.0",
        "builderRewards": amount(exchange.state.builder_fees.get((user, USDC), ZERO)),
        "referrerState": {"stage": "needToCreateCode"}
        if ready
        else {"stage": "needToTrade", "data": {"required": amount(_REFERRER_VOLUME)}},
        "rewardHistory": [],
        "tokenToState": [],
    }


@TOPIC.answers_to(asked.MaxBuilderFee)
def _max_builder_fee(request: asked.MaxBuilderFee, exchange: Exchange) -> object:
    account = exchange.state.accounts.get(request.user.lower())
    return 0 if account is None else account.builders.get(request.builder.lower(), 0)


@TOPIC.answers_to(asked.ApprovedBuilders)
def _approved_builders(request: asked.ApprovedBuilders, exchange: Exchange) -> object:
    account = exchange.state.accounts.get(request.user.lower())
    return [] if account is None else list(account.builders)
